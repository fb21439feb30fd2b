"""The thread of one service: every call to it runs here, one at a time, for its whole life.

Between calls the thread reads the daemon's connection itself if nobody else does, so that a call to an idle
service runs in the thread that received it.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Protocol

import msgpack

from pyrolab.errors import SerializeError
from pyrolab.link.link import clock_ms
from pyrolab.protocol import codec, codes
from pyrolab.protocol.envelope import NO_DEADLINE, Envelope, Flag, Kind, pack
from pyrolab.protocol.exceptions import pack_exception
from pyrolab.worker.asking import Questions, RemoteCallable, read_reference
from pyrolab.worker.context import Client, CurrentCall, current_call, enter_call
from pyrolab.worker.hosting import Hosted

log = logging.getLogger("pyrolab.worker")

#: A call whose echo of our clock is older than this lay in a buffer while a connection was interrupted.
STALE_MS = 5000
_NAP_S = 1.0


class Job:
    """A call that has arrived."""

    __slots__ = ("call", "envelope", "frames")

    def __init__(self, envelope: Envelope, frames: list[Any], client: Client) -> None:
        deadline = None
        if envelope.budget_ms != NO_DEADLINE:
            deadline = time.monotonic() + envelope.budget_ms / 1000
        self.envelope = envelope
        self.frames = frames
        self.call = CurrentCall(envelope.session, envelope.call, deadline, client)


class Mailroom(Protocol):
    """Where jobs come from and answers go."""

    questions: Questions

    def send(self, frames: Sequence[Any]) -> bool:
        """Send something of the service's own; whether there is a connection."""
        ...

    def read_for(self, executor: Executor) -> Job | Callable[[], object] | None:
        """Read for everybody until there is something for `executor`; None if somebody else reads."""

    def answer(self, job: Job, frames: list[Any]) -> None:
        """Send the answer to a call."""

    def wake(self) -> None:
        """Make whoever reads look around."""


class Executor:
    """Carries out the calls to one hosted object, in a thread of its own."""

    def __init__(self, hosted: Hosted, mailroom: Mailroom) -> None:
        self.hosted = hosted
        #: Whether no second call comes before the first is answered.
        self.takes_one = hosted.behavior.credit == 1
        self._mailroom = mailroom
        self._target = hosted.object_id.encode()
        #: Those who have called this service, by session.
        self.clients: dict[int, Client] = {}
        hosted.topics.outlet = self
        hosted.codec.register_extension(codes.CALLABLE, RemoteCallable, _refuse_to_pass_on, self._callable)
        #: What waits for this service.
        self.jobs: deque[Job | Callable[[], object]] = deque()
        self._bell = threading.Semaphore(0)
        self._asleep = False
        self._ending = False
        self._thread = threading.Thread(target=self._work, name=f"pyrolab-{hosted.object_id}", daemon=True)

    def start(self) -> None:
        """Begin to take calls."""
        self._thread.start()

    def put(self, job: Job | Callable[[], object]) -> None:
        """Have something done in this service's thread, after what waits already."""
        self.jobs.append(job)
        if self._asleep:
            self.rouse()

    def rouse(self) -> None:
        """Wake the thread if it sleeps."""
        if self._asleep:
            self._bell.release()

    def take_back(self, session: int, number: int) -> Job | None:
        """Take out a call that has not started."""
        for job in list(self.jobs):
            if isinstance(job, Job) and (job.call.session, job.call.number) == (session, number):
                try:
                    self.jobs.remove(job)
                except ValueError:
                    return None  # it has just started
                return job
        return None

    def end(self, timeout_s: float) -> bool:
        """Finish the running call, close the instances, and end. Returns whether that was done in time."""
        self._ending = True
        self.rouse()
        self._mailroom.wake()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def next_job(self) -> Job | Callable[[], object] | None:
        """What waits for this service, if anything."""
        try:
            return self.jobs.popleft()
        except IndexError:
            return None

    @property
    def ending(self) -> bool:
        """Whether this thread is to end."""
        return self._ending

    def _work(self) -> None:
        try:
            while not self._ending:
                job = self.next_job() or self._mailroom.read_for(self)
                if isinstance(job, Job):
                    self._carry_out(job)
                    if self.hosted.topics.in_doubt and not self.jobs:
                        self.hosted.topics.look_again()
                elif job is not None:
                    job()
                else:
                    self._sleep()
        finally:
            self.hosted.close()

    def _sleep(self) -> None:
        """Sleep until somebody rouses this thread; now and then, see whether it should read."""
        self._asleep = True
        if not self.jobs and not self._ending:
            self._bell.acquire(timeout=_NAP_S)
        self._asleep = False

    def _carry_out(self, job: Job) -> None:
        kind, flags, frames = self._outcome(job)
        envelope = job.envelope
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
        self._mailroom.answer(job, [header, *frames])

    def _outcome(self, job: Job) -> tuple[Kind, int, list[Any]]:
        """The answer's kind, further flags, and its body and buffers."""
        refused = self._refusal(job)
        if refused is not None:
            return Kind.REFUSED, Flag.NONE, [msgpack.packb(refused)]
        enter_call(job.call)
        try:
            flags, body, buffers = self.hosted.answer(job.frames[0], job.frames[1:], job.call)
        except BaseException as error:  # noqa: BLE001 - SystemExit of a service is its caller's to see, not our end
            return Kind.RAISED, Flag.NONE, _packed(error)
        return Kind.RESULT, flags, [body, *buffers]

    def _refusal(self, job: Job) -> dict[str, Any] | None:
        """Why this call must not start any more."""
        age_ms = clock_ms() - job.envelope.stamp
        if age_ms > STALE_MS:
            return {
                "code": "stale",
                "text": f"the call was up to {age_ms / 1000:.1f} s old when it arrived; it did not run",
                "age_s": age_ms / 1000,
            }
        deadline = job.call.deadline
        if deadline is not None and deadline <= time.monotonic():
            text = "the deadline passed while the call waited at the worker; it did not run"
            return {"code": "expired", "text": text}
        return None

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
        if threading.current_thread() is not self._thread:
            return None
        call = current_call()
        return call if call.session == session else None

    def _let_go(self, session: int, number: int) -> None:
        """Called by a finalizer, so it must take no lock: the service's thread does it in its turn."""
        if session in self.clients and not self._ending:
            self.jobs.append(lambda: self._mailroom.questions.let_go(self._target, session, number))

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
