"""Frames to and from a ZeroMQ socket, with as little Python between them as there can be.

pyzmq's own `send_multipart` checks every part and combines flags as enums; in a call of 200 µs with eight
such messages that is felt. Flags here are plain numbers, and small parts are copied, which is cheaper than
being tracked; large ones are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import zmq
import zmq.backend

POLLIN: Final = int(zmq.POLLIN)
POLLOUT: Final = int(zmq.POLLOUT)
NOBLOCK: Final = int(zmq.NOBLOCK)
SNDMORE: Final = int(zmq.SNDMORE)
_EVENTS: Final = int(zmq.EVENTS)
_NOBLOCK_MORE: Final = NOBLOCK | SNDMORE
#: From this size on, a frame is handed to ZeroMQ without copying it.
UNCOPIED_BYTES: Final = 65536

_send = zmq.backend.Socket.send
_recv = zmq.backend.Socket.recv
_get = zmq.backend.Socket.get


def send_frames(socket: zmq.Socket[bytes], frames: Sequence[Any], peer: bytes | None = None) -> None:
    """Send all frames as one message (a ROUTER's to `peer`), or send nothing.

    Raises `zmq.ZMQError`: EAGAIN where it would have to wait, EHOSTUNREACH where the peer has gone.
    """
    if peer is not None:
        _send(socket, peer, _NOBLOCK_MORE, True)
    remaining = len(frames)
    for frame in frames:
        remaining -= 1
        size = frame.nbytes if type(frame) is memoryview else len(frame)
        _send(socket, frame, _NOBLOCK_MORE if remaining else NOBLOCK, size < UNCOPIED_BYTES)


def receive_message(socket: zmq.Socket[bytes]) -> tuple[bytes, list[zmq.Frame]]:
    """A message: its first frame as bytes, the others uncopied. Raises `zmq.Again` if there is none."""
    frame = _recv(socket, NOBLOCK, False)
    first = frame.bytes
    rest = []
    while frame.more:
        frame = _recv(socket, NOBLOCK, False)
        rest.append(frame)
    return first, rest


def events(socket: zmq.Socket[bytes]) -> int:
    """`POLLIN` and `POLLOUT`, as they stand now."""
    return int(_get(socket, _EVENTS))
