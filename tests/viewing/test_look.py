"""Contrast: what is black and what is white, whatever the pixels are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pyrolab.errors import PyroError
from pyrolab.viewing.colors import table
from pyrolab.viewing.look import Look, extremes, levels_from, percentiles, shades

PIXELS = st.one_of(
    arrays.arrays(
        st.sampled_from(["u1", "u2", "i4", "f4", "f8"]), arrays.array_shapes(min_dims=2, max_dims=2)
    ),
    arrays.arrays("f4", (3, 4), elements=st.sampled_from([np.nan, np.inf, -np.inf, 0.0, 1.0])),
)


def test_a_hot_pixel_and_a_dead_one_do_not_set_the_contrast() -> None:
    pixels = np.random.default_rng(0).integers(1000, 2001, (200, 200)).astype(np.uint16)
    pixels[0, 0], pixels[5, 5] = 65_535, 0
    low, high = percentiles(pixels)
    assert 1000 <= low < 1020
    assert 1980 < high <= 2000


def test_the_levels_that_are_given_count() -> None:
    assert Look(levels=(5, 7)).limits(np.zeros((2, 2))) == (5, 7)
    assert levels_from("-1.5:4095") == (-1.5, 4095.0)


@pytest.mark.parametrize("text", ["", "5", "5:", "7:5", "5:5", "a:b", "0:nan", "0:inf", "1:2:3"])
def test_levels_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(PyroError, match="as 0:4095"):
        levels_from(text)


@given(PIXELS)
def test_there_is_always_a_contrast(pixels: Any) -> None:
    low, high = percentiles(pixels)
    assert low < high
    shown = shades(pixels, low, high)
    assert shown.dtype == np.uint8
    assert shown.shape == pixels.shape


@pytest.mark.parametrize("pixels", [np.full((4, 4), 7), np.zeros((0, 5)), np.full((2, 2), np.nan)])
def test_pixels_without_contrast_can_be_shown(pixels: Any) -> None:
    low, high = percentiles(pixels)
    assert low < high
    shades(pixels, low, high)


def test_shades_go_from_black_to_white_and_no_further() -> None:
    pixels = np.array([[-5.0, 0.0, 5.0, 10.0, 50.0, np.nan, np.inf, -np.inf]])
    assert shades(pixels, 0, 10).tolist() == [[0, 0, 128, 255, 255, 0, 255, 0]]


def test_bytes_in_their_own_range_stay_as_they_are() -> None:
    for dtype in (np.uint8, np.uint16, np.float32, np.int64):
        assert shades(np.arange(256).astype(dtype), 0, 255).tolist() == list(range(256))


def test_what_is_most_and_least_is_exact() -> None:
    assert extremes(np.array([[3, 2**63]], np.uint64)) == (3, 2**63)
    assert extremes(np.array([np.nan, 2.0, np.inf])) == (2.0, 2.0)
    assert extremes(np.array([True, False])) == (False, True)
    assert extremes(np.array([])) is None
    assert extremes(np.array([np.nan])) is None
    assert extremes(np.array(["a"])) is None


def test_colour_maps_have_their_ends_where_they_should() -> None:
    assert table("gray")[[0, 128, 255]].tolist() == [[0] * 3, [128] * 3, [255] * 3]
    assert table("gray_r")[0].tolist() == [255] * 3
    assert table("viridis")[0].tolist() == [0x44, 0x01, 0x54]


def test_our_own_colour_maps_are_those_of_matplotlib() -> None:
    colormaps = pytest.importorskip("matplotlib").colormaps
    for name in ("viridis", "inferno", "magma", "coolwarm"):
        theirs = colormaps[name](np.arange(256))[:, :3] * 255
        stops = np.rint(np.linspace(0, 255, 9)).astype(int)
        assert np.abs(table(name) - theirs)[stops].max() < 5, name
        assert np.abs(table(name) - theirs).max() < 20, name
    theirs = colormaps["plasma"](np.arange(256))[:, :3] * 255
    assert np.abs(table("plasma") - theirs).max() <= 0.5


def test_an_unknown_colour_map_is_refused_with_the_nearest() -> None:
    with pytest.raises(PyroError, match="did you mean viridis"):
        table("virdis")
