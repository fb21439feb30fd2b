"""Pictures made to fit: which size they have in a terminal, and how their pixels become those."""

from __future__ import annotations

import numpy as np

from pyrolab.viewing.look import Array

#: How many times as long as wide a picture is at most; of longer ones the pixels are not shown as squares.
MOST_EXTREME = 8


def fitted(shape: tuple[int, ...], columns: int, rows: int) -> tuple[int, int]:
    """Height and width, in pixels of a terminal of `columns` × `rows` cells, of a picture of this shape.

    Small pictures are enlarged by a whole number, large ones made to fit. Proportions stay, up to 1:8: of a
    spectrometer with two rows, both can be seen.
    """
    height, width = max(shape[0], shape[1] // MOST_EXTREME, 1), max(shape[1], shape[0] // MOST_EXTREME, 1)
    if height <= 2 * rows and width <= columns:
        scale = min(2 * rows // height, columns // width)
        return height * scale, width * scale
    if height * columns > width * 2 * rows:  # the height limits it
        return 2 * rows, max(1, width * 2 * rows // height)
    return max(1, height * columns // width), columns


def binning_for(shape: tuple[int, ...], columns: int, rows: int) -> int:
    """By how much a source may bin a picture of this shape before that could be seen in a terminal."""
    height, width = fitted(shape, columns, rows)
    return max(1, min(shape[0] // height, shape[1] // width))


def resized(pixels: Array, height: int, width: int) -> Array:
    """Pixels in another size: means of those that fall together, or repeated ones.

    Of very large pictures only every n-th pixel counts; there are still 16 and more for each that is shown.
    """
    steps = [
        max(1, length // (4 * size)) for length, size in zip(pixels.shape, (height, width), strict=False)
    ]
    return _along(_along(pixels[:: steps[0], :: steps[1]], height, 0), width, 1)


def _along(pixels: Array, size: int, axis: int) -> Array:
    """The same for one axis."""
    length = pixels.shape[axis]
    if size == length:
        return pixels
    edges = np.arange(size) * length // size
    if size > length:
        repeated: Array = np.take(pixels, edges, axis)
        return repeated
    counts = np.diff(edges, append=length).astype(np.float32)
    sums: Array = np.add.reduceat(pixels, edges, axis, dtype=np.float32)
    sums /= counts.reshape([-1 if each == axis else 1 for each in range(pixels.ndim)])
    return sums
