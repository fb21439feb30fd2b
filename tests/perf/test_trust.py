"""What the group `trust` counts as late, and that a full run does everything as often as it claims."""

from __future__ import annotations

import pytest

from perf import bench, trust
from perf.trust_cut import FRESH_S, Move, late

ASKED = 100.0


def moved(*, after_s: float, told_after_s: float | None = None, refused: bool = False) -> int:
    told = None if told_after_s is None else ASKED + told_after_s
    return late([Move(7, ASKED, told, "", refused)], [(7, ASKED + after_s)])


@pytest.mark.parametrize("told_after_s", [None, 1.5])
def test_a_move_that_runs_while_its_caller_waits_is_in_time(told_after_s: float | None) -> None:
    assert moved(after_s=1.0, told_after_s=told_after_s) == 0


def test_a_move_is_late_after_its_time_or_after_its_callers_patience() -> None:
    assert moved(after_s=FRESH_S + 0.1) == 1
    assert moved(after_s=2.0, told_after_s=1.0) == 1


def test_what_ran_twice_or_was_refused_counts_as_late() -> None:
    assert moved(after_s=1.0, told_after_s=2.0, refused=True) == 1
    assert late([Move(7, ASKED, None, "", False)], [(7, ASKED + 1), (7, ASKED + 2)]) == 1


def test_a_full_run_does_everything_as_often_as_its_targets_say() -> None:
    extent = trust.Extent.of(bench.FULL["trust"])
    assert extent.stops == 100
    assert extent.fresh_calls == 10_000
