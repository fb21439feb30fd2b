"""Calls that a worker does not run: the code, the words and the numbers of each refusal."""

from __future__ import annotations

from typing import Any

import msgpack

from pyrolab.errors import PyroError, from_refusal
from pyrolab.link.clock import clock_ms
from pyrolab.protocol.emergency import Stop
from pyrolab.protocol.envelope import NO_DEADLINE, Envelope, Kind, pack


class NotRun(Exception):
    """A call must not be run; `code` is one of the protocol's, and `fields` travel with it."""

    def __init__(self, code: str, text: str, **fields: Any) -> None:
        super().__init__(text)
        self.code = code
        self.fields = fields

    def body(self) -> bytes:
        """The body of a REFUSED message."""
        packed: bytes = msgpack.packb({"code": self.code, "text": str(self), **self.fields})
        return packed

    def as_error(self) -> PyroError:
        """What the caller will see."""
        return from_refusal(self.code, str(self), self.fields)


def answer_to(envelope: Envelope, kind: int, frames: list[Any], flags: int = 0) -> list[Any]:
    """An answer to a call: its header, then its body and buffers."""
    header = pack(
        kind,
        envelope.flags | flags,
        max(len(frames) - 1, 0),
        envelope.session,
        envelope.call,
        clock_ms(),
        NO_DEADLINE,
        0,
        0,
        envelope.target,
    )
    return [header, *frames]


def refusal_of(envelope: Envelope, why: NotRun) -> list[Any]:
    """The REFUSED message for a call."""
    return answer_to(envelope, Kind.REFUSED, [why.body()])


def stale(age_ms: int) -> NotRun:
    """It lay in a buffer while a connection was interrupted."""
    text = f"the call was up to {age_ms / 1000:.1f} s old when it arrived; it did not run"
    return NotRun("stale", text, age_s=age_ms / 1000)


def expired() -> NotRun:
    """It waited for too long."""
    return NotRun("expired", "the deadline passed while the call waited at the worker; it did not run")


def cancelled() -> NotRun:
    """Nobody wants it any longer."""
    return NotRun("cancelled", "cancelled while it waited at the worker; it did not run")


def stopped(stop: Stop) -> NotRun:
    """There is an emergency stop on."""
    text, fields = stop.refusal
    return NotRun("stopped", text, **fields)


def fenced() -> NotRun:
    """Somebody else was given the object after whoever sent this."""
    return NotRun(
        "fenced", "not executed: the reservation under which it was sent has ended since; reserve again"
    )


def gone(name: str, daemon_ends: bool) -> NotRun:
    """It is not hosted here any longer."""
    if daemon_ends:
        return NotRun("gone", f"the daemon of {name} is ending; the call had not started and did not run")
    return NotRun("gone", f"{name} is hosted here no longer; it did not run")


def repeated() -> NotRun:
    """A call of this session and number has been here."""
    return NotRun("protocol", "a call of this session and number came before; it is not run again")


def offline(name: str, reason: str, retry_after_s: float) -> NotRun:
    """Its instrument cannot be had now."""
    text = (
        f"{name} is offline ({reason}); nothing was executed. Is the instrument switched on and connected? "
        f"It is tried again by itself, in {retry_after_s:.0f} s at the latest"
    )
    return NotRun("offline", text, retry_after_s=retry_after_s)
