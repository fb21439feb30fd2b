"""A picture in the cells of a terminal: two pixels in each, one above the other."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from rich.color import Color
from rich.segment import Segment
from rich.style import Style

from pyrolab.viewing.colors import table
from pyrolab.viewing.fitting import resized
from pyrolab.viewing.look import Array, shades
from pyrolab.viewing.scenes import Picture

_UPPER_HALF = "▀"
#: From dark to bright, for terminals without enough colours.
_INK = np.array(list(" .:-=+*#%@"))
#: Colours are rounded to so many steps: neighbours get alike, which saves much of what has to be written.
_STEPS = 64


def painted(picture: Picture, height: int, width: int, colormap: str) -> Array:
    """Red, green and blue of each pixel of the terminal."""
    pixels = resized(picture.pixels, height, width)
    if picture.in_colour:
        return pixels.astype(np.uint8)
    colours: Array = table(colormap)[shades(pixels, picture.low, picture.high)]
    return colours


def half_blocks(colours: Array) -> list[list[Segment]]:
    """Lines of cells, each showing the pixel above and the pixel below."""
    if len(colours) % 2:
        colours = np.concatenate([colours, np.zeros_like(colours[:1])])
    rounded = colours.astype(np.uint32) // (256 // _STEPS) * 255 // (_STEPS - 1)
    packed = rounded[..., 0] << 16 | rounded[..., 1] << 8 | rounded[..., 2]
    lines = zip(packed[0::2].tolist(), packed[1::2].tolist(), strict=True)
    return [_line(above, below) for above, below in lines]


def _line(above: list[int], below: list[int]) -> list[Segment]:
    """Cells that look the same are one segment."""
    segments = []
    last, count = (above[0], below[0]), 0
    for pair in zip(above, below, strict=True):
        if pair != last:
            segments.append(Segment(_UPPER_HALF * count, _style(*last)))
            last, count = pair, 0
        count += 1
    segments.append(Segment(_UPPER_HALF * count, _style(*last)))
    return segments


@lru_cache(maxsize=16_384)
def _style(above: int, below: int) -> Style:
    return Style(color=_color(above), bgcolor=_color(below))


def _color(packed: int) -> Color:
    return Color.from_rgb(packed >> 16, packed >> 8 & 255, packed & 255)


def inked(colours: Array) -> list[str]:
    """Lines of characters, the brighter the fuller, where there are no colours."""
    if len(colours) % 2:
        colours = np.concatenate([colours, np.zeros_like(colours[:1])])
    brightness = (colours[0::2].astype(np.uint32) + colours[1::2]).sum(axis=2) / (6 * 255)
    return ["".join(line) for line in _INK[np.rint(brightness * (len(_INK) - 1)).astype(int)].tolist()]
