"""What values look like: pictures, curves, or words."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrolab.viewing.look import Look
from pyrolab.viewing.scenes import (
    Curve,
    History,
    Picture,
    Words,
    briefly,
    in_words,
    number_of,
    scene_of,
    short,
    thinned,
)

LOOK = Look()


def picture(value: Any, look: Look = LOOK) -> Picture:
    scene = scene_of(value, look)
    assert isinstance(scene, Picture)
    return scene


def curve(value: Any) -> Curve:
    scene = scene_of(value, LOOK)
    assert isinstance(scene, Curve)
    return scene


def test_a_picture_is_its_pixels() -> None:
    pixels = np.arange(6, dtype=">u2").reshape(2, 3)
    shown = picture(pixels, Look(levels=(1, 4)))
    assert np.array_equal(shown.pixels, pixels)
    assert shown.pixels.dtype.isnative
    assert (shown.low, shown.high, shown.in_colour) == (1, 4, False)


def test_colours_are_taken_as_they_are_or_scaled_to_bytes() -> None:
    colours = np.zeros((8, 9, 4), np.uint8)
    colours[..., 1] = 200
    assert picture(colours).pixels.tolist() == colours[..., :3].tolist()
    assert picture(colours.astype(float) / 255).pixels[0, 0].tolist() == [0, 200, 0]
    deep = picture(colours.astype(np.uint16) * 10, Look(levels=(0, 4000)))
    assert deep.pixels[0, 0].tolist() == [0, 128, 0]
    assert "from 0 to 4000" in deep.notes[0]


def test_of_a_stack_the_first_plane_is_shown_and_that_is_said() -> None:
    stack = np.arange(2 * 5 * 6 * 7).reshape(2, 5, 6, 7)
    shown = picture(stack)
    assert np.array_equal(shown.pixels, stack[0, 0])
    assert shown.notes == ("plane 0 of 10",)


def test_complex_values_and_truths_can_be_seen() -> None:
    assert picture(np.full((2, 2), 3 + 4j)).pixels.tolist() == [[5, 5], [5, 5]]
    assert picture(np.eye(2, dtype=bool)).pixels.tolist() == [[1, 0], [0, 1]]


def test_a_trace_is_a_curve_over_its_index() -> None:
    shown = curve(np.array([1.0, 5.0, 2.0]))
    assert (shown.x.tolist(), shown.y.tolist()) == ([0, 1, 2], [1, 5, 2])


@pytest.mark.parametrize(
    "value", ["open", {"a": 1}, np.array(["a", "b"]), np.zeros((0, 4)), np.zeros(3, "i4,f8"), [1, 2], b"x"]
)
def test_everything_else_is_shown_in_words(value: Any) -> None:
    assert isinstance(scene_of(value, LOOK), Words)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (1.5, 1.5),
        (True, 1.0),
        (np.float32(2.5), 2.5),
        (np.array(3), 3.0),
        (Decimal("1.25"), 1.25),
        ("1.5", None),
        (1j, None),
        ([1], None),
    ],
)
def test_numbers_of_all_kinds_are_numbers(value: Any, number: float | None) -> None:
    assert number_of(value) == number


def test_nothing_is_a_hole_in_a_curve() -> None:
    assert np.isnan(number_of(None))  # type: ignore[arg-type]


def test_a_quantity_is_its_number() -> None:
    ureg = pytest.importorskip("pint").UnitRegistry()
    assert number_of(ureg.Quantity(1.5, "volt")) == 1.5
    assert in_words(ureg.Quantity(1.5, "volt")) == "1.5 volt"


# -- a history of numbers ----------------------------------------------------------------------------------


def history(*pairs: tuple[float, float], stepwise: bool = False) -> History:
    made = History(stepwise)
    for time, value in pairs:
        made.add(time, value)
    return made


def points(of: Curve) -> list[tuple[float, float]]:
    return list(zip(of.x.tolist(), of.y.tolist(), strict=True))


def test_the_newest_seconds_are_shown_before_the_newest_value() -> None:
    seen = history((100, 1), (105, 2), (109, 3), (110, 4)).curve(5)
    assert points(seen) == [(-5, 2), (-1, 3), (0, 4)]


def test_what_holds_until_it_changes_reaches_from_edge_to_edge() -> None:
    seen = history((100, 1), (109, 3), stepwise=True).curve(5, until=112)
    assert points(seen) == [(-5, 1), (-3, 3), (0, 3)]
    assert points(history((100, 1), stepwise=True).curve(5, until=103)) == [(-3, 1), (0, 1)]


def test_an_empty_history_is_an_empty_curve() -> None:
    assert points(History().curve(5)) == []
    assert points(History(stepwise=True).curve(5, until=10)) == []


def test_a_history_does_not_grow_for_ever() -> None:
    made = History(most=10)
    for index in range(1000):
        made.add(index, index)
    assert len(made.times) == len(made.values) < 20
    assert points(made.curve(5))[-1] == (0, 999)


def test_a_clock_that_is_set_back_begins_anew_and_disorder_does_not() -> None:
    assert points(history((1000, 1), (1000.5, 2), (1000.3, 3)).curve(60)) == [(-0.5, 1), (0, 2), (0, 3)]
    assert points(history((1000, 1), (100, 2), (101, 3)).curve(60)) == [(-1, 2), (0, 3)]


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=3000), st.integers(2, 50))
def test_a_thinned_curve_keeps_its_extremes(values: list[float], most: int) -> None:
    seen = thinned(Curve(np.arange(len(values)), np.array(values)), most)
    assert seen.y.size <= max(most + 2, 2)
    assert (seen.y.min(), seen.y.max()) == (min(values), max(values))
    assert (np.diff(seen.x) >= 0).all()


# -- words -------------------------------------------------------------------------------------------------


def test_text_of_a_service_cannot_move_the_cursor() -> None:
    assert in_words("a\x1b[2Jb\nc\u202e") == "a\\x1b[2Jb\\nc\\u202e"


def test_arrays_are_said_in_one_line() -> None:
    assert in_words(np.array([1, 2])) == "2 int64 [1 2]"
    assert in_words(np.arange(2_000_000, dtype="u4").reshape(1000, 2000)) == (
        "1000 × 2000 uint32, min 0, max 1999999"
    )
    assert in_words(np.array(["x"] * 100)) == "100 <U1"


def test_long_text_is_cut() -> None:
    assert in_words("x" * 50, most=10) == "x" * 9 + "…"


def test_numbers_are_short() -> None:
    assert [short(each) for each in (0, 5.0, 65535, 0.123456, 1e12, -3)] == [
        "0",
        "5",
        "65535",
        "0.1235",
        "1e+12",
        "-3",
    ]
    assert [briefly(each) for each in (1.23456789, 1550, True, None, "on", np.float64(2))] == [
        "1.23457",
        "1550",
        "True",
        "None",
        "on",
        "2",
    ]
