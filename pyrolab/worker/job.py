"""A call that has arrived at a worker, and what has become of the last ones."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from pyrolab.link.clock import clock_ms
from pyrolab.protocol.envelope import NO_DEADLINE, Envelope, Kind
from pyrolab.worker.context import Client, CurrentCall

#: Calls that have ended of which a daemon knows how.
REMEMBERED = 1024
#: A call whose echo of our clock is older than this lay in a buffer while a connection was interrupted.
STALE_MS = 5000
#: Nobody can know more of our clock than we do, but for rounding.
AHEAD_MS = 1000

_STATES = {Kind.RESULT: "done", Kind.RAISED: "raised", Kind.REFUSED: "refused"}


def on_the_way_ms(envelope: Envelope) -> int:
    """How long a call has been on its way from the broker, as far as that is possible."""
    return min(max(clock_ms() - envelope.stamp, 0), STALE_MS)


class Job:
    """A call that has arrived; `post` takes its answer back, and says whether there was a connection."""

    __slots__ = ("call", "envelope", "frames", "key", "post")

    def __init__(
        self, envelope: Envelope, frames: list[Any], client: Client, post: Callable[[list[Any]], bool]
    ) -> None:
        deadline = None
        if envelope.budget_ms != NO_DEADLINE:
            deadline = time.monotonic() + (envelope.budget_ms - on_the_way_ms(envelope)) / 1000
        self.envelope = envelope
        self.frames = frames
        self.key = envelope.session, envelope.call
        self.call = CurrentCall(envelope.session, envelope.call, deadline, client)
        self.post = post


class Journal:
    """The calls that are here, and the last that have ended, by session and number.

    It lives as long as its process: after a lost answer it tells what happened, after a power cut it can't.
    """

    def __init__(self) -> None:
        self.running: dict[tuple[int, int], Job] = {}
        self._ended: dict[tuple[int, int], int] = {}
        self._order: deque[tuple[int, int]] = deque()

    def begin(self, job: Job) -> bool:
        """A call has come; returns False, and notes nothing, if it has been here before."""
        key = job.key
        if key in self.running or key in self._ended:
            return False
        self.running[key] = job
        return True

    def end(self, job: Job, kind: int) -> None:
        """It is answered."""
        key = job.key
        self._ended[key] = kind
        self.running.pop(key, None)
        self._order.append(key)
        if len(self._order) > REMEMBERED:
            self._ended.pop(self._order.popleft(), None)

    def state(self, session: int, number: int) -> str:
        """What has become of a call: running (or waiting here), done, raised, refused, or never seen."""
        key = session, number
        kind = self._ended.get(key)
        if kind is not None:
            return _STATES[Kind(kind)]
        return "running" if key in self.running else "never seen"
