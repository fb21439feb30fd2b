"""The call table: which calls are out, and what has come back for each. No socket, no clock, no thread.

A call number is used once; an answer to a call that nobody knows (any more) is counted and dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyrolab.errors import (
    CommunicationError,
    ConnectionClosedError,
    GarbledAnswer,
    NotSent,
    OutcomeUnknown,
    ProtocolError,
)
from pyrolab.protocol.envelope import Envelope, Flag, Kind

#: Kinds that end a call.
ANSWERS = frozenset({Kind.RESULT, Kind.RAISED, Kind.REFUSED})


class Pending:
    """A call that is out; `done` once `envelope` and `frames`, or `error`, say how it ended."""

    __slots__ = ("done", "envelope", "error", "flags", "frames", "gates", "number", "on_done")

    def __init__(self, number: int, flags: int, on_done: Callable[[Pending], None] | None) -> None:
        self.number = number
        self.flags = flags
        self.done = False
        self.envelope: Envelope | None = None
        self.frames: list[Any] = []
        self.error: Exception | None = None
        #: Called once, by whichever thread brings the answer.
        self.on_done = on_done
        #: Wake the threads that wait for this call while another one reads.
        self.gates: list[Callable[[], None]] = []

    @property
    def settled(self) -> bool:
        """Whether anything says how it ended; a call that was given up is done, and not settled."""
        return self.envelope is not None or self.error is not None

    def abandon(self) -> None:
        """Wake whoever waits: there will be no answer, or it has come."""
        self.done = True
        for gate in self.gates:
            gate()

    def _end(self) -> None:
        self.abandon()
        if self.on_done is not None:
            self.on_done(self)


class CallTable:
    """The calls of one session."""

    def __init__(self) -> None:
        #: The number of the session, once there is one.
        self.session = 0
        self._pending: dict[int, Pending] = {}
        self._newest = 0
        #: Answers that came for nobody: to calls given up before.
        self.orphans = 0

    def __len__(self) -> int:
        return len(self._pending)

    def begin(self, flags: int = 0, on_done: Callable[[Pending], None] | None = None) -> Pending:
        """Give out the next number; the caller sends calls in the order of their numbers."""
        self._newest += 1
        pending = Pending(self._newest, flags, on_done)
        if not flags & Flag.ONEWAY:
            self._pending[pending.number] = pending
        return pending

    def forget(self, pending: Pending) -> None:
        """Nobody waits for this call any longer."""
        self._pending.pop(pending.number, None)
        pending.abandon()

    def answered(self, envelope: Envelope, frames: list[Any]) -> None:
        """An answer has come."""
        pending = self._pending.pop(envelope.call, None)
        if pending is None:
            self.orphans += 1
            return
        pending.envelope = envelope
        pending.frames = frames
        pending._end()

    def unheard(self, number: int, error: NotSent) -> None:
        """Nobody knows this session any longer, so this call cannot have run."""
        pending = self._pending.pop(number, None)
        if pending is not None:
            pending.error = error
            pending._end()

    def lost(self, error: CommunicationError) -> None:
        """The connection is gone: every call that was out may have run."""
        pending, self._pending = self._pending, {}
        for each in pending.values():
            each.error = self._without_answer(each, error)
            each._end()

    def _without_answer(self, pending: Pending, error: CommunicationError) -> CommunicationError:
        """What a lost connection means for a call: reads changed nothing, the others may have."""
        garbled = isinstance(error, ProtocolError)
        if pending.flags & Flag.READ:
            return error if garbled else ConnectionClosedError(str(error))
        kind = GarbledAnswer if garbled else OutcomeUnknown
        text = f"{error}. The call {'' if garbled else 'was on its way and '}may have run"
        return self.identified(kind(text, call=pending.number), pending)

    def identified(self, error: OutcomeUnknown, pending: Pending) -> OutcomeUnknown:
        """`error`, with the call that it is about, and how to ask what became of that."""
        error.call_id = f"{self.session:016x}/{pending.number}"
        if not pending.flags & Flag.READ:
            error.args = (f'{error}; `proxy._pyroStatus("{error.call_id}")` asks what became of it',)
        return error
