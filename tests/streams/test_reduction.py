"""Regions, strides and means against what plain NumPy and whole numbers of Python say."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pyrolab.streams.reduction import binned, cut, thinned

INTEGERS = [f"{order}{kind}{size}" for order in "<>" for kind in "iu" for size in (1, 2, 4, 8)]
FLOATS = ["<f2", ">f2", "<f4", ">f4", "<f8", ">f8", "g", "<c8", ">c8", "c16"]
LAYOUTS: list[Any] = [
    lambda made: made,
    lambda made: made.T,
    np.asfortranarray,
    lambda made: made[::2],
    lambda made: made[..., ::-1],
]
shapes = hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=9)
sizes = st.lists(st.integers(1, 5), min_size=1, max_size=4)


def blocks(array: Any, binning: Sequence[int]) -> tuple[list[int], list[list[Any]]]:
    """The shape of what is left, and the items of each block, as objects of Python."""
    steps = [*binning, 1, 1, 1][: array.ndim]
    shape = [length // step for length, step in zip(array.shape, steps, strict=True)]
    places = itertools.product(*map(range, shape))
    return shape, [
        array[
            tuple(slice(at * step, (at + 1) * step) for at, step in zip(place, steps, strict=True))
        ].tolist()
        for place in places
    ]


def flat(items: Any) -> list[Any]:
    return [leaf for each in items for leaf in flat(each)] if isinstance(items, list) else [items]


def rounded_half_up(items: Any) -> int:
    values = flat(items)
    return (Fraction(sum(values), len(values)) + Fraction(1, 2)).__floor__()


@given(hnp.arrays(st.sampled_from(INTEGERS), shapes), sizes, st.sampled_from(LAYOUTS))
def test_means_of_integers_are_exact(array: Any, binning: list[int], layout: Any) -> None:
    array = layout(array)
    mean = binned(array, binning)
    shape, parts = blocks(array, binning)
    assert mean.dtype == array.dtype
    assert mean.shape == tuple(shape)
    assert mean.reshape(-1).tolist() == [rounded_half_up(part) for part in parts]


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("size", [2, 3, 31, 32, 40])
def test_the_largest_and_smallest_integers_do_not_overflow(dtype: str, size: int) -> None:
    for extreme in (np.iinfo(dtype).min, np.iinfo(dtype).max):
        array = np.full((size * 2, size + 1), extreme, dtype)
        assert binned(array, (size, size)).tolist() == [[extreme], [extreme]]


def test_one_half_is_rounded_up_whatever_the_sign() -> None:
    pairs: Any = np.array([[0, 1], [2, 1], [-1, 0], [-2, -1], [-3, -4]], np.int16)
    assert binned(pairs, (1, 2))[:, 0].tolist() == [1, 2, 0, -1, -3]


finite = st.floats(-1000, 1000, width=16)


@given(st.sampled_from(FLOATS), shapes, sizes, st.sampled_from(LAYOUTS), st.data())
def test_means_of_floats(dtype: str, shape: Any, binning: list[int], layout: Any, data: Any) -> None:
    array = layout(data.draw(hnp.arrays("f2", shape, elements=finite)).astype(dtype))
    mean = binned(array, binning)
    left, parts = blocks(array.astype(complex), binning)
    assert mean.dtype == array.dtype
    assert mean.shape == tuple(left)
    expected = [sum(flat(part)) / len(flat(part)) for part in parts]
    assert np.allclose(mean.reshape(-1).astype(complex), expected, rtol=1e-3, atol=1e-6)


def test_a_mean_of_half_precision_floats_is_summed_in_more() -> None:
    assert binned(np.full((40, 40), 60000, np.float16), (40, 40)) == 60000
    assert binned(np.array([3e38, 3e38], np.float32), (2,)) == np.float32(3e38)


def test_nan_and_infinity_are_values_like_any_other() -> None:
    array: Any = np.array([[np.nan, 1], [np.inf, 1], [np.inf, -np.inf], [1, 2]])
    mean = binned(array, (1, 2))[:, 0]
    assert np.isnan(mean[[0, 2]]).all()
    assert mean[1] == np.inf
    assert mean[3] == 1.5


def test_a_mean_of_truth_values_is_what_half_of_them_are() -> None:
    array: Any = np.array([[True, True, False, False], [False, True, False, True]])
    mean = binned(array, (2, 2))
    assert mean.dtype == np.bool_
    assert mean.tolist() == [[True, False]]
    assert binned(array, (1, 2)).tolist() == [[True, False], [True, True]]


def test_colours_are_not_mixed() -> None:
    image: Any = np.zeros((4, 5, 3), np.uint8)
    image[..., 0], image[..., 2] = 10, 30
    mean = binned(image, (2, 2))
    assert mean.shape == (2, 2, 3)
    assert (mean == (10, 0, 30)).all()


@pytest.mark.parametrize("length", [0, 1, 31, 63, 100])
def test_long_blocks_of_a_trace(length: int) -> None:
    trace = np.arange(length, dtype=np.float32)
    expected = [float(trace[at : at + 32].mean()) for at in range(0, length - 31, 32)]
    assert binned(trace, (32, 32)).tolist() == expected


@pytest.mark.parametrize("dtype", ["M8[s]", "m8[s]", "U3", "S3", "V4", "O", [("a", "i4")]], ids=str)
def test_what_has_no_mean_is_refused(dtype: Any) -> None:
    array = np.zeros((4, 4), dtype)
    with pytest.raises(ValueError, match="ask for stride"):
        binned(array, (2, 2))
    assert binned(array, (1, 1)) is array
    assert thinned(array, (2, 2)).shape == (2, 2)


def test_a_mean_has_memory_of_its_own() -> None:
    array: Any = np.zeros((4, 4), np.uint8)
    assert not np.shares_memory(array, binned(array, (2, 2)))


bounds = st.none() | st.integers(-12, 12)


@given(shapes, st.lists(st.tuples(bounds, bounds), max_size=3), st.lists(st.integers(1, 12), max_size=4))
def test_regions_and_strides_are_those_of_numpy(shape: Any, region: Any, stride: list[int]) -> None:
    array: Any = np.arange(np.prod(shape)).reshape(shape)
    if len(region) > array.ndim:
        with pytest.raises(ValueError, match="axes"):
            cut(array, region)
        return
    part = cut(array, region)
    assert np.array_equal(part, array[tuple(slice(*each) for each in region)])
    assert np.shares_memory(part, array) or not part.size
    fewer = thinned(part, stride)
    assert np.array_equal(fewer, part[tuple(slice(None, None, step) for step in stride[: array.ndim])])
    assert np.shares_memory(fewer, array) or not part.size


def test_a_region_outside_of_the_frame_is_empty() -> None:
    part = cut(np.zeros((4, 4), ">u2"), ((10, 20), (1, 3)))
    assert part.shape == (0, 2)
    assert binned(part, (2, 2)).shape == (0, 1)
    assert binned(part, (2, 2)).dtype == ">u2"


def test_a_single_value_stays_an_array() -> None:
    array: Any = np.array(7)
    for same in (cut(array, ()), thinned(array, (2, 2)), binned(array, (2, 2))):
        assert same is array
