"""The emergency stop, as a client asks for it: over a connection of its own, with nothing in front of it.

Asking twice is asking once, so it is tried again and again for a few seconds. It is software on a network:
what protects people has a switch of its own.
"""

from __future__ import annotations

import time
from typing import Any

from pyrolab.errors import CommunicationError, NoBroker, OutcomeUnknown, ProtocolError, PyroError
from pyrolab.link.link import Link, login_name, refusal
from pyrolab.protocol import codec
from pyrolab.protocol.envelope import Envelope, Flag, Kind, pack
from pyrolab.protocol.exceptions import unpack_exception
from pyrolab.protocol.names import NAME_SERVICE, Location

#: How long it is tried, and how long the pause is after a try that failed.
PATIENCE_S = 5.0
_PAUSE_S = 0.05
#: The only call of its connection.
_CALL = 1


def emergency_stop(location: Location, reason: str = "", user: str = "") -> Any:
    """Have the stop hooks of all services of a broker run now, and let no call run until it is reset.

    Returns what the broker says of it. Raises `NoBroker` if no broker could be told within 5 s, and
    `OutcomeUnknown` if one was and did not answer: use the hardware switch.
    """
    body, _ = codec.encode_call(["emergency_stop"], [reason, user or login_name()], {}, "call")
    end = time.monotonic() + PATIENCE_S
    told = False
    while True:
        try:
            with _Line(location, end) as line:
                line.tell(body)
                told = True
                return line.answer()
        except PyroError as error:
            if time.monotonic() + _PAUSE_S >= end:
                raise _failed(location, told, error) from error
            time.sleep(_PAUSE_S)


def _failed(location: Location, told: bool, why: PyroError) -> CommunicationError:
    if told:
        return OutcomeUnknown(
            f"the broker at {location} was told to stop everything and did not confirm it ({why}); "
            "use the hardware switch"
        )
    return NoBroker(f"NOT stopped: no broker could be told at {location} ({why}); use the hardware switch")


class _Line:
    """A connection for one emergency stop."""

    def __init__(self, location: Location, end: float) -> None:
        self._end = end
        self._link = Link(location, "client", "emergency stop", self._left_s, about={"urgent": True})

    @property
    def _left_s(self) -> float:
        return max(self._end - time.monotonic(), 0.1)

    def __enter__(self) -> _Line:
        return self

    def __exit__(self, *reason: object) -> None:
        self._link.close()

    def tell(self, body: bytes) -> None:
        """Send it."""
        header = pack(
            Kind.CALL,
            Flag.URGENT,
            session=self._link.session,
            call=_CALL,
            stamp=self._link.stamp(),
            budget_ms=int(self._left_s * 1000),
            target=NAME_SERVICE.encode(),
        )
        self._link.send([header, body])

    def answer(self) -> Any:
        """What the broker says. Raises `CommunicationError` if it refuses, or does not answer in time."""
        while True:
            while (message := self._link.receive()) is not None:
                envelope, frames = message
                if envelope.call == _CALL:
                    return _value_of(envelope, frames)
            if time.monotonic() >= self._end:
                raise CommunicationError("no answer")
            self._link.wait(self._left_s)


def _value_of(envelope: Envelope, frames: list[Any]) -> Any:
    if envelope.kind == Kind.RESULT:
        return codec.decode(frames[0], frames[1:])
    if envelope.kind == Kind.REFUSED:
        raise refusal(frames[0])
    if envelope.kind == Kind.RAISED:
        raise CommunicationError(f"it raised {unpack_exception(codec.decode(frames[0], frames[1:]))!r}")
    raise ProtocolError(f"the broker answered with a message of kind {envelope.kind}")
