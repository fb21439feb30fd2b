"""Curves of Braille dots: they go where the values are, without holes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrolab.viewing.plots import bounds, braille, dots, plotted
from pyrolab.viewing.scenes import Curve


def curve(*values: float, stepwise: bool = False) -> Curve:
    return Curve(np.arange(len(values)), np.array(values, float), "time (s)", stepwise)


def shown(of: Curve, width: int, height: int) -> list[str]:
    low, high = bounds(of.y)
    return ["".join(" #"[each] for each in row) for row in dots(of, low, high, width, height).astype(int)]


def test_a_rise_goes_from_the_lower_left_to_the_upper_right() -> None:
    assert shown(curve(0, 3), 4, 4) == ["   #", "  ##", " ## ", "##  "]


def test_steps_hold_until_the_next_value() -> None:
    assert shown(curve(0, 3, 3, stepwise=True), 6, 2) == ["   ###", "####  "]


def test_a_peak_between_many_points_is_seen() -> None:
    values = np.zeros(10_000)
    values[5000] = 1.0
    field = dots(Curve(np.arange(10_000), values), 0, 1, 100, 8)
    assert field[0].sum() == 1
    assert field[-1].all()


def test_a_hole_stays_a_hole() -> None:
    assert shown(curve(0, np.nan, np.nan, 1), 4, 2) == ["   #", "#   "]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=400), st.integers(2, 60), st.integers(1, 40))
def test_every_column_has_a_dot_and_each_touches_the_one_before(
    values: list[float], width: int, height: int
) -> None:
    of = curve(*values)
    field = dots(of, *bounds(of.y), width, height)
    tops, bottoms = field.argmax(axis=0), height - 1 - field[::-1].argmax(axis=0)
    if len(values) < 2 * width or len(values) > 4 * width:
        assert field.any(axis=0).all()
    filled = np.asarray(field.any(axis=0))
    for left in np.flatnonzero(np.logical_and(filled[:-1], filled[1:])):
        assert tops[left + 1] <= bottoms[left] + 1
        assert bottoms[left + 1] >= tops[left] - 1


def test_dots_become_characters() -> None:
    field = np.zeros((4, 4), bool)
    field[0, 0] = field[3, 1] = True
    field[:, 2:] = True
    assert braille(field) == [chr(0x2800 + 0x01 + 0x80) + chr(0x28FF)]


def test_a_plot_has_its_range_at_the_left_and_the_ends_of_x_below() -> None:
    lines = plotted(curve(1.5, 22, 7), 40, 6, "mW")
    assert len(lines) == 6
    assert all(len(line) <= 40 for line in lines)
    assert lines[0].startswith(" 22 ┤")
    assert lines[1].startswith("    │")
    assert lines[4].startswith("1.5 ┤")
    assert lines[5].split() == ["0", "mW", "over", "time", "(s)", "2"]


@pytest.mark.parametrize("values", [[], [5.0], [np.nan], [3.0, 3.0], [np.inf, 1.0]])
@pytest.mark.parametrize("size", [(2, 1), (3, 2), (80, 24)])
def test_whatever_it_is_it_can_be_plotted(values: list[float], size: tuple[int, int]) -> None:
    plotted(curve(*values), *size)


def test_what_does_not_change_is_in_the_middle() -> None:
    assert bounds(np.array([5.0, 5.0])) == (4.95, 5.05)
    assert bounds(np.array([0.0])) == (-1.0, 1.0)
