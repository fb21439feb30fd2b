"""A subscription opens a segment once, keeps as many as are in use, and checks what the publisher says."""

from __future__ import annotations

import gc
import json
import sys
from typing import Any

import numpy as np
import psutil
import pytest

from pyrolab.errors import ProtocolError
from pyrolab.streams import memory
from pyrolab.streams.mappings import MAX_MAPPINGS, Mappings
from pyrolab.streams.memory import MemoryUnreachable, Segment
from streams.memory_processes import PAGE, start


@pytest.fixture
def mappings() -> Any:
    made = Mappings()
    yield made
    made.close()


def still_open(mappings: Mappings, segment: Segment) -> bool:
    """Whether a segment that nobody can open any more is at hand."""
    segment.close()
    try:
        mappings.view(segment.reference, 1, MAX_MAPPINGS)
    except MemoryUnreachable:
        return False
    return True


def test_it_is_the_publishers_memory_and_read_only(mappings: Mappings, kind: str) -> None:
    with start("owner", kind, PAGE, 7) as process:
        view = mappings.view(json.loads(process.ready), 100, 1)
        assert (view.nbytes, view.readonly) == (100, True)
        assert not np.frombuffer(view, np.uint8).flags.writeable
        assert bytes(view) == b"\x07" * 100


def test_what_is_open_is_not_opened_again(mappings: Mappings, kind: str) -> None:
    segment = memory.create(PAGE, kind)
    before = mappings.view(segment.reference, PAGE, 2)
    segment.view[0] = 8
    assert mappings.view(tuple(segment.reference), 10, 2)[0] == before[0] == 8
    assert len(mappings) == 1
    assert still_open(mappings, segment)


def test_only_as_many_as_are_in_use_stay_open_the_latest(mappings: Mappings, kind: str) -> None:
    segments = [memory.create(PAGE, kind) for _ in range(4)]
    for segment in [*segments[:3], segments[0], segments[3]]:
        mappings.view(segment.reference, 1, 3)
    assert len(mappings) == 3
    assert [still_open(mappings, segment) for segment in segments] == [True, False, True, True]
    segment = memory.create(PAGE, kind)
    mappings.view(segment.reference, 1, 1)
    assert len(mappings) == 1


def test_a_view_stays_good_when_its_segment_is_no_longer_kept(mappings: Mappings, kind: str) -> None:
    segments = [memory.create(PAGE, kind) for _ in range(2)]
    view = mappings.view(segments[0].reference, PAGE, 1)
    mappings.view(segments[1].reference, PAGE, 1)
    segments[0].view[5] = 6
    mappings.close()
    gc.collect()
    assert view[5] == 6


@pytest.mark.parametrize("blocks", [-5, 0, 1])
def test_one_is_kept_at_least(mappings: Mappings, blocks: int) -> None:
    segment = memory.create(PAGE)
    mappings.view(segment.reference, 1, blocks)
    assert len(mappings) == 1


def test_there_is_a_bound_whatever_the_publisher_says(mappings: Mappings) -> None:
    for _ in range(MAX_MAPPINGS + 10):
        segment = memory.create(PAGE)
        mappings.view(segment.reference, 1, 1 << 60)
    assert len(mappings) == MAX_MAPPINGS


@pytest.mark.parametrize("nbytes", [-1, PAGE + 1, 1 << 70])
def test_more_than_the_segment_has_is_against_the_protocol(mappings: Mappings, nbytes: int) -> None:
    segment = memory.create(PAGE)
    with pytest.raises(ProtocolError, match=f"a frame of {nbytes} bytes is not in shared memory of 4096"):
        mappings.view(segment.reference, nbytes, 1)
    assert mappings.view(segment.reference, 0, 1).nbytes == 0


@pytest.mark.parametrize("wrong", [None, "1", 1.0, True, []])
def test_sizes_are_whole_numbers(mappings: Mappings, wrong: Any) -> None:
    segment = memory.create(PAGE)
    for nbytes, blocks in ((1, wrong), (wrong, 1)):
        with pytest.raises(ProtocolError, match="are whole numbers"):
            mappings.view(segment.reference, nbytes, blocks)


def test_what_has_gone_cannot_be_looked_at(mappings: Mappings, kind: str) -> None:
    segment = memory.create(PAGE, kind)
    segment.close()
    for _ in range(2):
        with pytest.raises(MemoryUnreachable, match="has gone"):
            mappings.view(segment.reference, 1, 1)
    assert len(mappings) == 0


def test_nothing_is_opened_after_the_end(mappings: Mappings) -> None:
    segment = memory.create(PAGE)
    mappings.view(segment.reference, 1, 1)
    mappings.close()
    assert len(mappings) == 0
    with pytest.raises(MemoryUnreachable, match="has been closed"):
        mappings.view(segment.reference, 1, 1)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no descriptors to count")
def test_a_thousand_segments_one_after_the_other_leave_nothing_open(mappings: Mappings, kind: str) -> None:
    process = psutil.Process()
    segments = [memory.create(PAGE, kind) for _ in range(2)]
    mappings.view(segments[0].reference, 1, 1)
    before = process.num_fds()
    for number in range(1000):
        mappings.view(segments[number % 2].reference, 1, 1)
    assert process.num_fds() == before
