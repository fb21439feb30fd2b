"""What a value looks like: a picture, a curve, or words. Pure functions of values."""

from __future__ import annotations

import numbers
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeAlias

import numpy as np

from pyrolab.viewing.look import Array, Look, extremes, shades

#: Points of a curve beyond which only the lowest and highest of neighbours are drawn: twice a wide screen.
_MOST_POINTS = 8_000
#: Values that come out of order do so by less than this.
_SET_BACK_S = 1.0
_TIME = "time (s)"
#: Values of an array that are shown as they are.
_FEW = 16


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """Pixels, two-dimensional or (rows, columns, 3) in colour; `low` is black and `high` white."""

    pixels: Array
    low: float = 0.0
    high: float = 255.0
    #: What was done to the value to get here.
    notes: tuple[str, ...] = ()

    @property
    def in_colour(self) -> bool:
        """Whether the pixels are colours, which no contrast changes."""
        return self.pixels.ndim == 3


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """`y` over `x`, both one-dimensional; with `stepwise` each value holds until the next."""

    x: Array
    y: Array
    x_label: str = "index"
    stepwise: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Words:
    """What cannot be drawn, as text."""

    text: str
    notes: tuple[str, ...] = ()


Scene: TypeAlias = Picture | Curve | Words


def scene_of(value: Any, look: Look) -> Scene:
    """What one value looks like. A single number is a curve of one point; `History` knows those before."""
    if not isinstance(value, np.ndarray) or value.ndim == 0:
        number = number_of(value)
        if number is None:
            return Words(in_words(value))
        return Curve(np.zeros(1), np.array([number]), _TIME)
    array, notes = _drawable(value)
    if array is None or not array.size:
        return Words(in_words(value))
    if array.ndim == 1:
        return Curve(np.arange(array.size), array, notes=notes)
    return _picture(array, look, notes)


def _picture(array: Array, look: Look, notes: tuple[str, ...]) -> Picture:
    if _is_colour(array):
        colours, more = _colours(array[..., :3], look)
        return Picture(colours, notes=(*notes, *more))
    if array.ndim > 2:
        planes = int(np.prod(array.shape[:-2]))
        notes = (*notes, f"plane 0 of {planes}")
        array = array[(0,) * (array.ndim - 2)]
    low, high = look.limits(array)
    return Picture(array, low, high, notes)


def _drawable(value: Array) -> tuple[Array | None, tuple[str, ...]]:
    """The array as real numbers, and what was done to it; None if it has none."""
    match value.dtype.kind:
        case "i" | "u" | "f":
            native = value if value.dtype.isnative else value.astype(value.dtype.newbyteorder("="))
            return native, ()
        case "b":
            return value.view(np.uint8), ()
        case "c":
            return np.abs(value), ("modulus of complex values",)
        case _:
            return None, ()


def _is_colour(array: Array) -> bool:
    return array.ndim == 3 and array.shape[2] in (3, 4) and min(array.shape[:2]) > 4


def _colours(array: Array, look: Look) -> tuple[Array, tuple[str, ...]]:
    """Red, green and blue as bytes; what has more bits is scaled by the contrast of all three together."""
    if array.dtype == np.uint8 and look.levels is None:
        return array, ()
    if array.dtype.kind == "f" and look.levels is None:
        return shades(array, 0.0, 1.0), ("colours from 0 to 1",)
    low, high = look.limits(array)
    return shades(array, low, high), (f"colours from {short(low)} to {short(high)}",)


@dataclass(slots=True)
class History:
    """Numbers and their times, of which the newest seconds are shown."""

    stepwise: bool = False
    most: int = 100_000
    times: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def add(self, timestamp: float, number: float) -> None:
        """The next number. A publisher's clock that has been set back begins a new history."""
        if self.times and timestamp < self.times[-1]:
            if timestamp < self.times[-1] - _SET_BACK_S:
                self.times.clear()
                self.values.clear()
            else:
                timestamp = self.times[-1]
        self.times.append(timestamp)
        self.values.append(number)
        if len(self.times) >= 2 * self.most:  # in large steps, so that it costs nothing
            del self.times[: -self.most], self.values[: -self.most]

    def curve(self, last_s: float, until: float | None = None) -> Curve:
        """The newest `last_s` seconds, over the seconds before the newest value.

        What is stepwise goes on to the time `until`, and begins with the value that held before.
        """
        times, values = np.asarray(self.times), np.asarray(self.values)
        if self.stepwise and times.size and until is not None and until > times[-1]:
            times, values = np.append(times, until), np.append(values, values[-1])
        if not times.size:
            return Curve(times, values, _TIME, self.stepwise)
        start = int(np.searchsorted(times, times[-1] - last_s))
        if self.stepwise and start:
            start -= 1
        x = np.maximum(times[start:] - times[-1], -last_s)
        return Curve(x, values[start:], _TIME, self.stepwise)


def thinned(curve: Curve, most: int = _MOST_POINTS) -> Curve:
    """The same curve to the eye: of many points, the lowest and the highest of each few neighbours."""
    size = curve.y.size
    if size <= most:
        return curve
    step = -(-2 * size // most)
    starts = np.arange(0, size, step)
    y = np.empty(2 * starts.size, curve.y.dtype)
    y[0::2], y[1::2] = np.minimum.reduceat(curve.y, starts), np.maximum.reduceat(curve.y, starts)
    return Curve(np.repeat(curve.x[starts], 2), y, curve.x_label, curve.stepwise, curve.notes)


def number_of(value: Any) -> float | None:
    """A value as a number to be drawn: not a number (NaN) for None, None for what is no number."""
    magnitude = getattr(value, "magnitude", value)  # a quantity of pint
    if isinstance(magnitude, np.ndarray) and magnitude.ndim == 0:
        magnitude = magnitude[()]
    if magnitude is None:
        return float("nan")
    if isinstance(magnitude, (numbers.Real, np.bool_, Decimal)):
        return float(magnitude)
    return None


def briefly(value: Any) -> str:
    """A value in few characters, numbers with six digits of theirs."""
    number = number_of(value)
    if number is None or isinstance(value, (bool, np.bool_)) or value is None:
        return in_words(value, 60)
    return f"{number:.6g}" if abs(number) < 1e6 or not number.is_integer() else str(int(number))


def in_words(value: Any, most: int = 200) -> str:
    """A value in one line, without anything that moves the cursor: services choose what is shown."""
    text = _array_in_words(value) if isinstance(value, np.ndarray) and value.ndim else str(value)
    text = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
    return text if len(text) <= most else text[: most - 1] + "…"


def _array_in_words(array: Array) -> str:
    """Size, dtype, and the values, or their range if there are many."""
    if array.size <= _FEW:
        return f"{size_of(array)} {array.dtype} {' '.join(str(array).split())}"
    ends = extremes(array)
    return f"{size_of(array)} {array.dtype}" + (f", min {ends[0]}, max {ends[1]}" if ends is not None else "")


def size_of(array: Array) -> str:
    """A shape as people write it: 1024 × 1280."""
    return " × ".join(map(str, array.shape)) or "1 value"


def short(number: float) -> str:
    """A number in few characters."""
    if isinstance(number, int) or (float(number).is_integer() and abs(number) < 1e6):
        return str(int(number))
    return f"{number:.4g}"
