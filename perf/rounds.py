"""Rounds: each contender gets a short slice of time, again and again, so that drift hits all alike.

Every second round goes backwards, so that nobody is always the one after the noisy neighbour.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter

from perf.figures import Point

#: One slice of one contender: its figures.
Slice = Callable[[], Mapping[Point, float]]


@dataclass(frozen=True, slots=True)
class Effort:
    """How much time a run may take."""

    rounds: int
    #: Of one contender in one round.
    slice_s: float
    #: Of one workload; on a machine so busy that it takes longer, there are fewer rounds.
    budget_s: float


@dataclass(frozen=True, slots=True)
class Trial:
    """A contender in one workload."""

    contender: str
    slice: Slice


def interleave(trials: list[Trial], effort: Effort) -> tuple[dict[Point, list[float]], dict[str, str]]:
    """Give each trial a slice per round, after one round to warm up.

    Returns the figures, and for each contender that failed the reason: it takes no further part, and none of
    its figures count.
    """
    figures: dict[Point, list[float]] = {}
    failed: dict[str, str] = {}
    done = 0
    start = perf_counter()
    for number in range(effort.rounds + 1):
        if number > 1 and perf_counter() - start > effort.budget_s:
            break
        for trial in trials if number % 2 else trials[::-1]:
            if trial.contender in failed:
                continue
            try:
                found = trial.slice()
            except Exception as error:
                failed[trial.contender] = f"{type(error).__name__}: {error}"
                continue
            if number:
                for point, figure in found.items():
                    figures.setdefault(point, []).append(figure)
        done = number
    return {point: found for point, found in figures.items() if len(found) == done}, failed
