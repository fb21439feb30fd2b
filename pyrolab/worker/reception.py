"""What a daemon gets from its broker and what it sends there: calls in, answers out, and whose they are."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from pyrolab.errors import ConnectionClosedError, ProtocolError
from pyrolab.link.clock import clock_ms
from pyrolab.link.link import Link, refusal
from pyrolab.protocol import codec
from pyrolab.protocol.envelope import Envelope, Flag, Kind, pack
from pyrolab.protocol.names import Location
from pyrolab.worker import refusing
from pyrolab.worker.asking import Question, Questions
from pyrolab.worker.connection import Connection
from pyrolab.worker.emergency import Emergency
from pyrolab.worker.execution import Executor
from pyrolab.worker.hosting import Hosted
from pyrolab.worker.job import Job
from pyrolab.worker.line import Line, Post
from pyrolab.worker.offers import Offers
from pyrolab.worker.premises import Premises

if TYPE_CHECKING:
    from pyrolab.streams.hub import Hub

log = logging.getLogger("pyrolab.worker")

_OFFER_TIMEOUT_S = 5.0
#: How long the end waits for the broker to have read the last answers.
_FLUSH_S = 2.0
_KEY_BYTES = 16


class Reception:
    """Receives the calls for all services of a daemon and sends the answers."""

    def __init__(self, location: Location, name: str = "", premises: Premises | None = None) -> None:
        self.location = location
        self._name = name
        self._premises = premises or Premises()
        self._journal = self._premises.journal
        #: Tells the broker that a new connection is of the same daemon as an earlier one.
        self._key = secrets.token_bytes(_KEY_BYTES)
        self._executors: dict[bytes, Executor] = {}
        #: With those that are hosted no longer, but not yet at their ends.
        self._living: dict[int, Executor] = {}
        self._leaving = False
        #: What is known of the clients that call here, by session.
        self._abouts: dict[int, dict[str, Any]] = {}
        #: The same, as said on the line, which may be quicker, or the only one that they use.
        self._line_abouts: dict[int, dict[str, Any]] = {}
        self._hub: Hub | None = None
        self._making_hub = threading.Lock()
        self.questions = Questions(self)
        self._offers = Offers(self._offer_again)
        self._line = Line(location, name, self._key, self._see_to_line, self._line_lost)
        self.emergency = Emergency(self._premises, lambda: list(self._living.values()), self._report)
        self._connection = Connection(self._connect, self._see_to, self._opened, self._lost)

    # -- the connection ------------------------------------------------------------------------------

    def open(self) -> None:
        """Connect, or keep trying in the background after saying so once."""
        self._connection.open()

    @property
    def connected(self) -> bool:
        """Whether there is a session with the broker now."""
        return self._connection.link is not None

    @property
    def session(self) -> int:
        """The number of the session with the broker, 0 without one."""
        link = self._connection.link
        return link.session if link is not None else 0

    @property
    def has_line(self) -> bool:
        """Whether an emergency stop would be heard at once."""
        return self._line.is_open

    def _connect(self) -> Link:
        link = Link(self.location, "worker", self._name, about={"key": self._key})
        try:
            for executor in list(self._executors.values()):
                self._offers.make(link, executor.hosted)
        except ConnectionClosedError:
            link.close(polite=False)
            raise
        return link

    def _opened(self, link: Link) -> None:
        self._line.follow(link.session)
        for executor in list(self._executors.values()):
            executor.rouse()

    def _lost(self) -> None:
        self._line.follow(0)
        self._end_all_sessions()
        self._offers.lost()

    def close(self) -> None:
        """Leave the broker, after it has got the last answers."""
        self._leaving = True
        self._offers.close()
        self._connection.flush(_FLUSH_S)
        self._line.close()
        self._connection.close()
        if self._hub is not None:
            self._hub.close()

    def hub(self) -> Hub:
        """Where streams leave this process; made when somebody subscribes for the first time."""
        with self._making_hub:
            if self._hub is None:
                from pyrolab.streams.hub import Hub

                about = {"key": self._key}
                self._hub = Hub(self.location, self._name, lambda: {**about, "worker": self.session})
            return self._hub

    def wake(self) -> None:
        """Make the reader look around."""
        self._connection.wake()

    def send(self, frames: Sequence[Any]) -> bool:
        """Send a message if there is a connection; whether there is."""
        return self._connection.send(frames)

    def read_for(self, executor: Executor) -> Job | Callable[[], object] | None:
        """See `Connection`."""
        return self._connection.read_for(executor)

    def read_until(self, question: Question, timeout_s: float) -> None:
        """See `Connection`."""
        self._connection.read_until(question, timeout_s)

    # -- services ------------------------------------------------------------------------------------

    def add(self, executor: Executor) -> None:
        """Host a service; returns when the broker has taken the offer, or at once if there is no broker now.

        Raises what the broker refuses the offer with.
        """
        key = executor.hosted.object_id.encode()
        self._executors[key] = executor
        self._living[id(executor)] = executor
        link = self._connection.link
        if link is None:
            return
        try:
            offer = self._offers.make(link, executor.hosted, awaited=True)
        except ConnectionClosedError:
            return  # it is offered when the connection is back
        self._connection.rouse()
        if not offer.answered.wait(_OFFER_TIMEOUT_S):
            log.warning("the broker has not confirmed %s yet", executor.hosted.object_id)
            offer.awaited = False
        if offer.error is not None:
            del self._executors[key]
            self.forget(executor)
            raise offer.error

    def _offer_again(self, hosted: Hosted) -> None:
        link, executor = self._connection.link, self._executors.get(hosted.object_id.encode())
        if link is not None and executor is not None and executor.hosted is hosted:
            try:
                self._offers.make(link, hosted)
            except ConnectionClosedError:
                pass  # it is offered when the connection is back

    def withdraw(self, executors: Iterable[Executor]) -> None:
        """Host services no longer: nothing new comes for them, what runs can still be answered."""
        for executor in executors:
            key = executor.hosted.object_id.encode()
            self._executors.pop(key, None)
            self._connection.forget(executor)
            self.send([pack(Kind.WITHDRAW, target=key)])

    def leave(self) -> None:
        """Say from now on that the daemon is ending."""
        self._leaving = True

    def forget(self, executor: Executor) -> None:
        """A service has ended, or is not waited for any longer."""
        self._living.pop(id(executor), None)

    # -- what comes ----------------------------------------------------------------------------------

    def _see_to(self, envelope: Envelope, frames: list[Any]) -> None:
        match envelope.kind:
            case Kind.CALL:
                self._deliver(envelope, frames, self._connection.send)
            case Kind.CANCEL:
                self._cancel(envelope)
            case Kind.BEGUN:
                self._abouts[envelope.session] = _read_map(frames[0])
            case Kind.ENDED:
                self._session_ended(envelope.session)
            case Kind.RESULT | Kind.RAISED | Kind.REFUSED:
                if not self.questions.answered(envelope, frames):
                    self._offer_answered(envelope, frames)
            case Kind.PONG:
                self._connection.heard_back(envelope.call)
            case Kind.STOP:  # there is no line just now
                self.emergency.stop(envelope.number, _read_map(frames[0]))
            case Kind.RESET:  # here too, so that the calls which follow it find it done
                self.emergency.reset(envelope.number)
            case Kind.BYE:
                raise ConnectionClosedError(f"the broker at {self.location} has ended")
            case _:
                pass  # of a later version

    def _see_to_line(self, envelope: Envelope, frames: list[Any], post: Post) -> None:
        match envelope.kind:
            case Kind.STOP:
                self.emergency.stop(envelope.number, _read_map(frames[0]))
            case Kind.RESET:
                self.emergency.reset(envelope.number)
            case Kind.CALL:
                self._deliver(envelope, frames, post)
            case Kind.CANCEL:
                _aside(self._cancel, envelope)
            case Kind.BEGUN:
                self._line_abouts[envelope.session] = _read_map(frames[0])
            case Kind.ENDED:
                _aside(self._line_session_ended, envelope.session)
            case Kind.REFUSED:
                log.warning("the broker refused a message of the line: %s", refusal(frames[0]))
            case _:
                pass  # PONG: the link has noted that the broker lives

    def _deliver(self, envelope: Envelope, frames: list[Any], post: Post) -> None:
        executor = self._executors.get(envelope.target)
        if executor is None:
            name = envelope.target.decode("utf-8", "replace")
            post(refusing.refusal_of(envelope, refusing.gone(name, self._leaving)))
            return
        session = envelope.session
        client = executor.clients.get(session) or executor.meet(session, self._about(session))
        job = Job(envelope, frames, client, post)
        if not self._journal.begin(job):
            post(refusing.refusal_of(envelope, refusing.repeated()))
            return
        if envelope.token > executor.fence:
            executor.fence = executor.hosted.fence = envelope.token
        if envelope.flags & Flag.URGENT:
            executor.put_urgent(job)
            return
        if executor.shared is None and executor is not self._connection.preferred:
            self._connection.note_demand(executor)
        executor.put(job)

    def _about(self, session: int) -> dict[str, Any]:
        return self._abouts.get(session) or self._line_abouts.get(session, {})

    def _cancel(self, envelope: Envelope) -> None:
        key = envelope.session, envelope.call
        executor = self._executors.get(envelope.target)
        if executor is not None:
            executor.cancel_waiting(*key)
        running = self._journal.running.get(key)
        if running is not None:
            running.call.cancel()

    def _session_ended(self, session: int) -> None:
        self._abouts.pop(session, None)
        self._line_abouts.pop(session, None)
        self.questions.session_ended(session)
        for (owner, _), job in list(self._journal.running.items()):
            if owner == session:
                job.call.cancel()
        for executor in list(self._executors.values()):
            if session in executor.clients:
                executor.session_ended(session)

    def _line_session_ended(self, session: int) -> None:
        """A client has gone; if it has made other than urgent calls, the first connection says so, too."""
        if self._line_abouts.pop(session, None) is not None and session not in self._abouts:
            self._session_ended(session)

    def _line_lost(self) -> None:
        """Whoever goes now goes unnoticed, if they made urgent calls only."""
        for session in list(self._line_abouts):
            _aside(self._line_session_ended, session)

    def _report(self, number: int, target: bytes, body: bytes) -> None:
        """Tell the broker what became of an object in an emergency stop."""
        if not self._line.report(number, target, body):
            header = pack(Kind.STOPPED, session=self.session, stamp=clock_ms(), number=number, target=target)
            self.send([header, body])

    def _end_all_sessions(self) -> None:
        """The broker has forgotten all sessions, or they it: no client of this connection comes back."""
        self._abouts.clear()
        self._line_abouts.clear()
        self.questions.lost()
        for executor in list(self._executors.values()):
            for session in list(executor.clients):
                executor.session_ended(session)

    def _offer_answered(self, envelope: Envelope, frames: list[Any]) -> None:
        link = self._connection.link
        about_us = link is not None and envelope.session == link.session  # not about an answer of ours
        if not (about_us and self._offers.answered(envelope, frames)) and envelope.kind == Kind.REFUSED:
            log.warning("the broker refused a message: %s", refusal(frames[0]))

    # -- answering -----------------------------------------------------------------------------------

    def answer(self, job: Job, kind: int, frames: list[Any], flags: int = Flag.NONE) -> None:
        """Send the answer to a call; if the connection broke meanwhile, nobody waits for it any longer."""
        self._journal.end(job, kind)
        if not job.post(refusing.answer_to(job.envelope, kind, frames, flags)):
            log.warning("the answer to call %d was lost with the connection", job.call.number)


def _aside(act: Callable[..., object], *args: Any) -> None:
    """Do what runs cancel hooks, which may take their time: a stop must not be behind them."""
    threading.Thread(target=act, args=args, name="pyrolab-aside", daemon=True).start()


def _read_map(body: Any) -> dict[str, Any]:
    """What the broker says of a client, or of a stop: plain words; no more depends on them."""
    try:
        about = codec.decode(body, plain=True)
    except ProtocolError:
        return {}
    return about if type(about) is dict else {}
