"""Figures: each pixel is where it belongs, in the coordinates of the whole picture, and says what it is."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pyrolab.errors import PyroError
from pyrolab.viewing.drawing import Drawing, check_format, figure_of
from pyrolab.viewing.look import Look
from pyrolab.viewing.scenes import History, scene_of
from pyrolab.viewing.viewer import Sight


def sight(value: Any, look: Look | None = None, **more: Any) -> Sight:
    look = look or Look()
    scene = more.pop("scene", None) or scene_of(value, look)
    said: dict[str, Any] = {"doc": "What it sees.", "unit": "counts", "notice": "", "message": "", **more}
    return Sight("camera.frames", scene=scene, look=look, delivery=["frame 1"], facts=["2 × 3 uint8"], **said)


def drawn(figure: Figure) -> Any:
    """The picture of a figure: rows from the top, columns, and red, green, blue and alpha."""
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())


def colour_at(figure: Figure, x: float, y: float) -> list[int]:
    """The colour at a place in the coordinates of the axes."""
    pixels = drawn(figure)
    across, upright = figure.axes[0].transData.transform((x, y))
    found: list[int] = pixels[len(pixels) - 1 - int(upright), int(across), :3].tolist()
    return found


PIXELS = np.array([[0, 50, 100], [150, 200, 250]], np.uint8)
WHOLE = Look(levels=(0, 255))


def test_each_pixel_is_where_it_belongs() -> None:
    figure = figure_of(sight(PIXELS, WHOLE))
    for row in range(2):
        for column in range(3):
            for shift in (-0.45, 0.0, 0.45):
                value = int(PIXELS[row, column])
                assert colour_at(figure, column + shift, row - shift) == [value] * 3


def test_of_a_region_that_is_binned_the_coordinates_are_those_of_the_whole() -> None:
    figure = figure_of(sight(PIXELS, WHOLE, origin=(100, 1000), binning=10))
    assert colour_at(figure, 1000, 100) == [0] * 3
    assert colour_at(figure, 1009, 109) == [0] * 3
    assert colour_at(figure, 1010, 100) == [50] * 3
    assert colour_at(figure, 1029, 119) == [250] * 3


def test_a_part_that_is_zoomed_into_is_exact_and_stays_for_the_next_frame() -> None:
    rng = np.random.default_rng(1)
    figure = Figure(dpi=100)
    drawing = Drawing(figure)
    drawing.draw(sight(rng.integers(0, 256, (2000, 3000)).astype(np.uint8), WHOLE))
    axes = figure.axes[0]
    axes.set_xlim(1999.5, 2003.5)
    axes.set_ylim(1203.5, 1199.5)
    second = rng.integers(0, 256, (2000, 3000)).astype(np.uint8)
    drawing.draw(sight(second, WHOLE))
    assert axes.get_xlim() == (1999.5, 2003.5)
    for row, column in ((1200, 2000), (1203, 2003), (1201, 2002)):
        assert colour_at(figure, column, row) == [int(second[row, column])] * 3


def test_outside_of_the_picture_nothing_is_drawn() -> None:
    figure = figure_of(sight(PIXELS, WHOLE))
    figure.axes[0].set_xlim(-10, 10)
    figure.axes[0].set_ylim(10, -10)
    assert colour_at(figure, -5, -5) == [255] * 3
    assert colour_at(figure, 1, 1) == [200] * 3
    figure.axes[0].set_xlim(100, 200)
    drawn(figure)


def test_colours_come_out_as_they_are_and_a_map_is_used() -> None:
    colours = np.zeros((6, 6, 3), np.uint8)
    colours[1, 2] = (255, 128, 0)
    assert colour_at(figure_of(sight(colours)), 2, 1) == [255, 128, 0]
    figure = figure_of(sight(PIXELS, Look("viridis", (0, 250))))
    assert colour_at(figure, 0, 0) == [68, 1, 84]
    assert colour_at(figure, 2, 1) == [253, 231, 37]


def test_the_number_under_the_mouse_is_the_pixels() -> None:
    figure = figure_of(sight(PIXELS, origin=(10, 20), binning=2))
    drawn(figure)
    axes = figure.axes[0]
    x, y = axes.transData.transform((24, 12))
    event: Any = SimpleNamespace(x=x, y=y, inaxes=axes)
    assert axes.images[0].get_cursor_data(event) == 250


def test_another_shape_gets_axes_of_its_own_and_the_same_one_does_not() -> None:
    figure = Figure()
    drawing = Drawing(figure)
    drawing.draw(sight(PIXELS))
    first = figure.axes[0]
    drawing.draw(sight(PIXELS + 1))
    assert figure.axes[0] is first
    for value in (PIXELS[:1], np.arange(5.0), "open", 1.5):
        drawing.draw(sight(value))
        drawn(figure)
    assert first not in figure.axes


def test_what_is_said_stands_below_and_what_is_wrong_in_the_middle() -> None:
    figure = Figure()
    drawing = Drawing(figure)
    drawing.draw(sight(PIXELS, notice="interrupted since 10:00:00; trying again"))
    texts = {text.get_text(): text.get_visible() for text in figure.texts}
    assert texts == {"frame 1\n2 × 3 uint8": True, "interrupted since 10:00:00; trying again": True}
    assert figure.axes[0].get_title("left") == "camera.frames: What it sees."
    drawing.draw(sight(PIXELS))
    assert [text.get_visible() for text in figure.texts] == [True, False]


def test_text_of_a_service_is_no_formula() -> None:
    for value in (PIXELS, np.arange(3.0), "$\\frac{"):
        drawn(figure_of(sight(value, doc="costs $5 or $x^{", unit="$\\frac{", notice="$\\frac{ $")))


def test_curves_of_all_lengths_are_drawn() -> None:
    for value in (np.arange(100.0), np.array([1.0]), np.full(4, np.nan), 5.0):
        drawn(figure_of(sight(value)))
    drawn(figure_of(sight(None, scene=History().curve(5))))


def test_unknown_formats_are_refused_before_anything_is_shown() -> None:
    check_format(Path("a.PNG"))
    with pytest.raises(PyroError, match=r"\.png.*\.npy"):
        check_format(Path("a.foo"))
    with pytest.raises(PyroError, match=r"\.npy"):
        check_format(Path("picture"))
