"""Smaller arrays out of large ones: a region, every n-th item, or the mean of each block of items.

A region and a stride are views of the same memory. Means are worked out exactly for integers (one half is
rounded up) and in at least double precision for the rest; they keep the array's dtype and byte order.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"

#: From how many items on NumPy's own sums are faster than adding views; below, they are ten times slower.
_LONG = 32


def cut(array: Array, region: Sequence[tuple[int | None, int | None]]) -> Array:
    """The part of `array` within `region`, as NumPy's slices: empty if it lies outside.

    Raises `ValueError` if the region has more axes than the array.
    """
    if len(region) > array.ndim:
        raise ValueError(
            f"the region has {len(region)} axes, but the frame only {array.ndim} (its shape is {array.shape})"
        )
    return array[tuple(slice(first, last) for first, last in region)] if region else array


def thinned(array: Array, stride: Sequence[int]) -> Array:
    """Every n-th item along each axis; strides for axes that the array does not have do nothing."""
    steps = tuple(slice(None, None, step) for step in stride[: array.ndim])
    return array[steps] if steps else array


def binned(array: Array, binning: Sequence[int]) -> Array:
    """The mean of each block of items; what is left over at the far edges is cut off.

    `binning` has the size of a block along each axis; sizes for axes that the array does not have do
    nothing. Of truth values the mean is true if at least half are. Raises `ValueError` for dtypes that
    have no mean.
    """
    sizes = tuple(binning[: array.ndim])
    if all(size == 1 for size in sizes):
        return array
    if array.dtype.kind not in _MEANS:
        raise ValueError(
            f"frames of dtype {array.dtype} have no mean to be binned to; ask for stride=... instead"
        )
    whole = array[
        tuple(slice(length - length % size) for length, size in zip(array.shape, sizes, strict=False))
    ]
    if not whole.size:
        lengths = [length // size for length, size in zip(array.shape, sizes, strict=False)]
        return np.empty((*lengths, *array.shape[len(sizes) :]), array.dtype)
    made: Array = _MEANS[array.dtype.kind](whole, sizes)
    return made


def _mean_of_integers(array: Array, sizes: Sequence[int]) -> Array:
    count = prod(sizes)
    bits = array.dtype.itemsize * 8 + (count - 1).bit_length()
    if bits > 64:
        return _mean_of_long_integers(array, sizes)
    total = _sums(array, sizes, np.dtype(f"{array.dtype.kind}{4 if bits <= 32 else 8}"))
    total += count // 2
    total //= count
    return total.astype(array.dtype)


def _mean_of_long_integers(array: Array, sizes: Sequence[int]) -> Array:
    """For sums that fit nowhere: sums of the quotients and of the remainders, which do."""
    count = prod(sizes)
    quotients, remainders = (_sums(part, sizes, part.dtype) for part in np.divmod(array, count))
    remainders += count // 2
    remainders //= count
    quotients += remainders
    return quotients.astype(array.dtype)


def _mean_of_truths(array: Array, sizes: Sequence[int]) -> Array:
    mean: Array = _sums(array.view(np.uint8), sizes, np.dtype(np.uint64)) * 2 >= prod(sizes)
    return mean


def _mean_of_floats(array: Array, sizes: Sequence[int]) -> Array:
    with np.errstate(over="ignore", invalid="ignore"):  # infinity and NaN are values like any other here
        total = _sums(array, sizes, np.promote_types(array.dtype, np.float64))
        total /= prod(sizes)
        return total.astype(array.dtype)


_MEANS = {
    "b": _mean_of_truths,
    "i": _mean_of_integers,
    "u": _mean_of_integers,
    "f": _mean_of_floats,
    "c": _mean_of_floats,
}


def _sums(array: Array, sizes: Sequence[int], wide: np.dtype[Any]) -> Array:
    """The sums of the blocks, in `wide`; axis by axis, which needs the fewest additions."""
    for axis, size in enumerate(sizes):
        if size > 1:
            add = _add_long if size >= _LONG else _add_views
            array = add(array, axis, size, wide)
    return array


def _add_views(array: Array, axis: int, size: int, wide: np.dtype[Any]) -> Array:
    """The items of a block lie in `size` views of the whole array."""
    before = (slice(None),) * axis
    first, second, *others = (array[(*before, slice(start, None, size))] for start in range(size))
    total: Array = np.add(first, second, dtype=wide)
    for other in others:
        np.add(total, other, out=total)
    return total


def _add_long(array: Array, axis: int, size: int, wide: np.dtype[Any]) -> Array:
    shape = array.shape
    blocks = array.reshape(*shape[:axis], shape[axis] // size, size, *shape[axis + 1 :])
    total: Array = blocks.sum(axis=axis + 1, dtype=wide)
    return total
