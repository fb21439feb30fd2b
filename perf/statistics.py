"""Medians and quartiles: what is left of rounds that a busy machine has shaken."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import NamedTuple

from perf.figures import Run, Series


class Summary(NamedTuple):
    """A median, and the quartiles around it: half of all rounds lie between them."""

    median: float
    low: float
    high: float

    @property
    def spread(self) -> float:
        """Half of the distance of the quartiles, as a part of the median."""
        return (self.high - self.low) / (2 * self.median) if self.median else 0.0


def quantile(values: Sequence[float], part: float) -> float:
    """The value below which `part` (0 to 1) of the values lie, interpolated. Raises `IndexError` if empty."""
    ordered = sorted(values)
    place = part * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def summarize(values: Sequence[float]) -> Summary:
    """The summary of at least one value."""
    return Summary(statistics.median(values), quantile(values, 0.25), quantile(values, 0.75))


def ratio(series: Series, baseline: Series) -> Summary:
    """How many times the baseline a series is, from the ratios of its rounds."""
    pairs = zip(series.rounds, baseline.rounds, strict=True)
    return summarize([figure / base for figure, base in pairs if base])


def ratio_in(run: Run, series: Series) -> Summary | None:
    """The ratio to its own baseline, if that was measured."""
    baseline = run.series.get(series.baseline) if series.baseline else None
    if baseline is None or len(baseline.rounds) != len(series.rounds):
        return None
    return ratio(series, baseline)
