"""The daemon's connection: it is opened again whenever it breaks, and always read by somebody.

The reader is, by preference, the thread of the service that is called most: a call then runs in the thread
that received it. Only while that thread is busy with a call for longer than a moment does the attendant, a
thread of the reception's own, read in its place: for cancels, heartbeats and the calls of other services.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgpack

from pyrolab.errors import CommunicationError, ConnectionClosedError, PoolFull, ProtocolError
from pyrolab.link.link import CONNECT_TIMEOUT_S, Link, clock_ms, refusal
from pyrolab.protocol import codec
from pyrolab.protocol.envelope import Envelope, Kind, pack
from pyrolab.protocol.names import Location
from pyrolab.worker.asking import Question, Questions
from pyrolab.worker.execution import Executor, Job
from pyrolab.worker.offers import Offers

log = logging.getLogger("pyrolab.worker")

#: How long the connection may be without a reader before the attendant takes over.
_MOMENT_S = 0.002
#: Quiet moments after which the attendant sleeps until the next call.
_QUIET_MOMENTS = 25
#: The first wait before connecting again, and the longest.
_RETRY_S, _RETRY_MAX_S = 0.1, 2.0
_OFFER_TIMEOUT_S = 5.0
_LONGEST_DOZE_S = 1.0
#: After so many calls in a row to one other service, its thread becomes the reader.
_PASS_ON_AFTER = 2


class Reception:
    """Receives the calls for all services of a daemon and sends the answers."""

    def __init__(self, location: Location, name: str = "") -> None:
        self.location = location
        self._name = name
        self._executors: dict[bytes, Executor] = {}
        #: What is known of the clients that call here, by session.
        self._abouts: dict[int, dict[str, Any]] = {}
        self.questions = Questions(self)
        self._running: dict[tuple[int, int], Job] = {}
        self._link: Link | None = None
        self._reading = threading.Lock()
        self._resign = False
        self._activity = 0
        self._awake = threading.Event()
        self._dozing = False
        self._ending = threading.Event()
        self._offers = Offers()
        self._standing_in = False
        self._in_a_row: tuple[Executor | None, int] = (None, 0)
        #: The service whose thread reads when it has nothing else to do; None: whichever comes first.
        self._preferred: Executor | None = None
        self._attendant = threading.Thread(target=self._attend, name="pyrolab-attendant", daemon=True)

    def open(self) -> None:
        """Connect, or keep trying in the background after saying so once."""
        try:
            self._connect()
        except PoolFull:
            raise
        except CommunicationError as error:
            log.warning("%s; this daemon goes on trying to connect", error)
        self._attendant.start()

    @property
    def connected(self) -> bool:
        """Whether there is a session with the broker now."""
        return self._link is not None

    @property
    def session(self) -> int:
        """The number of the session with the broker, 0 without one."""
        link = self._link
        return link.session if link is not None else 0

    def wake(self) -> None:
        """Make the reader look around."""
        link = self._link
        if link is not None:
            link.wake()

    # -- services ------------------------------------------------------------------------------------

    def add(self, executor: Executor) -> None:
        """Host a service; returns when the broker has taken the offer, or at once if there is no broker now.

        Raises what the broker refuses the offer with.
        """
        key = executor.hosted.object_id.encode()
        self._executors[key] = executor
        link = self._link
        if link is None:
            return
        try:
            offer = self._offers.make(link, executor.hosted)
        except ConnectionClosedError:
            return  # it is offered when the connection is back
        self._awake.set()
        if not offer.answered.wait(_OFFER_TIMEOUT_S):
            log.warning("the broker has not confirmed %s yet", executor.hosted.object_id)
        if offer.error is not None:
            del self._executors[key]
            raise offer.error

    def remove(self, executor: Executor) -> None:
        """Host a service no longer."""
        self._executors.pop(executor.hosted.object_id.encode(), None)
        if self._preferred is executor:
            self._preferred = None
        self.send([pack(Kind.WITHDRAW, target=executor.hosted.object_id.encode())])

    # -- reading -------------------------------------------------------------------------------------

    def read_for(self, executor: Executor) -> Job | Callable[[], object] | None:
        """Read the connection for everybody, until there is something for this executor.

        Returns None when somebody else reads, or had better read from now on.
        """
        preferred = self._preferred
        if (preferred is not None and preferred is not executor) or not self._become_reader():
            return None
        try:
            while not executor.ending and (link := self._link) is not None:
                if executor.jobs:
                    return executor.next_job()
                preferred = self._preferred
                if preferred is not None and preferred is not executor:
                    return None
                self._read(link, 1.0, executor)
            return None
        finally:
            self._reading.release()
            self._activity += 1
            if self._dozing:
                self._awake.set()

    def read_until(self, question: Question, timeout_s: float) -> None:
        """Read for everybody until a question of the service in this thread is answered, or a while has
        passed.
        """
        link = self._link
        if link is None or not self._reading.acquire(False):
            question.answered.wait(timeout_s)
            return
        try:
            self._read(link, timeout_s, until=question)
        finally:
            self._reading.release()
            self._activity += 1
            if self._dozing:
                self._awake.set()

    def _become_reader(self) -> bool:
        if self._link is None:
            return False
        if self._reading.acquire(False):
            return True
        if not self._standing_in:
            return False
        self._resign = True
        self.wake()
        return self._reading.acquire(timeout=_MOMENT_S)

    def _read(
        self, link: Link, timeout_s: float, reader: Executor | None = None, until: Question | None = None
    ) -> None:
        """Wait for messages and see to them, until there is one for the reader's own service or question."""
        try:
            link.wait(timeout_s)
            while (message := link.receive()) is not None:
                self._see_to(*message)
                if until is not None and until.answered.is_set():
                    return
                if reader is not None and reader.jobs and reader.takes_one:
                    return  # what is left is not forgotten: `wait` looks before it sleeps
        except CommunicationError as error:
            self._lost(link, error)

    def _see_to(self, envelope: Envelope, frames: list[Any]) -> None:
        match envelope.kind:
            case Kind.CALL:
                self._deliver(envelope, frames)
            case Kind.CANCEL:
                self._cancel(envelope)
            case Kind.BEGUN:
                self._abouts[envelope.session] = _read_about(frames[0])
            case Kind.ENDED:
                self._session_ended(envelope.session)
            case Kind.RESULT | Kind.RAISED | Kind.REFUSED:
                if not self.questions.answered(envelope, frames):
                    self._offer_answered(envelope, frames)
            case Kind.BYE:
                raise ConnectionClosedError(f"the broker at {self.location} has ended")
            case _:
                pass  # PONG: the link has noted that the broker lives

    def _deliver(self, envelope: Envelope, frames: list[Any]) -> None:
        executor = self._executors.get(envelope.target)
        if executor is None:
            name = envelope.target.decode("utf-8", "replace")
            body = {"code": "gone", "text": f"{name} is hosted here no longer; it did not run"}
            header = pack(Kind.REFUSED, session=envelope.session, call=envelope.call, stamp=clock_ms())
            self.send([header, msgpack.packb(body)])
            return
        session = envelope.session
        client = executor.clients.get(session) or executor.meet(session, self._abouts.get(session, {}))
        job = Job(envelope, frames, client)
        self._running[envelope.session, envelope.call] = job
        if executor is not self._preferred:
            self._note_demand(executor)
        executor.put(job)

    def _note_demand(self, executor: Executor) -> None:
        """Let the thread of a service that is called several times in a row read for itself."""
        other, times = self._in_a_row
        times = times + 1 if other is executor else 1
        self._in_a_row = (executor, times)
        if times >= _PASS_ON_AFTER:
            self._preferred = executor

    def _cancel(self, envelope: Envelope) -> None:
        executor = self._executors.get(envelope.target)
        taken = executor.take_back(envelope.session, envelope.call) if executor is not None else None
        running = self._running.get((envelope.session, envelope.call))
        if taken is not None:
            body = {"code": "cancelled", "text": "cancelled while it waited at the worker; it did not run"}
            header = pack(Kind.REFUSED, session=envelope.session, call=envelope.call, stamp=clock_ms())
            self.answer(taken, [header, msgpack.packb(body)])
        elif running is not None:
            running.call.cancel()

    def _session_ended(self, session: int) -> None:
        self._abouts.pop(session, None)
        self.questions.session_ended(session)
        for (owner, _), job in list(self._running.items()):
            if owner == session:
                job.call.cancel()
        for executor in list(self._executors.values()):
            if session in executor.clients:
                executor.session_ended(session)

    def _end_all_sessions(self) -> None:
        """The broker has forgotten all sessions, or they it: no client of this connection comes back."""
        self._abouts.clear()
        self.questions.lost()
        for executor in list(self._executors.values()):
            for session in list(executor.clients):
                executor.session_ended(session)

    def _offer_answered(self, envelope: Envelope, frames: list[Any]) -> None:
        link = self._link
        about_us = link is not None and envelope.session == link.session  # not about an answer of ours
        if not (about_us and self._offers.answered(envelope, frames)) and envelope.kind == Kind.REFUSED:
            log.warning("the broker refused a message: %s", refusal(frames[0]))

    # -- answering -----------------------------------------------------------------------------------

    def answer(self, job: Job, frames: list[Any]) -> None:
        """Send the answer to a call; if the connection broke meanwhile, nobody waits for it any longer."""
        self._running.pop((job.call.session, job.call.number), None)
        if not self.send(frames):
            log.warning("the answer to call %d was lost with the connection", job.call.number)

    def send(self, frames: Sequence[Any]) -> bool:
        """Send a message if there is a connection; whether there is."""
        link = self._link
        if link is None:
            return False
        try:
            link.send(frames)
        except ConnectionClosedError as error:
            self._lost(link, error)
            return False
        return True

    # -- the attendant -------------------------------------------------------------------------------

    def _attend(self) -> None:
        while not self._ending.is_set():
            if self._link is None:
                self._reconnect()
            elif not self._wait_while_read():
                self._stand_in()

    def _wait_while_read(self) -> bool:
        """Watch that somebody reads; returns False when nobody has for a moment."""
        quiet = 0
        while not self._ending.is_set() and self._link is not None:
            before = self._activity
            if quiet > _QUIET_MOMENTS and self._reading.locked():
                self._awake.clear()
                self._dozing = True
                if self._activity == before:
                    self._awake.wait(_LONGEST_DOZE_S)
                self._dozing = False
                quiet = 0
            time.sleep(_MOMENT_S)
            if self._activity != before:
                quiet = 0
            elif self._reading.locked():
                quiet += 1
            else:
                return False
        return True

    def _stand_in(self) -> None:
        """Read until a service's thread wants to."""
        if not self._reading.acquire(blocking=False):
            return
        self._standing_in = True
        try:
            while not self._resign and not self._ending.is_set() and (link := self._link) is not None:
                self._read(link, 1.0)
        finally:
            self._standing_in = self._resign = False
            self._reading.release()
            self._activity += 1

    def _connect(self) -> None:
        link = Link(self.location, "worker", self._name)
        try:
            for executor in list(self._executors.values()):
                self._offers.make(link, executor.hosted)
        except ConnectionClosedError:
            link.close(polite=False)
            raise
        self._link = link

    def _reconnect(self) -> None:
        pause = _RETRY_S
        while not self._ending.is_set():
            try:
                self._connect()
            except CommunicationError as error:
                log.debug("not connected yet: %s", error)
                self._ending.wait(pause * random.uniform(0.5, 1.0))  # noqa: S311 - spreads the load
                pause = min(pause * 2, _RETRY_MAX_S)
            else:
                log.info("connected to the broker at %s", self.location)
                for executor in list(self._executors.values()):
                    executor.rouse()
                return

    def _lost(self, link: Link, error: CommunicationError) -> None:
        """The connection broke: what runs goes on, and the attendant connects again."""
        if self._link is not link:
            return
        self._link = None
        link.close(polite=False)
        if not self._ending.is_set():
            log.warning("%s", error)
        self._end_all_sessions()
        self._offers.lost()
        self._awake.set()

    def close(self) -> None:
        """Leave the broker."""
        self._ending.set()
        self._awake.set()
        self._hang_up()
        if self._attendant.is_alive() and self._attendant is not threading.current_thread():
            self._attendant.join(CONNECT_TIMEOUT_S + 1)
        self._hang_up()  # the attendant may just have connected again

    def _hang_up(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.close()


def _read_about(body: Any) -> dict[str, Any]:
    """What the broker says of a client: plain words; nothing depends on them."""
    try:
        about = codec.decode(body, plain=True)
    except ProtocolError:
        return {}
    return about if type(about) is dict else {}
