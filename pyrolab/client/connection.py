"""A client's connection: any number of threads call through it at once, and none of them is its reader.

Whoever waits for an answer reads for all (the leader); the others sleep until their answer is there or until
the leader goes and one of them takes its place. So a single thread never pays for a hand-over.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from pyrolab.client import keeper
from pyrolab.client.calls import ANSWERS, CallTable, Pending
from pyrolab.errors import CallTimedOut, CommunicationError, ConnectionClosedError, NotSent
from pyrolab.link.link import Link, refusal
from pyrolab.protocol.envelope import MAX_BUDGET_MS, NO_DEADLINE, Envelope, Flag, Kind, pack
from pyrolab.protocol.names import Location

#: How much longer than its deadline a caller waits for the broker's word on what became of its call.
GRACE_S = 0.5
_FOREVER_S = 3600.0
NO_WORD = "the deadline passed, and neither the service nor the broker has answered; the call may have run"


class Unasked(Protocol):
    """Takes what a connection brings that answers nothing. Must not block: it is called by whoever reads."""

    def take(self, connection: Connection, envelope: Envelope, frames: list[Any]) -> None:
        """A question, an event, or the end of a service."""

    def tidy(self) -> None:
        """Some time has passed."""

    def session_ended(self, session: int) -> None:
        """The connection has ended."""


class Connection:
    """One session at a broker. It opens at once, and stays closed when it has been closed or lost.

    It asks in the same breath what `target` offers: an object id, or a name to look up; `wait` for
    `described`.
    """

    def __init__(self, location: Location, name: str, target: bytes, budget_s: float | None = None) -> None:
        self._calls = CallTable()
        self._reading = threading.RLock()  # again and again: a callback of the reader's may call, too
        self._is_read = False
        self._followers: dict[_Gate, None] = {}
        #: Who gets what comes unasked.
        self.inbox: Unasked | None = None
        #: The answer to what the target offers.
        self.described = self._calls.begin(Flag.READ)
        request = pack(
            Kind.DESCRIBE,
            Flag.READ,
            call=self.described.number,
            budget_ms=_budget_ms(budget_s),
            target=target,
        )
        self._link = Link(location, "client", name, request=[request])
        keeper.keep(self)

    @property
    def location(self) -> Location:
        """The broker's address, as it was reached."""
        return self._link.location

    @property
    def session(self) -> int:
        """The number that the broker gave this session."""
        return self._link.session

    @property
    def closed(self) -> bool:
        """Whether this connection can be used no more."""
        return self._link.closed

    @property
    def pid(self) -> int:
        """The process that opened it; a forked child opens its own."""
        return self._link.pid

    def close(self) -> None:
        """Leave the broker; calls that are out end in an error."""
        self._end(ConnectionClosedError("the proxy was released while the call was out"), polite=True)

    # -- calls ---------------------------------------------------------------------------------------

    def start(
        self,
        target: bytes,
        body: Sequence[Any] = (),
        *,
        kind: Kind = Kind.CALL,
        flags: int = 0,
        budget_s: float | None = None,
        on_done: Callable[[Pending], None] | None = None,
    ) -> Pending:
        """Send a request; `wait` for its answer, or be told by `on_done`, in whichever thread reads it.

        Raises `NotSent` if nothing was sent.
        """
        link = self._link
        with link.lock:  # numbers go out in order
            pending = self._calls.begin(flags, on_done)
            header = pack(
                kind,
                flags,
                max(len(body) - 1, 0),
                link.session,
                pending.number,
                link.stamp,
                _budget_ms(budget_s),
                target=target,
            )
            try:
                link.send_locked([header, *body])
            except NotSent as error:
                self._calls.forget(pending)
                unsent = error
            else:
                return pending
        self._lost(unsent)
        raise unsent

    def wait(self, pending: Pending, timeout_s: float | None = None) -> tuple[Envelope, list[Any]]:
        """The answer: its envelope and frames.

        Raises what the broker or worker refused it with, `CallTimedOut` if neither has said anything by the
        deadline, or `OutcomeUnknown` if the connection was lost.
        """
        if not pending.done:
            deadline = None if timeout_s is None else time.monotonic() + timeout_s + GRACE_S
            try:
                self._wait_for(pending, deadline)
            except BaseException:
                self.cancel(pending)
                raise
            if not pending.done:
                self.cancel(pending)
                raise CallTimedOut(NO_WORD, call=pending.number)
        return self.answer_of(pending)

    @staticmethod
    def answer_of(pending: Pending) -> tuple[Envelope, list[Any]]:
        """The answer to a call that is done. Raises what it was refused with, or `OutcomeUnknown`."""
        if pending.error is not None:
            raise pending.error
        assert pending.envelope is not None
        if pending.envelope.kind == Kind.REFUSED:
            raise refusal(pending.frames[0])
        return pending.envelope, pending.frames

    def read_until(self, pending: Pending, timeout_s: float | None = None) -> None:
        """Read, or wait while another thread reads, until this call is done or the time is over."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        self._wait_for(pending, deadline, greedy=True)

    def copy_descriptor(self) -> int:
        """What becomes readable when something may have arrived, to be closed by whoever asks for it."""
        return self._link.copy_descriptor()

    def watch(self, look: Callable[[], object]) -> None:
        """Have `look()` called, in any thread, whenever the descriptor alone does not tell to `drain`.

        That is after each sending, when another thread stops reading, and at the end. It must not block.
        """
        self._link.watchers.append(look)

    def unwatch(self, look: Callable[[], object]) -> None:
        """Call it no more."""
        with contextlib.suppress(ValueError):
            self._link.watchers.remove(look)

    def drain(self) -> None:
        """Take in what has arrived, without ever waiting; another thread that is at it does it for us."""
        if not self._reading.acquire(blocking=False):
            return
        outermost, self._is_read = not self._is_read, True
        try:
            while (message := self._link.receive()) is not None:
                self._take_in(*message)
        except CommunicationError as error:
            self._lost(error)
        finally:
            self._is_read = not outermost
            self._reading.release()
            self._promote()

    def listen(self) -> None:
        """Read, while nobody else does, for as long as the connection lasts."""
        with self._link.lock:
            never = self._calls.begin()
        self.read_until(never)

    def reply(self, envelope: Envelope, kind: Kind, frames: Sequence[Any]) -> None:
        """Answer a question of a worker. Raises `NotSent`."""
        header = pack(
            kind,
            envelope.flags,
            len(frames) - 1,
            self.session,
            envelope.call,
            self._link.stamp,
            target=envelope.target,
        )
        self._link.send([header, *frames])

    def cancel(self, pending: Pending) -> None:
        """Give a call up: if it still waits, it never runs; if it runs, its service is told."""
        self._calls.forget(pending)
        try:
            self._link.send([pack(Kind.CANCEL, session=self._link.session, call=pending.number)])
        except CommunicationError:
            pass  # without a connection the broker ends it anyway

    # -- leader and followers ------------------------------------------------------------------------

    def _wait_for(self, pending: Pending, deadline: float | None, greedy: bool = False) -> None:
        """Return when the call is done, or when its deadline has passed.

        A greedy reader takes in everything that has arrived, for calls that come in bursts; the other one
        does not look again once its own answer is there.
        """
        try:
            while not pending.done:
                if self._reading.acquire(False):
                    outermost, self._is_read = not self._is_read, True
                    try:
                        self._lead(pending, deadline, greedy)
                    finally:
                        self._is_read = not outermost
                        self._reading.release()
                else:
                    self._follow(pending, deadline)
                if deadline is not None and time.monotonic() >= deadline:
                    return
        finally:
            if self._followers:
                self._promote()
            if self._link.watchers:
                self._link.tell_watchers()

    def _lead(self, pending: Pending, deadline: float | None, greedy: bool) -> None:
        """Read for everybody until our own answer is there."""
        link = self._link
        try:
            while not pending.done:
                remaining = _FOREVER_S if deadline is None else deadline - time.monotonic()
                if remaining <= 0:
                    return
                link.wait(remaining)
                while (greedy or not pending.done) and (message := link.receive()) is not None:
                    self._take_in(*message)  # what is left is not forgotten: `wait` looks before it sleeps
        except CommunicationError as error:
            self._lost(error)

    def _follow(self, pending: Pending, deadline: float | None) -> None:
        """Sleep until our answer is there, or the place of the leader is free."""
        gate = _Gate()
        self._followers[gate] = None
        pending.gates.append(gate.open)
        try:
            if pending.done or not self._is_read:
                return  # the answer came, or the leader went, before we were on the list
            gate.pass_through(_FOREVER_S if deadline is None else max(deadline - time.monotonic(), 0))
        finally:
            self._followers.pop(gate, None)

    def _promote(self) -> None:
        """Wake one follower if nobody reads. Everybody who stops waiting does this, so one always reads."""
        while self._followers and not self._is_read:
            try:
                gate = next(iter(self._followers))
            except (StopIteration, RuntimeError):
                continue  # the list changed under us: look again
            if self._followers.pop(gate, gate) is None:
                gate.open()
                return

    def _take_in(self, envelope: Envelope, frames: list[Any]) -> None:
        if envelope.kind in ANSWERS:
            self._calls.answered(envelope, frames)
        elif envelope.kind == Kind.BYE:
            raise ConnectionClosedError(f"the broker at {self.location} has ended")
        elif self.inbox is not None:
            self.inbox.take(self, envelope, frames)

    def _lost(self, error: CommunicationError) -> None:
        self._end(error, polite=False)

    def _end(self, error: CommunicationError, polite: bool) -> None:
        self._link.close(polite)
        self._calls.lost(error)
        if self.inbox is not None:
            self.inbox.session_ended(self.session)
        self._link.tell_watchers()

    def tend(self) -> None:
        """Look after a connection that nobody reads just now; `keeper` calls it."""
        if not self._reading.acquire(blocking=False):
            return  # the leader does
        self._is_read = True
        try:
            while (message := self._link.receive()) is not None:
                self._take_in(*message)
            self._link.tend()
            if self.inbox is not None:
                self.inbox.tidy()
        except CommunicationError as error:
            self._lost(error)
        finally:
            self._is_read = False
            self._reading.release()
            self._promote()


class _Gate:
    """Closed until somebody opens it; opening it twice is the same as once."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def open(self) -> None:
        try:
            self._lock.release()
        except RuntimeError:
            pass  # somebody else opened it at the same moment

    def pass_through(self, timeout_s: float) -> None:
        self._lock.acquire(timeout=timeout_s)


def _budget_ms(budget_s: float | None) -> int:
    if budget_s is None:
        return NO_DEADLINE
    return min(max(int(budget_s * 1000), 0), MAX_BUDGET_MS)
