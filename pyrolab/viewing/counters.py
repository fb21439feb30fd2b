"""What is always said of a stream, as text: number, rate, drops, way, time, shape, range."""

from __future__ import annotations

import textwrap
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pyrolab.viewing.look import BRIGHT_PERCENT, DARK_PERCENT
from pyrolab.viewing.scenes import Picture, Scene, short, size_of

#: From this age on it is said how old a picture is.
_OLD_S = 1.5
_SEPARATOR = " · "


@dataclass(slots=True)
class Counters:
    """What a source knows of what it has delivered."""

    sequence: int = 0
    timestamp: float = 0.0
    #: Per second; None if it is not known.
    rate: float | None = None
    dropped: int = 0
    #: Left out because they were not asked for.
    skipped: int = 0
    path: str = ""
    #: Why it is not a better one.
    path_reason: str = ""
    #: Unix time since which nothing can come; None while all is well.
    interrupted_at: float | None = None


@dataclass(slots=True)
class Meter:
    """How often something happens: in the last `span_s` seconds or, if that is less, the last two times."""

    span_s: float = 2.0
    _moments: deque[float] = field(default_factory=deque)

    def count(self, now: float) -> None:
        """It has happened."""
        self._moments.append(now)
        self._forget(now)

    def per_s(self, now: float) -> float | None:
        """How often in a second; None if it has happened less than twice."""
        self._forget(now)
        moments = self._moments
        if len(moments) < 2:
            return None
        return (len(moments) - 1) / max(moments[-1] - moments[0], now - moments[-1], 1e-9)

    def _forget(self, now: float) -> None:
        while len(self._moments) > 2 and now - self._moments[0] > self.span_s:
            self._moments.popleft()


def facts_of_delivery(counters: Counters, age_s: float, counted: str = "frame") -> list[str]:
    """How they come: number, rate, drops, way, time. `age_s` is how long ago the newest came."""
    if not counters.sequence:
        return [f"no {counted} yet", *filter(None, [counters.path])]
    facts = [f"{counted} {counters.sequence:,}"]
    if counters.rate is not None and counted != "change":
        facts.append(f"{_rate(counters.rate)} {counted}s/s")
    facts.append(f"{counters.dropped:,} dropped")
    if counters.skipped:
        facts.append(f"{counters.skipped:,} left out")
    if counters.path:
        facts.append(counters.path)
    return [*facts, clock(counters.timestamp) + (f", {duration(age_s)} ago" if age_s >= _OLD_S else "")]


def facts_of_value(
    value: Any, extremes: tuple[Any, Any] | None, scene: Scene, levels_given: bool
) -> list[str]:
    """What came: shape, dtype, range, contrast."""
    if getattr(value, "ndim", 0) == 0:
        return list(scene.notes)
    facts = [f"{size_of(value)} {value.dtype}"]
    if extremes is not None:
        facts.append(f"min {short(extremes[0])}, max {short(extremes[1])}")
    if isinstance(scene, Picture) and not scene.in_colour:
        shown = f"contrast {short(scene.low)} to {short(scene.high)}"
        facts.append(shown if levels_given else f"{shown} ({short(DARK_PERCENT)}–{short(BRIGHT_PERCENT)} %)")
    return [*facts, *scene.notes]


def notice(counters: Counters) -> str:
    """What has to be noticed; empty if all is well."""
    if counters.interrupted_at is None:
        return ""
    since = datetime.fromtimestamp(counters.interrupted_at)
    return f"interrupted since {since:%H:%M:%S}; trying again"


def wrapped(facts: Sequence[str], width: int) -> list[str]:
    """Facts in lines of this width; no fact is broken unless it is longer than a line."""
    lines: list[str] = []
    for fact in facts:
        if lines and len(lines[-1]) + len(_SEPARATOR) + len(fact) <= width:
            lines[-1] += _SEPARATOR + fact
        else:
            lines += textwrap.wrap(fact, width) or [""]
    return lines


def clock(timestamp: float) -> str:
    """The local time of day of a Unix time, to the millisecond."""
    try:
        return datetime.fromtimestamp(timestamp).isoformat(timespec="milliseconds").partition("T")[2]
    except (ValueError, OverflowError, OSError):  # a publisher may say anything
        return f"{timestamp:g} s"


def duration(seconds: float) -> str:
    """A time span as `5 s`, `12 min`, `3 h`."""
    for limit, unit, size in ((120, "s", 1), (7200, "min", 60)):
        if seconds < limit:
            return f"{int(seconds / size)} {unit}"
    return f"{int(seconds / 3600)} h"


def _rate(rate: float) -> str:
    return f"{rate:.1f}" if rate < 100 else f"{rate:.0f}"
