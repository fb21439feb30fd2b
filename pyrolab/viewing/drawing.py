"""A sight as a figure of matplotlib: for a window, a notebook, or a file. Importing this needs matplotlib."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from pyrolab.errors import PyroError
from pyrolab.viewing.counters import wrapped
from pyrolab.viewing.fitting import MOST_EXTREME
from pyrolab.viewing.look import Array, shades
from pyrolab.viewing.scenes import Curve, Picture, Scene, Words
from pyrolab.viewing.viewer import Sight

try:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage
except ImportError:
    raise PyroError("this needs matplotlib: pip install 'pyrolab[view]'") from None

#: Inches: of the figure, which is made as high as its picture needs, and around its axes.
_WIDTH, _LOWEST, _HIGHEST = 8.0, 4.0, 8.5
_LEFT, _ABOVE, _BELOW = 0.85, 0.4, 1.0
_RIGHT, _RIGHT_OF_BAR = 0.25, 0.95
_TEXT_SIZE, _CHARS = 9, 95

Place: TypeAlias = "tuple[float, float, float, float]"
#: Shows another scene on the same axes.
Redraw: TypeAlias = Callable[[Any], None]


class Drawing:
    """Draws sights on a figure, again and again; what the user has zoomed into stays."""

    def __init__(self, figure: Figure) -> None:
        self._figure = figure
        self._kind: tuple[Any, ...] = ()
        self._redraw: Redraw = lambda scene: None
        self._facts: Any = None
        self._notice: Any = None

    def draw(self, sight: Sight) -> None:
        """Show this."""
        kind = _kind_of(sight)
        if kind != self._kind:
            self._kind = kind
            self._begin(sight)
        self._redraw(sight.scene)
        self._facts.set_text("\n".join([*wrapped(sight.delivery, _CHARS), *wrapped(sight.facts, _CHARS)]))
        self._notice.set_text(sight.notice or sight.message)
        self._notice.set_visible(bool(sight.notice or sight.message))
        self._notice.get_bbox_patch().set_facecolor("firebrick" if sight.notice else "dimgray")

    def _begin(self, sight: Sight) -> None:
        """New axes for another kind of scene."""
        figure = self._figure
        figure.clear()
        figure.set_size_inches(_WIDTH, _height_for(sight.scene), forward=True)
        left, bottom, width, height = place = _place_in(figure, sight.scene)
        axes = figure.add_axes(place)
        title = f"{sight.label}: {sight.doc}" if sight.doc else sight.label
        axes.set_title(title, loc="left", fontsize=10, parse_math=False)
        self._facts = figure.text(left, 0.02, "", va="bottom", fontsize=_TEXT_SIZE, linespacing=1.4)
        self._notice = figure.text(
            left + width / 2, bottom + height * 0.96, "", ha="center", va="top", color="white", weight="bold"
        )
        self._notice.set_bbox({"facecolor": "firebrick", "edgecolor": "none", "boxstyle": "round"})
        for text in (self._facts, self._notice):
            text.set_parse_math(False)
        self._redraw = _on_axes(axes, sight)


def figure_of(sight: Sight) -> Figure:
    """A figure, which belongs to no window."""
    figure = Figure(dpi=100)
    Drawing(figure).draw(sight)
    return figure


def check_format(file: Path) -> None:
    """Raise `PyroError` if a figure cannot be written as what the file's name says."""
    known = Figure().canvas.get_supported_filetypes()
    if file.suffix.lstrip(".").lower() not in known:
        raise PyroError(
            f"{file} cannot be written: its name ends with none of .{', .'.join(sorted(known))}; "
            "or .npy for the pixels themselves"
        )


def _kind_of(sight: Sight) -> tuple[Any, ...]:
    """What has to be the same for axes to be used again."""
    scene = sight.scene
    shape = scene.pixels.shape if isinstance(scene, Picture) else ()
    return type(scene), shape, sight.binning


def _height_for(scene: Scene) -> float:
    """Inches, so that a picture fills its width, within reason."""
    if not isinstance(scene, Picture):
        return _LOWEST + 0.5
    rows, columns = scene.pixels.shape[:2]
    needed = (_WIDTH - _LEFT - _right_of(scene)) * float(rows / columns) + _ABOVE + _BELOW
    return min(max(needed, _LOWEST), _HIGHEST)


def _right_of(scene: Scene) -> float:
    """Inches at the right of the axes."""
    return _RIGHT_OF_BAR if isinstance(scene, Picture) and not scene.in_colour else _RIGHT


def _place_in(figure: Figure, scene: Scene) -> Place:
    width, height = figure.get_size_inches()
    across, upright = width - _LEFT - _right_of(scene), height - _BELOW - _ABOVE
    return _LEFT / width, _BELOW / height, across / width, upright / height


# -- what is on the axes -----------------------------------------------------------------------------------


def _on_axes(axes: Axes, sight: Sight) -> Redraw:
    match sight.scene:
        case Picture() as picture:
            return _picture_on(axes, picture, sight)
        case Curve() as curve:
            return _curve_on(axes, curve, sight.unit)
        case Words():
            axes.set_axis_off()
            text = axes.text(0.5, 0.5, "", ha="center", va="center", wrap=True)
            text.set_parse_math(False)
            return lambda words: text.set_text(words.text)


def _curve_on(axes: Axes, curve: Curve, unit: str) -> Redraw:
    (line,) = axes.plot([], [], drawstyle="steps-post" if curve.stepwise else "default", linewidth=1.2)
    axes.set_xlabel(curve.x_label)
    axes.set_ylabel(unit)
    axes.grid(alpha=0.3)
    axes.margins(x=0.01)

    def redraw(curve: Curve) -> None:
        line.set_marker("o" if curve.x.size and curve.x[0] == curve.x[-1] else "")
        line.set_data(curve.x, curve.y)
        axes.relim()
        axes.autoscale_view()

    return redraw


def _picture_on(axes: Axes, picture: Picture, sight: Sight) -> Redraw:
    """A picture, in the coordinates of the whole one of which it may be a part."""
    (row, column), binning = sight.origin, sight.binning
    height, width = picture.pixels.shape[:2]
    extent = (column - 0.5, column + binning * width - 0.5, row + binning * height - 0.5, row - 0.5)
    image = NearestPixels(axes, cmap=None if picture.in_colour else sight.look.colormap, extent=extent)
    image.set_clip_path(axes.patch)
    axes.add_image(image)
    axes.set_xlim(extent[:2])
    axes.set_ylim(extent[2:])
    axes.set_aspect("auto" if max(height, width) > MOST_EXTREME * min(height, width) else "equal")
    if not picture.in_colour:
        bar = axes.inset_axes((1.02, 0, 0.03, 1))
        axes.figure.colorbar(image, cax=bar)
        bar.set_title(sight.unit, loc="left", fontsize=10, parse_math=False)

    def redraw(picture: Picture) -> None:
        image.set_data(picture.pixels)
        if not picture.in_colour:
            image.set_clim(picture.low, picture.high)

    return redraw


class NearestPixels(AxesImage):
    """An image that shows, at each point of the screen, the pixel that is there, and does nothing else.

    That is what matplotlib does as well, but several times faster, which counts in a live picture.
    """

    def make_image(self, renderer: Any, magnification: float = 1.0, unsampled: bool = False) -> Any:
        """The visible part as it is drawn: red, green, blue and alpha, and where its lower left corner is."""
        pixels: Any = self.get_array()
        left, right, bottom, top = self.get_extent()
        ends = self.get_transform().transform([(left, bottom), (right, top)])
        seen = self.axes.bbox
        columns, x = _shown(ends[0, 0], ends[1, 0], seen.x0, seen.x1, pixels.shape[1], magnification)
        rows, y = _shown(ends[1, 1], ends[0, 1], seen.y0, seen.y1, pixels.shape[0], magnification)
        shown = np.asarray(pixels)[rows[:, np.newaxis], columns]
        if pixels.ndim == 3:
            return np.dstack([shown, np.full(shown.shape[:2], 255, np.uint8)]), x, y, None
        colours = np.rint(self.get_cmap()(np.arange(256)) * 255).astype(np.uint8)
        return colours[shades(shown, *self.get_clim())], x, y, None


def _shown(
    first: float, last: float, low: float, high: float, count: int, magnification: float
) -> tuple[Array, float]:
    """Which of `count` pixels, of which the outer edges are at `first` and `last`, is at each point of the
    screen between `low` and `high`; and where the first of these points is.
    """
    start = np.floor(max(min(first, last), low))
    stop = np.ceil(min(max(first, last), high))
    points = start + (np.arange(max(int((stop - start) * magnification), 0)) + 0.5) / magnification
    places = np.floor((points - first) / (last - first) * count).astype(int)
    return np.clip(places, 0, count - 1), start
