"""The group `streams` counts what it says: frames that came, each as it was sent, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from perf import streams_bus, streams_raw, trust_bus
from perf.payloads import Image
from perf.streams_cast import asked
from perf.streams_frames import REFERENCE, check_all, check_signed, counted, fill


def coming(frames: list[tuple[int, Image]]) -> Any:
    """What takes these frames, and then no more."""
    waiting: Iterator[tuple[int, Image]] = iter(frames)
    return lambda: next(waiting)


def signed(*numbers: int) -> list[tuple[int, Image]]:
    frames = []
    for number in numbers:
        out = np.zeros_like(REFERENCE)
        fill(out, number)
        frames.append((number, out))
    return frames


def count(frames: list[tuple[int, Image]]) -> float:
    now = time.monotonic()
    return counted(coming(frames), check_signed, now, now)


def test_frames_that_are_whole_and_in_order_are_counted() -> None:
    assert count(signed(1, 2, 5, 7, 70_000)) > 0


def test_a_slice_does_not_count_if_a_frame_is_wrong() -> None:
    with pytest.raises(ValueError, match="come after"):
        count(signed(1, 2, 2, 3, 4))
    torn = signed(1, 2, 3, 4, 5)
    torn[2][1][-1, -1] = 2
    with pytest.raises(ValueError, match="carries the numbers 3 and 2"):
        count(torn)
    changed = signed(1, 2, 3, 4, 5)
    changed[4][1][1000, 1000] += 1
    with pytest.raises(ValueError, match="not what was sent"):
        count(changed)


def test_a_slot_is_filled_whole_if_its_memory_is_new_and_else_a_row() -> None:
    out = np.zeros_like(REFERENCE)
    fill(out, 1)
    check_all(out)
    out[5] = 0
    fill(out, 2)
    assert not out[5].any()
    check_signed(2, out)


@pytest.fixture(scope="module")
def bus() -> Iterator[trust_bus.Bus]:
    with trust_bus.running() as running:
        yield running


@pytest.mark.parametrize("way", [streams_bus.IN_PLACE, streams_bus.COPIED])
@pytest.mark.parametrize("path", ["shared memory", "direct", "relay"])
def test_frames_come_by_the_path_that_is_measured(bus: trust_bus.Bus, path: str, way: str) -> None:
    cast = streams_bus.cast(bus, 2)
    assert cast.rate(0.5, 2, {"way": way}, {"policy": "lossless", "path": path}) > 0


def test_bare_sockets_carry_what_is_compared(bus: trust_bus.Bus) -> None:
    cast = streams_raw.cast(bus.start, 2)
    waits, *_, drops = streams_raw.CANDIDATES.values()
    for settings in (waits, drops, {**waits, "proxied": True}):
        assert cast.rate(0.5, 2, settings, {"kept": settings["kept"]}) > 0


def test_a_wrong_path_is_an_error_and_not_a_figure(bus: trust_bus.Bus) -> None:
    cast = streams_bus.cast(bus, 1)
    with (
        cast.publishing(way=streams_bus.IN_PLACE) as where,
        pytest.raises(RuntimeError, match="a path is one of"),
    ):
        asked(cast.viewers, "count", where=where, begin=0.0, end=0.0, path="carrier pigeon")
