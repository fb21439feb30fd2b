"""How values are to be drawn, and the contrast of a picture. Pure functions of arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pyrolab.errors import PyroError

Array = np.ndarray[Any, np.dtype[Any]]

#: The darkest and brightest pixels (in %) that automatic contrast gives up: enough for hot pixels and dust.
DARK_PERCENT, BRIGHT_PERCENT = 1.0, 99.5
#: Pixels that are looked at to find the contrast: more change nothing that could be seen.
_SAMPLE = 65_536


@dataclass(frozen=True, slots=True)
class Look:
    """How to draw: `colormap` by its name, `levels` (black, white) in the units of the pixels, or None.

    Without `levels` the contrast follows each picture: from the 1st to the 99.5th percentile of its pixels.
    A curve shows the newest `last_s` seconds.
    """

    colormap: str = "gray"
    levels: tuple[float, float] | None = None
    last_s: float = 60.0

    def limits(self, pixels: Array) -> tuple[float, float]:
        """What is drawn black, and what white."""
        return self.levels or percentiles(pixels)


def percentiles(
    pixels: Array, dark: float = DARK_PERCENT, bright: float = BRIGHT_PERCENT
) -> tuple[float, float]:
    """Two percentiles of the finite pixels, never equal; (0, 1) if there is none."""
    sample = _sample(pixels)
    if not sample.size:
        return 0.0, 1.0
    with np.errstate(all="ignore"):  # of numbers that are almost too large to be any
        low, high = map(float, np.percentile(sample.astype(np.float64), (dark, bright)))
    if low < high < float("inf"):
        return low, high
    low, high = float(sample.min()), float(sample.max())
    return (low, high) if low < high else _around(low)


def _around(number: float) -> tuple[float, float]:
    """Two different numbers, of which one is this."""
    margin = max(1.0, abs(number) * 1e-6)
    return (number, number + margin) if number + margin < float("inf") else (number - margin, number)


def extremes(values: Array) -> tuple[Any, Any] | None:
    """The lowest and the highest value, as Python numbers; None if there is none that is finite."""
    if not values.size or values.dtype.kind not in "biuf":
        return None
    found = (values.min(), values.max())
    if values.dtype.kind == "f" and not np.isfinite(found).all():
        finite = values[np.isfinite(values)]
        if not finite.size:
            return None
        found = (finite.min(), finite.max())
    return found[0].item(), found[1].item()


def shades(pixels: Array, low: float, high: float) -> Array:
    """Pixels as 0 (`low` and below, and what is no number) to 255 (`high` and above)."""
    exact: Any = np.float64 if pixels.dtype.itemsize > 4 else np.float32
    with np.errstate(all="ignore"):  # of numbers that are almost too large to be any
        scaled = (pixels.astype(exact) - exact(low)) * exact(255.0 / (high - low))
        whole = np.rint(np.clip(scaled, 0.0, 255.0))
        found: Array = np.nan_to_num(whole, copy=False, nan=0.0).astype(np.uint8)
    return found


def levels_from(text: str) -> tuple[float, float]:
    """The levels that `LOW:HIGH` means. Raises `PyroError` if it means none."""
    low, _, high = text.partition(":")
    try:
        found = float(low), float(high)
    except ValueError:
        found = (0.0, 0.0)
    if not found[0] < found[1] or not np.isfinite(found).all():
        raise PyroError(f"{text!r} are no levels; write what is black and what is white, as 0:4095")
    return found


def _sample(pixels: Array) -> Array:
    """About so many of the pixels, spread evenly, as far as they are finite."""
    step = max(1, int(np.sqrt(pixels.size / _SAMPLE)))
    sample = pixels[::step, ::step] if pixels.ndim > 1 else pixels[::step]
    return sample[np.isfinite(sample)]
