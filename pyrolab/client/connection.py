"""A client's connection: a session at a broker, and the calls that are out in it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from pyrolab.client import keeper
from pyrolab.client.calls import ANSWERS, CallTable, Pending
from pyrolab.client.shared_link import SharedLink
from pyrolab.errors import (
    CallExpired,
    CallTimedOut,
    CommunicationError,
    ConnectionClosedError,
    NotSent,
    OutcomeUnknown,
    ProtocolError,
)
from pyrolab.link.clock import clock_s
from pyrolab.link.link import CONNECT_TIMEOUT_S, Link, refusal
from pyrolab.protocol.envelope import MAX_BUDGET_MS, NO_DEADLINE, Envelope, Flag, Kind, pack
from pyrolab.protocol.names import Location

#: How much longer than its deadline a caller waits for the broker's word on what became of its call.
GRACE_S = 0.5
#: How long a doubtful broker has for the answer to a ping.
_PONG_S = 1.0
_RELEASED = "the proxy was released while the call was out"
_NO_WORD = "the deadline passed, and neither the service nor the broker has answered; the call may have run"


class Unasked(Protocol):
    """Takes what a connection brings that answers nothing. Must not block: it is called by whoever reads."""

    def take(self, connection: Connection, envelope: Envelope, frames: list[Any]) -> None:
        """A question, an event, or the end of a service."""

    def tidy(self) -> None:
        """Some time has passed."""

    def session_ended(self, session: int) -> None:
        """The connection has ended."""


class Connection(SharedLink):
    """One session at a broker. It opens at once, and stays closed when it has been closed or lost.

    It asks in the same breath what `target` offers: an object id, or a name to look up; `wait` for
    `described`.
    """

    def __init__(self, location: Location, name: str, target: bytes, budget_s: float | None = None) -> None:
        self._calls = CallTable()
        #: What is waited for and is no call: a ping from its number on, 0 the end of the connection.
        self._aside: dict[Pending, None] = {}
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
        patience_s = CONNECT_TIMEOUT_S if budget_s is None else min(budget_s, CONNECT_TIMEOUT_S)
        super().__init__(Link(location, "client", name, patience_s, [request]))
        self._calls.session = self._link.session
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
    def broker(self) -> str:
        """What the broker calls itself, by whichever address it was reached."""
        return self._link.broker

    @property
    def closed(self) -> bool:
        """Whether this connection can be used no more."""
        return self._link.closed

    @property
    def pid(self) -> int:
        """The process that opened it; a forked child opens its own."""
        return self._link.pid

    def close(self) -> None:
        """Leave the broker; calls that are out end in an error, and what is reserved is free at once."""
        self._end(ConnectionClosedError(_RELEASED), polite=True)

    def break_off(self) -> None:
        """Leave without a word: what is reserved can be taken back through another connection for a while."""
        self._end(ConnectionClosedError(_RELEASED), polite=False)

    # -- calls ---------------------------------------------------------------------------------------

    def start(
        self,
        target: bytes,
        body: Sequence[Any] = (),
        *,
        kind: Kind = Kind.CALL,
        flags: int = 0,
        budget_s: float | None = None,
        token: int = 0,
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
                link.stamp(),
                _budget_ms(budget_s),
                0,
                token,
                target,
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
                raise self.timed_out(pending)
        return self.answer_of(pending)

    def answer_of(self, pending: Pending) -> tuple[Envelope, list[Any]]:
        """The answer to a call that is done. Raises what it was refused with, or `OutcomeUnknown`."""
        if pending.error is not None:
            raise pending.error
        assert pending.envelope is not None
        if pending.envelope.kind == Kind.REFUSED:
            error = refusal(pending.frames[0])
            if isinstance(error, OutcomeUnknown):
                self._calls.identified(error, pending)
            raise error
        return pending.envelope, pending.frames

    def timed_out(self, pending: Pending) -> OutcomeUnknown:
        """The error for a call of which nobody has said anything by its deadline."""
        return self._calls.identified(CallTimedOut(_NO_WORD, call=pending.number), pending)

    def listen(self) -> None:
        """Read, while nobody else does, for as long as the connection lasts."""
        self._wait_aside(Pending(0, Flag.READ, None), None)

    def reply(self, envelope: Envelope, kind: Kind, frames: Sequence[Any]) -> None:
        """Answer a question of a worker. Raises `NotSent`."""
        header = pack(
            kind,
            envelope.flags,
            len(frames) - 1,
            self.session,
            envelope.call,
            self._link.stamp(),
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

    # -- not into a dead link ------------------------------------------------------------------------

    def doubtful(self, now: float) -> bool:
        """Whether nothing has come for so long, by `clock_s`, that nobody knows if the session lives."""
        link = self._link
        return now - link.trusted > link.doubt_s

    def check_session(self, session: int) -> None:
        """Raise `NotSent` for something that was held for another session."""
        if session not in (0, self.session):
            raise NotSent("this object was held by the service for a connection that has ended; get it again")

    def assure(self, timeout_s: float | None = None) -> None:
        """See that the broker is there, of which nothing has been heard for long. As `refresh`."""
        self.drain()
        if self.doubtful(clock_s()):
            self.refresh(timeout_s)

    def refresh(self, timeout_s: float | None = None) -> None:
        """Ping, and wait for the answer, which also says how late it is at the broker.

        Raises `NotSent`, and ends the connection, if none comes; `CallExpired` if there is no time to wait.
        """
        patience_s = self._link.silence_s if self._calls else _PONG_S  # an array of another call may be late
        allowed_s = patience_s if timeout_s is None else min(timeout_s, patience_s)
        pong = Pending(self._link.next_ping, Flag.READ, None)
        self._wait_aside(pong, allowed_s, self._link.ping)
        if self.closed:
            raise NotSent(f"the connection to the broker at {self.location} was lost while it was idle")
        if pong.envelope is not None:
            return
        silence = f"the broker at {self.location} has not answered a ping for {allowed_s:g} s"
        if allowed_s < patience_s:
            raise CallExpired(f"{silence}, and then the deadline passed: the call was not sent")
        self._lost(ConnectionClosedError(silence))
        raise NotSent(f"{silence}; the next use connects again")

    def _wait_aside(
        self, pending: Pending, timeout_s: float | None, begin: Callable[[], object] = lambda: None
    ) -> None:
        """Begin something, and read until it is done, the connection has ended, or the time is over."""
        self._aside[pending] = None
        try:
            begin()
            if not self.closed:
                self.read_until(pending, timeout_s)
        except NotSent as error:
            self._lost(error)
        finally:
            self._aside.pop(pending, None)

    def _take_in(self, envelope: Envelope, frames: list[Any]) -> None:
        if envelope.kind in ANSWERS:
            if not envelope.session:
                self._check_known(envelope, frames)
            self._calls.answered(envelope, frames)
        elif envelope.kind == Kind.PONG:
            for each in tuple(self._aside):
                if 0 < each.number <= envelope.call:
                    each.envelope = envelope
                    each.abandon()
        elif envelope.kind == Kind.BYE:
            raise ConnectionClosedError(f"the broker at {self.location} has ended this session")
        elif self.inbox is not None:
            self.inbox.take(self, envelope, frames)

    def _check_known(self, envelope: Envelope, frames: list[Any]) -> None:
        """Raise `ConnectionClosedError` if the broker has forgotten this session: it ran nothing of it."""
        with contextlib.suppress(ProtocolError):
            if getattr(refusal(frames[0]), "hello", None) is not True:
                return
            ended = f"the broker at {self.location} has ended this session, or was restarted"
            self._calls.unheard(envelope.call, NotSent(f"{ended}; the call did not run"))
            raise ConnectionClosedError(ended)

    def _tidy(self) -> None:
        if self.inbox is not None:
            self.inbox.tidy()

    def _lost(self, error: CommunicationError) -> None:
        self._end(error, polite=False)

    def _end(self, error: CommunicationError, polite: bool) -> None:
        self._link.close(polite)
        self._calls.lost(error)
        for each in tuple(self._aside):
            each.abandon()
        if self.inbox is not None:
            self.inbox.session_ended(self.session)
        self._link.tell_watchers()


def _budget_ms(budget_s: float | None) -> int:
    if budget_s is None:
        return NO_DEADLINE
    return min(max(int(budget_s * 1000), 0), MAX_BUDGET_MS)


@contextlib.contextmanager
def nothing_sent() -> Iterator[None]:
    """Whatever connection is lost in here, the call that it is for has not been sent: raise `NotSent`."""
    try:
        yield
    except ConnectionClosedError as error:
        raise error if isinstance(error, NotSent) else NotSent(str(error)) from None
