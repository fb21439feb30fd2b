"""The thread of one service: every call to it runs here, one at a time, for its whole life.

Between calls the thread reads the daemon's connection itself if nobody else does, so that a call to an idle
service runs in the thread that received it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

import msgpack

from pyrolab.errors import ProtocolError, SerializeError
from pyrolab.link.link import clock_ms
from pyrolab.protocol import codec
from pyrolab.protocol.envelope import NO_DEADLINE, Envelope, Kind, pack
from pyrolab.protocol.exceptions import pack_exception
from pyrolab.worker.context import CurrentCall, enter_call
from pyrolab.worker.hosting import Hosted

log = logging.getLogger("pyrolab.worker")

#: A call whose echo of our clock is older than this lay in a buffer while a connection was interrupted.
STALE_MS = 5000
_NAP_S = 1.0


class Job:
    """A call that has arrived."""

    __slots__ = ("call", "envelope", "frames")

    def __init__(self, envelope: Envelope, frames: list[Any]) -> None:
        deadline = None
        if envelope.budget_ms != NO_DEADLINE:
            deadline = time.monotonic() + envelope.budget_ms / 1000
        self.envelope = envelope
        self.frames = frames
        self.call = CurrentCall(envelope.session, envelope.call, deadline)


class Mailroom(Protocol):
    """Where jobs come from and answers go."""

    def read_for(self, executor: Executor) -> Job | Callable[[], None] | None:
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
        #: What waits for this service.
        self.jobs: deque[Job | Callable[[], None]] = deque()
        self._bell = threading.Semaphore(0)
        self._asleep = False
        self._ending = False
        self._thread = threading.Thread(target=self._work, name=f"pyrolab-{hosted.object_id}", daemon=True)

    def start(self) -> None:
        """Begin to take calls."""
        self._thread.start()

    def put(self, job: Job | Callable[[], None]) -> None:
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

    def next_job(self) -> Job | Callable[[], None] | None:
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
        kind, frames = self._outcome(job)
        envelope = job.envelope
        header = pack(
            kind,
            envelope.flags,
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

    def _outcome(self, job: Job) -> tuple[Kind, list[Any]]:
        """The answer's kind, and its body and buffers."""
        refused = self._refusal(job)
        if refused is not None:
            return Kind.REFUSED, [msgpack.packb(refused)]
        enter_call(job.call)
        try:
            call = codec.decode_call(job.frames[0], job.frames[1:])
            value = self.hosted.carry_out(call, job.call.session)
        except BaseException as error:  # noqa: BLE001 - SystemExit of a service is its caller's to see, not our end
            return Kind.RAISED, _packed(error)
        try:
            body, buffers = codec.encode(value)
        except SerializeError as error:
            return Kind.RAISED, _packed(_named_after(call, error))
        except ProtocolError as error:
            return Kind.RAISED, _packed(error)
        return Kind.RESULT, [body, *buffers]

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


def _packed(error: BaseException) -> list[Any]:
    body, buffers = codec.encode(pack_exception(error))
    return [body, *buffers]


def _named_after(call: codec.CallBody, error: SerializeError) -> SerializeError:
    """The same error, with the path beginning at what was called: `get_trace()[0]` for `value[0]`."""
    name = ".".join(map(str, call.steps)) + ("()" if call.verb == "call" else "")
    path = name + error.path.removeprefix("value")
    return SerializeError(path + str(error).removeprefix(error.path), path=path)
