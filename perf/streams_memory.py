"""Whether memory grows: of publisher, broker and subscribers on every path, over many frames.

All of them get the same frames at the same time, none of which may be lost. What counts is the resident set
with what is shared in it: the most of the second half of all frames, beyond the most of the first half.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import psutil

from perf.streams_bus import IN_PLACE
from perf.streams_cast import Cast, asked

PATHS = ("shared memory", "direct", "relay")
_LOOK_S = 0.02
_PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Grown:
    """How much one process needed at first, and how much more later, in MiB."""

    first: float
    more: float


@dataclass(slots=True)
class _Watch:
    """The resident set of one process, early and late."""

    process: psutil.Process
    early: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)

    def look(self, part: float) -> None:
        """Note it; this part of the frames has been seen."""
        mib = self.process.memory_info().rss / (1 << 20)
        (self.early if part < 0.5 else self.late).append(mib)

    def grown(self) -> Grown:
        """What has come of it."""
        first = max(self.early)
        return Grown(first, max(self.late) - first)


def grown(cast: Cast, broker: int, frames: int) -> Mapping[str, Grown]:
    """By who it is, over so many frames for each viewer. Raises `RuntimeError` if they do not come."""
    viewers = dict(zip(PATHS, cast.viewers, strict=True))
    processes = {
        "publisher": cast.publisher.facts["pid"],
        **{f"subscriber, {path}": viewer.facts["pid"] for path, viewer in viewers.items()},
        "broker": broker,
    }
    watches = {who: _Watch(psutil.Process(pid)) for who, pid in processes.items()}
    with cast.publishing(way=IN_PLACE) as where:
        for path, viewer in viewers.items():
            asked([viewer], what="follow", where=where, policy="lossless", path=path)
        _watch(cast, watches, frames)
        asked(cast.viewers, what="leave")
    return {who: watch.grown() for who, watch in watches.items()}


def _watch(cast: Cast, watches: Mapping[str, _Watch], frames: int) -> None:
    seen, moved_at = 0, time.monotonic()
    while seen < frames:
        time.sleep(_LOOK_S)
        before, seen = seen, min(asked(cast.viewers, what="seen"))
        now = time.monotonic()
        moved_at = now if seen > before else moved_at
        if now - moved_at > _PATIENCE_S:
            raise RuntimeError(f"no frame has come for {_PATIENCE_S:g} s, after {seen}")
        for watch in watches.values():
            watch.look(seen / frames)
