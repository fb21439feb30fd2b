"""Emergency stop: every hosted object at once, each in threads of its own, beside whatever runs.

Nothing here waits for anything: not for a call that runs, not for one object before the next, and what is
logged or written down comes after the last thread has been started.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import msgpack

from pyrolab.protocol.emergency import Stop
from pyrolab.worker import refusing
from pyrolab.worker.execution import Executor
from pyrolab.worker.premises import Premises

log = logging.getLogger("pyrolab.worker")

#: Stops whose hooks have run, of which the broker may tell again.
_REMEMBERED = 64


class Emergency:
    """The emergency stop of one daemon.

    `members()` are its services; `tell(number, object id, body)` sends what has become of one of them.
    """

    def __init__(
        self,
        premises: Premises,
        members: Callable[[], Iterable[Executor]],
        tell: Callable[[int, bytes, bytes], object],
    ) -> None:
        self._latch = premises.latch
        self._recorder = premises.recorder
        self._members = members
        self._tell = tell
        self._seen: deque[tuple[int, float]] = deque(maxlen=_REMEMBERED)

    def stop(self, number: int, facts: dict[str, Any]) -> None:
        """Stop everything now; or, if this very stop has been heard of before, only go on refusing calls."""
        stop = self._latch.stop = _as_stop(number, facts)
        if (number, stop.since) in self._seen:
            return
        self._seen.append((number, stop.since))
        members = list(self._members())
        without = [each for each in members if not self._start_hooks(stop, each)]
        for each in members:
            _start(self._end_calls, stop, each)
        log.critical("%s (number %d)", stop, number)
        self._recorder.note("emergency stop", number=number, **stop.facts)
        for each in without:
            self._report(stop, each, "no hook", "")

    def reset(self, number: int) -> None:
        """The stop of this number is over, if it is still the newest; 0: whichever is on."""
        stop = self._latch.stop
        if stop is not None and number not in (0, stop.number):
            return
        self._latch.stop = None
        if stop is not None:
            log.warning("the emergency stop number %d has been reset", stop.number)
            self._recorder.note("emergency stop reset", number=stop.number)

    def _start_hooks(self, stop: Stop, member: Executor) -> bool:
        """Start the hooks of all instances of a service; whether there are any."""
        hooks = [
            (instance, hook)
            for instance in member.hosted.instances.living()
            if (hook := member.hosted.stop_hook_of(instance))
        ]
        for instance, hook in hooks:
            if not _start(self._run_hook, stop, member, instance, hook):
                self._report(stop, member, "failed", hook, "this process can start no more threads")
        return bool(hooks)

    def _run_hook(self, stop: Stop, member: Executor, instance: Any, hook: str) -> None:
        self._report(stop, member, "begun", hook)
        start = time.monotonic()
        state, text = "ended", ""
        try:
            getattr(instance, hook)()
        except BaseException as error:
            state, text = "failed", f"{type(error).__name__}: {error}"
            log.error("the stop hook %s of %s failed", hook, member.hosted.object_id, exc_info=error)
        member.hosted.topics.doubt()
        member.look_again_soon()
        seconds = round(time.monotonic() - start, 3)
        self._report(stop, member, state, hook, text)
        self._recorder.note(
            "stop hook",
            service=member.hosted.object_id,
            hook=hook,
            state=state,
            text=text,
            seconds=seconds,
            number=stop.number,
        )

    def _end_calls(self, stop: Stop, member: Executor) -> None:
        member.refuse_control(refusing.stopped(stop))
        member.cancel_running()

    def _report(self, stop: Stop, member: Executor, state: str, hook: str, text: str = "") -> None:
        body: bytes = msgpack.packb({"state": state, "hook": hook, "text": text})
        self._tell(stop.number, member.hosted.object_id.encode(), body)


def _start(act: Callable[..., object], *args: Any) -> bool:
    """Do something in a thread of its own; whether there could be one."""
    try:
        threading.Thread(target=act, args=args, name="pyrolab-stop", daemon=True).start()
    except RuntimeError:
        return False
    return True


def _as_stop(number: int, facts: dict[str, Any]) -> Stop:
    """What the broker says of a stop; whatever is wrong with it, it is one."""
    since = facts.get("since")
    reason, user, host = (str(facts.get(name) or "") for name in ("reason", "user", "host"))
    return Stop(number, reason, user, host, since if isinstance(since, (int, float)) else time.time())
