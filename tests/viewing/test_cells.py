"""Pictures in the cells of a terminal: they fit, keep their proportions, and show what is there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from pyrolab.viewing.cells import half_blocks, inked, painted
from pyrolab.viewing.fitting import binning_for, fitted, resized
from pyrolab.viewing.scenes import Picture

SIZES = st.integers(1, 5000)
CELLS = st.integers(2, 300)


@given(SIZES, SIZES, CELLS, CELLS)
def test_every_picture_fits(height: int, width: int, columns: int, rows: int) -> None:
    shown = fitted((height, width), columns, rows)
    assert 1 <= shown[0] <= 2 * rows
    assert 1 <= shown[1] <= columns
    assert shown[0] > rows or shown[1] > columns // 2  # as large as possible


@pytest.mark.parametrize(
    ("shape", "shown"),
    [
        ((1024, 1280), (70, 87)),  # the height limits it
        ((500, 2000), (30, 120)),  # the width does
        ((24, 32), (48, 64)),  # small ones are enlarged by a whole number
        ((70, 120), (70, 120)),
        ((1, 1), (70, 70)),
        ((480, 640, 3), (70, 93)),
        ((2, 2048), (15, 120)),  # a spectrometer's: stretched, so that both rows can be seen
        ((2000, 4), (70, 8)),
    ],
)
def test_proportions_stay(shape: tuple[int, ...], shown: tuple[int, int]) -> None:
    assert fitted(shape, 120, 35) == shown


@given(SIZES, SIZES, CELLS, CELLS)
def test_the_source_never_bins_more_than_can_be_seen(
    height: int, width: int, columns: int, rows: int
) -> None:
    binning = binning_for((height, width), columns, rows)
    shown = fitted((height, width), columns, rows)
    assert binning >= 1
    assert binning == 1 or (height // binning >= shown[0] and width // binning >= shown[1])


def test_pixels_that_fall_together_become_their_mean() -> None:
    pixels = np.array([[0, 2, 10, 20], [4, 6, 30, 40]], np.uint16)
    assert resized(pixels, 1, 2).tolist() == [[3, 25]]
    assert np.array_equal(resized(pixels, 2, 4), pixels)


def test_small_pictures_are_repeated() -> None:
    assert resized(np.array([[1, 2]]), 2, 4).tolist() == [[1, 1, 2, 2], [1, 1, 2, 2]]


def test_a_mean_does_not_overflow() -> None:
    assert resized(np.full((2000, 2000), 65_535, np.uint16), 3, 3).tolist() == [[65_535] * 3] * 3


def test_of_a_large_picture_enough_is_looked_at() -> None:
    pixels = np.zeros((4096, 4096), np.uint8)
    pixels[1000:3000, 1000:3000] = 100
    shown = resized(pixels, 41, 41)
    assert shown[20, 20] == 100
    assert shown[0, 0] == shown[40, 40] == 0


def lines_of(colours: Any) -> str:
    """What a terminal with all colours gets."""
    console = Console(color_system="truecolor", force_terminal=True, width=200)
    with console.capture() as captured:
        for line in half_blocks(colours):
            for segment in line:
                console.print(segment.text, style=segment.style, end="")
            console.print()
    return captured.get()


def test_a_cell_shows_the_pixel_above_and_the_one_below() -> None:
    colours = np.zeros((2, 2, 3), np.uint8)
    colours[0, 1], colours[1, 1] = (255, 0, 0), (0, 255, 0)
    assert lines_of(colours) == (
        "\x1b[38;2;0;0;0;48;2;0;0;0m▀\x1b[0m\x1b[38;2;255;0;0;48;2;0;255;0m▀\x1b[0m\n"
    )


def test_cells_that_look_the_same_are_written_once() -> None:
    colours = np.full((4, 100, 3), 77, np.uint8)
    assert [len(line) for line in half_blocks(colours)] == [1, 1]
    assert half_blocks(colours)[0][0].text == "▀" * 100


def test_an_odd_line_is_completed_with_black() -> None:
    colours = np.full((3, 1, 3), 255, np.uint8)
    last = half_blocks(colours)[1][0].style
    assert last is not None
    assert last.bgcolor is not None
    assert last.bgcolor.triplet == (0, 0, 0)


def test_without_colours_brightness_becomes_ink() -> None:
    ramp = np.linspace(0, 255, 10).astype(np.uint8)
    assert inked(np.repeat(ramp[np.newaxis, :, np.newaxis], 3, axis=2).repeat(2, axis=0)) == [" .:-=+*#%@"]


def test_a_picture_is_painted_in_its_contrast_and_colours() -> None:
    pixels = np.array([[100, 200], [300, 400]], np.uint16)
    assert painted(Picture(pixels, 200, 300), 2, 2, "gray")[..., 0].tolist() == [[0, 0], [255, 255]]
    assert painted(Picture(pixels, 200, 300), 2, 2, "gray_r")[..., 0].tolist() == [[255, 255], [0, 0]]
    colours = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    assert np.array_equal(painted(Picture(colours), 2, 2, "viridis"), colours)
