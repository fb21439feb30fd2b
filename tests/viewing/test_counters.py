"""What is said of a stream: numbers, rate, drops, way, time; and how it is broken into lines."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrolab.viewing.counters import (
    Counters,
    Meter,
    clock,
    duration,
    facts_of_delivery,
    facts_of_value,
    notice,
    wrapped,
)
from pyrolab.viewing.lines import iso_time, line_of
from pyrolab.viewing.look import Look
from pyrolab.viewing.scenes import scene_of


class Change:
    value, timestamp, sequence = 1550.25, 1_700_000_000.125, 4


def test_everything_is_said_of_a_frame() -> None:
    counters = Counters(1234, 1_700_000_000.5, 24.96, 3, 1203, "shared memory")
    facts = facts_of_delivery(counters, age_s=0.1)
    assert facts[:-1] == [
        "frame 1,234",
        "25.0 frames/s",
        "3 dropped",
        "1,203 left out",
        "shared memory",
    ]
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.500", facts[-1])


def test_an_old_frame_says_how_old_it_is_and_a_change_has_no_rate() -> None:
    facts = facts_of_delivery(Counters(7, 1_700_000_000.5, 3.0), age_s=130, counted="change")
    assert facts[:2] == ["change 7", "0 dropped"]
    assert facts[-1].endswith(", 2 min ago")


def test_before_the_first_frame_there_is_nothing_to_say_but_the_way() -> None:
    assert facts_of_delivery(Counters(path="relay"), age_s=0) == ["no frame yet", "relay"]


def test_shape_dtype_range_and_contrast_of_a_picture() -> None:
    pixels = np.arange(100, dtype=np.uint16).reshape(4, 25)
    facts = facts_of_value(pixels, (0, 99), scene_of(pixels, Look()), False)
    assert facts == ["4 × 25 uint16", "min 0, max 99", "contrast 0.99 to 98.5 (1–99.5 %)"]
    facts = facts_of_value(pixels, (0, 99), scene_of(pixels, Look(levels=(0, 50))), True)
    assert facts[-1] == "contrast 0 to 50"


def test_an_interruption_is_said_with_its_beginning() -> None:
    assert notice(Counters()) == ""
    assert re.fullmatch(
        r"interrupted since \d\d:\d\d:\d\d; trying again", notice(Counters(interrupted_at=1_700_000_000.0))
    )


def test_a_meter_knows_steady_and_slow_rates_and_that_it_has_stopped() -> None:
    meter = Meter(span_s=2)
    assert meter.per_s(0) is None
    for index in range(100):
        meter.count(index / 25)
    assert meter.per_s(99 / 25) == pytest.approx(25)
    slow = Meter(span_s=2)
    slow.count(0)
    slow.count(5)
    assert slow.per_s(5) == pytest.approx(0.2)
    assert slow.per_s(100) == pytest.approx(1 / 95)


@given(st.lists(st.text("ab c", min_size=1, max_size=30)), st.integers(5, 40))
def test_no_line_is_wider_than_there_is_room(facts: list[str], width: int) -> None:
    assert all(len(line) <= width for line in wrapped(facts, width))


def test_facts_are_not_broken_while_they_fit() -> None:
    assert wrapped(["one two", "three", "four five"], 17) == ["one two · three", "four five"]


def test_times_that_are_none_are_shown_as_numbers() -> None:
    assert clock(1e300) == "1e+300 s"
    assert iso_time(1e300) == "1e+300"
    assert clock(float("nan")) == "nan s"


def test_time_spans_are_short() -> None:
    assert [duration(each) for each in (5.9, 119, 120, 7199, 7200, 90_000)] == [
        "5 s",
        "119 s",
        "2 min",
        "119 min",
        "2 h",
        "25 h",
    ]


def test_a_line_has_time_value_and_unit_between_tabs() -> None:
    time, value, unit = line_of(Change(), "nm").split("\t")
    assert re.fullmatch(r"2023-11-1\dT\d\d:\d\d:\d\d\.125[+-]\d\d:\d\d", time)
    assert (value, unit) == ("1550.25", "nm")
    assert len(line_of(Change(), "").split("\t")) == 2
