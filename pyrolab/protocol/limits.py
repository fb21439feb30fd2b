"""Every bound on what a peer may send, each a named constant; `docs/protocol.md` lists them.

A `Limits` value carries the configurable ones; the constants are the defaults.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Bytes in one ZeroMQ frame (`ZMQ_MAXMSGSIZE`): the largest single array.
MAX_FRAME_BYTES = 1 << 28
#: Bytes in all the frames of a message together.
MAX_MESSAGE_BYTES = 1 << 29
#: Bytes in the msgpack body of a message; larger data belongs into arrays, which travel as buffers.
MAX_BODY_BYTES = 1 << 26
#: Out-of-band buffers in one message.
MAX_BUFFERS = 255
#: Containers within containers.
MAX_DEPTH = 64
#: Elements of all containers of one body together.
MAX_ELEMENTS = 1 << 20
#: Characters in a name: of a service, a method, a path step.
MAX_NAME_CHARS = 255
#: Steps from a service to the member that a call is about.
MAX_STEPS = 32
#: Dimensions of an array (NumPy's own bound is 64; 32 is what every NumPy since 1.0 can do).
MAX_DIMENSIONS = 32
#: Arrays of at least this many bytes travel as their own frame.
OUT_OF_BAND_BYTES = 4096


@dataclass(frozen=True)
class Limits:
    """The bounds that one process enforces on what it decodes."""

    frame_bytes: int = MAX_FRAME_BYTES
    message_bytes: int = MAX_MESSAGE_BYTES
    body_bytes: int = MAX_BODY_BYTES
    buffers: int = MAX_BUFFERS
    depth: int = MAX_DEPTH
    elements: int = MAX_ELEMENTS


DEFAULT_LIMITS = Limits()
