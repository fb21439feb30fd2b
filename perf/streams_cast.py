"""Who takes part in a stream: one process that publishes, and those that watch, each asked for its rate."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import mean
from typing import Any

from perf.children import Child

#: From the beginning of a slice until frames are counted: connecting, first frames, and new memory.
WARM_UP_S = 0.35


@dataclass(frozen=True, slots=True)
class Cast:
    """A publisher, which is told to `start` and to `stop`, and viewers, which `count`."""

    publisher: Child
    viewers: Sequence[Child]

    def rate(
        self,
        seconds: float,
        viewers: int,
        published: Mapping[str, Any] | None = None,
        wanted: Mapping[str, Any] | None = None,
    ) -> float:
        """Frames per second that come to each of so many viewers, on average.

        `published` says how, `wanted` what each viewer asks for. Raises `RuntimeError` if a frame is wrong.
        """
        with self.publishing(**(published or {})) as where:
            return self.counted(where, seconds, viewers, **(wanted or {}))

    def counted(self, where: str, seconds: float, viewers: int, what: str = "count", **wanted: Any) -> float:
        """The same while frames are published there; `what` is what the viewers are asked to do."""
        begin = time.monotonic() + WARM_UP_S
        chosen = self.viewers[:viewers]
        rates = asked(chosen, what, where=where, begin=begin, end=begin + seconds, **wanted)
        return float(mean(rates))

    @contextmanager
    def publishing(self, **how: Any) -> Iterator[str]:
        """Frames are published, for those who know where; that is what comes of it."""
        (where,) = asked([self.publisher], what="start", **how)
        try:
            yield where
        finally:
            asked([self.publisher], what="stop")


def asked(children: Sequence[Child], what: str, **question: Any) -> list[Any]:
    """What all of them answer, at the same time. Raises `RuntimeError` if one answers with an error."""
    for child in children:
        child.tell(what=what, **question)
    answers = [child.answer()[what] for child in children]
    for answer in answers:
        if isinstance(answer, dict) and "error" in answer:
            raise RuntimeError(answer["error"])
    return answers


def best(candidates: Mapping[str, Callable[[], float]], times: int) -> str:
    """Which of them gives the highest rate, tried in turn so many times."""
    found: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(times):
        for name, rate in candidates.items():
            found[name].append(rate())
    return max(found, key=lambda name: mean(found[name]))
