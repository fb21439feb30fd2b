"""The thread of one service: every call to it runs here, one at a time, for its whole life.

Between calls the thread reads the daemon's connection itself if nobody else does, so that a call to an idle
service runs in the thread that received it. Only urgent calls run elsewhere, beside it.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from pyrolab.errors import SerializeError
from pyrolab.link.clock import clock_ms
from pyrolab.protocol import codec, codes
from pyrolab.protocol.envelope import Flag, Kind, pack
from pyrolab.protocol.exceptions import pack_exception
from pyrolab.worker import refusing
from pyrolab.worker.asking import Questions, RemoteCallable, read_reference
from pyrolab.worker.context import Client, CurrentCall, current_call, enter_call
from pyrolab.worker.hosting import Hosted
from pyrolab.worker.job import AHEAD_MS, STALE_MS, Job
from pyrolab.worker.making import Making
from pyrolab.worker.refusing import NotRun
from pyrolab.worker.shared_thread import SharedThread
from pyrolab.worker.turn import Turn
from pyrolab.worker.urgent import Beside, NoInstanceYet, UrgentTurn

if TYPE_CHECKING:
    from pyrolab.streams.hub import Hub

log = logging.getLogger("pyrolab.worker")

_NAP_S = 1.0


class Mailroom(Protocol):
    """Where jobs come from and answers go."""

    questions: Questions

    def send(self, frames: Sequence[Any]) -> bool:
        """Send something of the service's own; whether there is a connection."""
        ...

    def read_for(self, executor: Executor) -> Job | Callable[[], object] | None:
        """Read for everybody until there is something for `executor`; None if somebody else reads."""

    def answer(self, job: Job, kind: int, frames: list[Any], flags: int = Flag.NONE) -> None:
        """Send the answer to a call: its body and buffers."""

    def wake(self) -> None:
        """Make whoever reads look around."""

    def hub(self) -> Hub:
        """Where streams leave this process."""
        ...


class Executor:
    """Carries out the calls to one hosted object, in a thread of its own."""

    def __init__(self, hosted: Hosted, mailroom: Mailroom, shared: SharedThread | None = None) -> None:
        self.hosted = hosted
        #: The thread that it shares with other services, if it has none of its own.
        self.shared = shared
        #: Whether no second call comes before the first is answered.
        self.takes_one = hosted.behavior.credit == 1
        #: The highest token of a reservation that a call has come with.
        self.fence = 0
        self._latch = hosted.premises.latch
        self._mailroom = mailroom
        self._target = hosted.object_id.encode()
        #: Those who have called this service, by session.
        self.clients: dict[int, Client] = {}
        hosted.topics.outlet = self
        hosted.streams.hub, hosted.streams.in_service = mailroom.hub, self.in_service
        hosted.codec.register_extension(codes.CALLABLE, RemoteCallable, _refuse_to_pass_on, self._callable)
        #: What waits for this service.
        self.jobs: deque[Job | Callable[[], object]] = deque()
        self._running: Job | None = None
        self._beside = Beside(hosted.object_id, self._carry_out_beside)
        self._bell = threading.Semaphore(0)
        self._asleep = False
        self._ending: NotRun | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"pyrolab-{hosted.object_id}", daemon=True)
        self._making = Making(hosted, self.put) if hosted.behavior.at_start else None

    def start(self) -> None:
        """Begin to take calls."""
        if self._making is not None:
            self.put(self._making.attempt)
        if self.shared is None:
            self._thread.start()

    def put(self, job: Job | Callable[[], object]) -> None:
        """Have something done in this service's thread, after what waits already."""
        self.jobs.append(job)
        if self.shared is not None:
            self.shared.put(self._do_next)
        elif self._asleep:
            self.rouse()
        if self._ending is not None:
            self.refuse_waiting(self._ending)

    def put_urgent(self, job: Job) -> None:
        """Have a call carried out at once, beside what runs."""
        try:
            self._beside.begin(job)
        except NotRun as refused:
            self._refuse(job, refused)

    def rouse(self) -> None:
        """Wake the thread if it sleeps."""
        if self._asleep:
            self._bell.release()

    # -- what does not run ---------------------------------------------------------------------------

    def cancel_waiting(self, session: int, number: int) -> None:
        """Take out a call that has not started."""
        self._refuse_where(refusing.cancelled(), lambda job: job.key == (session, number))

    def refuse_waiting(self, why: NotRun) -> None:
        """Take out all calls that have not started."""
        self._refuse_where(why, lambda job: True)

    def refuse_control(self, why: NotRun) -> None:
        """Take out those that have not started and may change something."""
        self._refuse_where(why, lambda job: not job.envelope.flags & Flag.READ)

    def _refuse_where(self, why: NotRun, is_meant: Callable[[Job], bool]) -> None:
        for job in list(self.jobs):
            if isinstance(job, Job) and is_meant(job):
                try:
                    self.jobs.remove(job)
                except ValueError:
                    continue  # it has just started
                self._refuse(job, why)

    def _refuse(self, job: Job, why: NotRun) -> None:
        self._mailroom.answer(job, Kind.REFUSED, [why.body()])

    def cancel_running(self) -> None:
        """Have the call that runs end soon, if it can."""
        running = self._running
        if running is not None:
            running.call.cancel()

    # -- ending --------------------------------------------------------------------------------------

    def begin_end(self, why: NotRun) -> None:
        """Start no further call, and have the thread end, closing the instances, after the one that runs."""
        self._ending = why
        self.refuse_waiting(why)
        if self.shared is not None:
            self.shared.put(self._close)
        self.rouse()
        self._mailroom.wake()

    def has_ended(self, timeout_s: float) -> bool:
        """Whether the last call has ended by then; the service's own thread does not wait for itself."""
        if not self._is_here and (self.shared is not None or self._thread.ident is not None):
            self._ended.wait(max(timeout_s, 0.0))
        return self._ended.is_set() or (self.shared is None and self._thread.ident is None)

    @property
    def _is_here(self) -> bool:
        """Whether the caller is the thread of this service."""
        return self._thread is threading.current_thread() if self.shared is None else self.shared.is_current

    @property
    def ending(self) -> bool:
        """Whether this thread is to end."""
        return self._ending is not None

    # -- the thread ----------------------------------------------------------------------------------

    def next_job(self) -> Job | Callable[[], object] | None:
        """What waits for this service, if anything."""
        try:
            return self.jobs.popleft()
        except IndexError:
            return None

    def _work(self) -> None:
        try:
            while self._ending is None:
                job = self.next_job() or self._mailroom.read_for(self)
                if job is not None:
                    self._see_to(job)
                else:
                    self._sleep()
        finally:
            self._close()

    def _see_to(self, job: Job | Callable[[], object]) -> None:
        if isinstance(job, Job):
            self._carry_out(job)
            if self.hosted.topics.in_doubt and not self.jobs:
                self.hosted.topics.look_again()
        else:
            self._do(job)

    def _do_next(self) -> None:
        """In a shared thread: what waits longest for this service, unless it was taken out."""
        job = self.next_job() if self._ending is None else None
        if job is not None:
            self._see_to(job)

    def _close(self) -> None:
        try:
            if self._making is not None:
                self._making.end()
            self.hosted.close()
        finally:
            self._ended.set()
            if self.shared is not None:
                self.shared.leave()

    def _do(self, act: Callable[[], object]) -> None:
        """Something that is no call: nobody waits for it, and the calls after it must go on."""
        try:
            act()
        except Exception:
            log.exception("something went wrong in %s between two calls", self.hosted.object_id)

    def _sleep(self) -> None:
        """Sleep until somebody rouses this thread; now and then, see whether it should read."""
        self._asleep = True
        if not self.jobs and self._ending is None:
            self._bell.acquire(timeout=_NAP_S)
        self._asleep = False

    def _carry_out(self, job: Job) -> None:
        self._running = job  # before the latch is looked at: a stop either keeps it from starting or sees it
        kind, flags, frames = self._outcome(job, Turn)
        self._running = None
        self._mailroom.answer(job, kind, frames, flags)

    def _carry_out_beside(self, job: Job) -> Callable[[], object]:
        """Run an urgent call; returns what is to be done when its place is free again."""
        try:
            kind, flags, frames = self._outcome(job, UrgentTurn)
        except NoInstanceYet:
            return partial(self.put, job)
        self.look_again_soon()
        return partial(self._mailroom.answer, job, kind, frames, flags)

    def look_again_soon(self) -> None:
        """Something beside this thread may have changed what is watched."""
        if self.hosted.topics.in_doubt:
            self.put(self.hosted.topics.look_again)

    def _outcome(self, job: Job, turn: type[Turn]) -> tuple[Kind, int, list[Any]]:
        """The answer's kind, further flags, and its body and buffers."""
        try:
            self._check(job)
            enter_call(job.call)
            frames = job.frames
            flags, body, buffers = turn(self.hosted, job.call, job.envelope.flags).answer(
                frames[0], frames[1:]
            )
        except NotRun as refused:
            return Kind.REFUSED, Flag.NONE, [refused.body()]
        except NoInstanceYet:
            raise
        except BaseException as error:  # noqa: BLE001 - SystemExit of a service is its caller's to see, not our end
            return Kind.RAISED, Flag.NONE, _packed(error)
        return Kind.RESULT, flags, [body, *buffers]

    def _check(self, job: Job) -> None:
        """Raise `NotRun` for a call that must not start any more."""
        envelope = job.envelope
        age_ms = clock_ms() - envelope.stamp
        if not -AHEAD_MS <= age_ms <= STALE_MS:
            raise refusing.stale(age_ms)
        deadline = job.call.deadline
        if deadline is not None and deadline <= time.monotonic():
            raise refusing.expired()
        if envelope.flags & Flag.READ:
            return
        stop = self._latch.stop
        if stop is not None:
            raise refusing.stopped(stop)
        if envelope.token < self.fence:
            raise refusing.fenced()

    # -- clients -------------------------------------------------------------------------------------

    def meet(self, session: int, about: dict[str, Any]) -> Client:
        """Note who a client is that calls for the first time."""
        user, host, pid, software = (str(about.get(name, "")) for name in ("user", "host", "pid", "software"))
        client = Client(session, user, host, int(pid) if pid.isdecimal() else 0, software)
        return self.clients.setdefault(session, client)

    def session_ended(self, session: int) -> None:
        """A client has gone: end what there is of it, after the call that is running."""
        client = self.clients.pop(session, None)
        if client is not None:
            self.put(lambda: self.hosted.session_ended(client))

    def _callable(self, data: Any) -> RemoteCallable:
        """The function of the calling client to which it refers."""
        number, name = read_reference(data)
        session, questions, target = current_call().session, self._mailroom.questions, self._target

        def ask(question: list[Any]) -> Any:
            return questions.ask(target, session, [number, *question], self._call_of(session))

        return RemoteCallable(name, ask, lambda: self._let_go(session, number))

    def _call_of(self, session: int) -> CurrentCall | None:
        """The call that this thread carries out for the client, if it does."""
        if not self._is_here:
            return None
        call = current_call()
        return call if call.session == session else None

    def _let_go(self, session: int, number: int) -> None:
        """Called by a finalizer, so it must take no lock: the service's thread does it in its turn."""
        if session in self.clients and self._ending is None:
            self.jobs.append(lambda: self._mailroom.questions.let_go(self._target, session, number))
            if self.shared is not None:
                self.shared.put(self._do_next)

    # -- what the service tells ----------------------------------------------------------------------

    def join(self, session: int, topic: int) -> None:
        """See `Outlet`."""
        self._mailroom.send([pack(Kind.JOIN, session=session, number=topic, target=self._target)])

    def part(self, session: int, topic: int) -> None:
        """See `Outlet`."""
        self._mailroom.send([pack(Kind.PART, session=session, number=topic, target=self._target)])

    def publish(self, topic: int, frames: Sequence[Any]) -> None:
        """See `Outlet`."""
        header = pack(Kind.EVENT, buffers=len(frames) - 1, number=topic, target=self._target)
        self._mailroom.send([header, *frames])

    def in_service(self, act: Callable[[], object]) -> None:
        """See `Outlet`."""
        self.put(act)


_HERE = os.path.dirname(__file__)


def _of_the_service(trace: TracebackType | None) -> TracebackType | None:
    """A traceback without its outermost lines, which are of this package, and help nobody at the bench."""
    inner = trace
    while inner is not None and inner.tb_frame.f_code.co_filename.startswith(_HERE):
        inner = inner.tb_next
    return inner or trace


def _refuse_to_pass_on(value: RemoteCallable) -> Any:
    raise SerializeError("a client's function can be called here, but not passed on; pass its result instead")


def _packed(error: BaseException) -> list[Any]:
    error.__traceback__ = _of_the_service(error.__traceback__)
    body, buffers = codec.encode(pack_exception(error))
    return [body, *buffers]
