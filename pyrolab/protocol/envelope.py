"""The envelope: the one frame of a message that the broker reads.

It is a fixed binary header followed by the target's name. `pack` and `parse` are the only code that
knows its bytes; `docs/protocol.md` is the table for everybody else. This file does not know our role.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from enum import IntEnum
from typing import Any, Final, NamedTuple

from pyrolab.errors import ProtocolError, VersionMismatch
from pyrolab.protocol.limits import MAX_NAME_CHARS

MAGIC = b"PYRL"
VERSION = 1
#: "no deadline" in the budget field.
NO_DEADLINE = 0xFFFF_FFFF
#: The largest clock that the header can carry, in ms.
MAX_STAMP = 0xFFFF_FFFF_FFFF_FFFF
#: Longest deadline that the field can carry: 49 days.
MAX_BUDGET_MS = NO_DEADLINE - 1

_HEADER = struct.Struct(">4sBBBBQQQIIQ")
HEADER_BYTES = _HEADER.size
_unpack = _HEADER.unpack_from
_make = tuple.__new__  # what Envelope._make does, at a third of its cost
#: Magic, version and kind stay at these places in every version, so that a mismatch can be answered.
_PREFIX = struct.Struct(">4sBB")


class Kind(IntEnum):
    """What a message is. The numbers are part of the protocol."""

    HELLO = 1  #: peer → broker: who I am
    WELCOME = 2  #: broker → peer: your session, my limits
    BYE = 3  #: either way: this session ends
    PING = 4  #: peer → broker: I live; the stamp is my clock
    PONG = 5  #: broker → peer: so do I
    REFUSED = 6  #: the message with this call number was not carried out, and why
    OFFER = 16  #: worker → broker: I host this service
    WITHDRAW = 17  #: worker → broker: no longer
    DESCRIBE = 18  #: client → broker: what does this service offer?
    CALL = 32  #: client → broker → worker
    RESULT = 33  #: worker → broker → client, or back for an ASK: the value
    RAISED = 34  #: worker → broker → client, or back for an ASK: the exception
    CANCEL = 35  #: client → broker → worker: never mind
    ENDED = 36  #: broker → worker: this client session has ended; → client: this service has, and its events
    BEGUN = 37  #: broker → worker: a client session that will call, and whose it is
    ASK = 40  #: worker → broker → client: call what you passed along
    JOIN = 43  #: worker → broker: this client gets the events of a topic
    PART = 44  #: worker → broker: no longer
    EVENT = 45  #: worker → broker → the clients that have joined its topic
    RESERVE = 48  #: client → broker: these services for myself alone; with a token: I am here again
    RELEASE = 49  #: client → broker: for everybody again
    STOP = 50  #: broker → worker, watch: emergency stop
    STOPPED = 51  #: worker → broker: what the stop hook of a service did
    RESET = 52  #: broker → worker, watch: the emergency is over
    REPORT = 53  #: watch → broker: how a process of its computer is doing
    ATTACH = 56  #: viewer → source, here or through the broker: I am who subscribed with this ticket
    FRAME = 57  #: source → viewer: one frame of a stream
    TALLY = 58  #: source → viewer: how many frames there have been
    CREDIT = 59  #: viewer → source: I can take so many more; and this one's memory is yours again
    DETACH = 60  #: viewer → source: I want no more; the answer is the last tally


class Flag:
    """What the broker must know of a call without reading its body; plain numbers, or-ed together.

    Not an `IntFlag`: its operators cost more than the rest of the header, in every call and process.
    """

    NONE: Final = 0
    READ: Final = 1  #: changes nothing: may be repeated, and passes a reservation
    ONEWAY: Final = 2  #: nobody waits for an answer
    URGENT: Final = 4  #: runs beside whatever is running
    ANNOTATED: Final = 8  #: of an answer: the body is an array of the value and a map of annotations
    POOL: Final = 16  #: of an OFFER: several workers may host this object, and share its calls
    HELD: Final = 32  #: the worker keeps, or will keep, something for this client: its calls stay with it


class Envelope(NamedTuple):
    """The routing part of a message.

    `session` and `call` name a call together: the broker gives out sessions, a client numbers its calls
    upwards. `stamp` is a clock in ms: the sender's own on the way back, the *receiver's* own, as last
    heard, on the way to the instrument, so that a receiver can tell the age of what it gets without any
    synchronised clocks. `budget_ms` is the time that remains. `number` depends on the kind. `token` is the
    fencing token of a reservation; in an ASK, the call in whose course it is asked.
    """

    kind: int
    flags: int = 0
    buffers: int = 0
    session: int = 0
    call: int = 0
    stamp: int = 0
    budget_ms: int = NO_DEADLINE
    number: int = 0
    token: int = 0
    target: bytes = b""

    def pack(self) -> bytes:
        """The header frame."""
        return pack(*self)


def pack(
    kind: int,
    flags: int = 0,
    buffers: int = 0,
    session: int = 0,
    call: int = 0,
    stamp: int = 0,
    budget_ms: int = NO_DEADLINE,
    number: int = 0,
    token: int = 0,
    target: bytes = b"",
) -> bytes:
    """The header frame of these fields."""
    return (
        _HEADER.pack(MAGIC, VERSION, kind, flags, buffers, session, call, stamp, budget_ms, number, token)
        + target
    )


def parse(header: bytes) -> Envelope:
    """The envelope in a header frame.

    Raises `VersionMismatch` for another version of the protocol, `ProtocolError` for anything else that
    is not a header.
    """
    if len(header) < HEADER_BYTES:
        raise _not_a_header(header)
    fields = _unpack(header)
    if fields[0] != MAGIC or fields[1] != VERSION:
        raise _not_a_header(header)
    target = header[HEADER_BYTES:]
    if len(target) > MAX_NAME_CHARS:
        raise ProtocolError(f"the target's name has {len(target)} bytes; {MAX_NAME_CHARS} are allowed")
    return _make(Envelope, (*fields[2:], target))


def _not_a_header(header: bytes) -> ProtocolError:
    if len(header) >= _PREFIX.size:
        magic, version, _ = _PREFIX.unpack_from(header)
        if magic == MAGIC and version != VERSION:
            return VersionMismatch(
                f"the peer speaks version {version} of the protocol, this side version {VERSION}; "
                "bring both to the same PyroLab release",
                theirs=version,
                ours=VERSION,
            )
    return ProtocolError("this is not a PyroLab message")


def check_frames(envelope: Envelope, frames: Sequence[Any]) -> None:
    """Raise `ProtocolError` unless the frames after the header are a body and the stated buffers.

    What a kind of a later time has after its header is not known here.
    """
    expected = envelope.buffers + (1 if envelope.kind in WITH_BODY else 0)
    if len(frames) != expected and envelope.kind in _KINDS:
        raise ProtocolError(
            f"a {Kind(envelope.kind).name} message with {envelope.buffers} buffers has {expected} frames "
            f"after its header, this one {len(frames)}"
        )


#: The kinds that carry a msgpack body; the others are a header alone.
WITH_BODY = frozenset(
    {
        Kind.HELLO,
        Kind.WELCOME,
        Kind.REFUSED,
        Kind.OFFER,
        Kind.CALL,
        Kind.RESULT,
        Kind.RAISED,
        Kind.BEGUN,
        Kind.ASK,
        Kind.EVENT,
        Kind.RESERVE,
        Kind.STOP,
        Kind.STOPPED,
        Kind.REPORT,
        Kind.ATTACH,
        Kind.FRAME,
    }
)
_KINDS = frozenset(map(int, Kind))
