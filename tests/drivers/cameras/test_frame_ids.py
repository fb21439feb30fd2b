"""Frame numbers grow for ever, and every lost frame is counted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrolab_drivers.cameras.frame_ids import FrameIds


def counted(*ids: int) -> tuple[list[int], int]:
    frames = FrameIds()
    return [frames.take(each) for each in ids], frames.dropped


@pytest.mark.parametrize(
    ("ids", "numbers", "dropped"),
    [
        ([7, 8, 9], [1, 2, 3], 0),
        ([0, 1, 5], [1, 2, 6], 3),
        ([65534, 65535, 1, 2], [1, 2, 3, 4], 0),  # GigE Vision 1.x: 0 is no image
        ([65534, 65535, 0, 1], [1, 2, 3, 4], 0),  # cameras that use it all the same
        ([65533, 2], [1, 5], 3),  # 65534, 65535 and 1 are lost across the wrap
        ([0, 65533, 2], [1, 65534, 65539], 65532 + 4),  # and 0, for a camera that uses it
        ([65535, 65536, 65537], [1, 2, 3], 0),  # 64 bits don't wrap
        ([500, 1, 2], [1, 2, 3], 0),  # the camera began anew
        ([0, 0, 0], [1, 2, 3], 0),  # the camera does not count
    ],
)
def test_numbers_and_losses(ids: list[int], numbers: list[int], dropped: int) -> None:
    assert counted(*ids) == (numbers, dropped)


def test_a_new_acquisition_is_no_loss() -> None:
    frames = FrameIds()
    assert [frames.take(each) for each in (1, 2, 4)] == [1, 2, 4]
    frames.restart()
    assert [frames.take(each) for each in (9, 10)] == [5, 6]
    assert frames.dropped == 1


@given(first=st.integers(1, 65535), gaps=st.lists(st.integers(1, 500), max_size=600), zero=st.booleans())
def test_no_loss_is_missed_over_many_wraps_of_16_bits(first: int, gaps: list[int], zero: bool) -> None:
    """A camera that uses 0 has shown it before: that is when one can know."""
    frames, period = FrameIds(), 65535 + zero
    place = 0 if zero else first
    frames.take(place)
    for gap in gaps:
        place += gap
        frames.take(place % 65536 if zero else (place - 1) % period + 1)
    assert frames.number == 1 + sum(gaps)
    assert frames.dropped == sum(gap - 1 for gap in gaps)
