"""A curve in the cells of a terminal: eight dots in each, in the characters of Braille."""

from __future__ import annotations

import numpy as np

from pyrolab.viewing.look import Array
from pyrolab.viewing.scenes import Curve, short

#: Which bit of a Braille character stands for which of its dots, by row and column.
_BITS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
_BRAILLE = 0x2800


def plotted(curve: Curve, columns: int, rows: int, unit: str = "") -> list[str]:
    """Lines of text, with the highest and lowest value at the left and the ends of x below."""
    low, high = bounds(curve.y)
    names = [short(high), short(low)]
    margin = max(map(len, names)) + 1
    width, height = max(columns - margin - 1, 2), max(rows - 1, 1)
    body = braille(dots(curve, low, high, 2 * width, 4 * height))
    labels = [names[0], *[""] * (height - 2), names[1]] if height > 1 else names[:1]
    lines = [
        f"{label:>{margin - 1}} {'┤' if label else '│'}{line}"
        for label, line in zip(labels, body, strict=True)
    ]
    return [*lines, " " * margin + _foot(curve, width + 1, unit)]


def _foot(curve: Curve, width: int, unit: str) -> str:
    """The ends of x, and what x and y are."""
    if not curve.x.size:
        return ""
    left, right = short(float(curve.x[0])), short(float(curve.x[-1]))
    middle = f"{unit} over {curve.x_label}".strip()
    room = max(width - len(left) - len(right), 0)
    return (left + (f" {middle} ".center(room) if len(middle) + 2 <= room else " " * room) + right)[:width]


def bounds(y: Array) -> tuple[float, float]:
    """What is drawn at the bottom and at the top; never the same."""
    finite = y[np.isfinite(y)]
    if not finite.size:
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    if low == high:
        margin = abs(low) / 100 or 1.0
        return low - margin, high + margin
    return low, high


def dots(curve: Curve, low: float, high: float, width: int, height: int) -> Array:
    """Where the curve is, as a field of `height` × `width` truths, the first row at the top."""
    lowest, highest = _columns(curve, width)
    scale = (height - 1) / (high - low)
    top = np.clip((high - highest) * scale, 0, height - 1)
    bottom = np.clip((high - lowest) * scale, 0, height - 1)
    # Each column reaches as far as its neighbour at the left, so that the line has no holes.
    joined_top, joined_bottom = top.copy(), bottom.copy()
    joined_top[1:] = np.fmin(top[1:], np.where(np.isnan(top[1:]), np.nan, bottom[:-1]))
    joined_bottom[1:] = np.fmax(bottom[1:], np.where(np.isnan(bottom[1:]), np.nan, top[:-1]))
    places = np.arange(height)[:, np.newaxis]
    found: Array = (places >= np.rint(joined_top)) & (places <= np.rint(joined_bottom))
    return found


def _columns(curve: Curve, width: int) -> tuple[Array, Array]:
    """The lowest and highest value in each column of dots; NaN where there is none."""
    x, y = curve.x.astype(float), curve.y.astype(float)
    if not x.size:
        return np.full(width, np.nan), np.full(width, np.nan)
    span = x[-1] - x[0]
    if x.size <= 2 * width or not span:  # few points: what the line between them has in each column
        places = np.linspace(x[0], x[-1], width)
        between = y[np.searchsorted(x, places, "right") - 1] if curve.stepwise else np.interp(places, x, y)
        return between, between
    column = np.minimum(((x - x[0]) / span * width).astype(int), width - 1)
    lowest, highest = np.full(width, np.nan), np.full(width, np.nan)
    np.fmin.at(lowest, column, y)
    np.fmax.at(highest, column, y)
    return lowest, highest


def braille(field: Array) -> list[str]:
    """A field of dots as lines of text, four rows and two columns of dots in each character."""
    rows, columns = field.shape[0] // 4, field.shape[1] // 2
    blocks = field[: 4 * rows, : 2 * columns].reshape(rows, 4, columns, 2)
    codes = _BRAILLE + np.einsum("rick,ik->rc", blocks.astype(int), _BITS)
    return ["".join(map(chr, line)) for line in codes.tolist()]
