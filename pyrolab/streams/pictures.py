"""Frames as JPEG pictures of 8 bits: not exact, and small enough to look at from far away.

The values of a frame are scaled from its lowest and highest to 0…255, and back to its own dtype. NaN counts
as the lowest, and infinities as the lowest and the highest finite value.
"""

from __future__ import annotations

import io
import math
import sys
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np

from pyrolab.errors import ProtocolError

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"

#: The longest side that libjpeg writes and reads.
MAX_SIDE = 65_500
#: Scans of one picture: one, or one for each colour, but not thousands as a progressive one may have. Each
#: takes the time of a whole picture.
MAX_SCANS = 4
_START_OF_SCAN = b"\xff\xda"
_MODES = {1: "L", 3: "RGB"}
#: Scaled at a time: what stays in the processor's cache.
_ITEMS_AT_A_TIME = 1 << 16


def encode(library: Any, array: Array, quality: int) -> tuple[Any, list[Any]]:
    """The picture, and how to decode it. Raises `ValueError` for arrays that are no pictures."""
    mode = _mode(array.shape)
    if mode is None or array.dtype.str[1:] not in _KINDS:
        raise ValueError(
            f"an array of shape {array.shape} and dtype {array.dtype} is no picture for JPEG, which takes "
            "(height, width) or (height, width, 3) of integers or floats; ask for another compression"
        )
    height, width, *_ = array.shape
    if max(height, width) > MAX_SIDE:
        raise ValueError(
            f"a JPEG picture has at most {MAX_SIDE} pixels a side, not {width} × {height}; "
            "ask for a binning or a region"
        )
    low, high = _limits(array)
    pixels = np.ascontiguousarray(_to_bytes(array, low, high))
    image = library.Image.frombuffer(mode, (width, height), pixels.reshape(-1).data, "raw", mode, 0, 1)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality, subsampling=0)  # all of the colours, not one for four pixels
    return file.getbuffer(), ["jpeg", low, high]


def decode(library: Any, buffer: Any, limits: list[Any], dtype: np.dtype[Any], shape: list[int]) -> Array:
    """The picture as an array of its own dtype. Raises `ProtocolError`, and whatever Pillow raises."""
    mode = _mode(shape)
    if mode is None or dtype.str[1:] not in _KINDS:
        raise ProtocolError(f"a frame of shape {shape} and dtype {dtype} cannot be a JPEG picture")
    table = _table(dtype, *limits)
    packed = bytes(buffer)
    if packed.count(_START_OF_SCAN) > MAX_SCANS:
        raise ProtocolError("a JPEG picture has more scans than one has")
    image = library.JpegImageFile(io.BytesIO(packed))
    if image.size != (shape[1], shape[0]) or image.mode != mode:
        raise ProtocolError(f"a JPEG picture is not one of {shape[1]} × {shape[0]} pixels ({mode})")
    return _looked_up(table, np.asarray(image).reshape(shape))


def _mode(shape: Any) -> str | None:
    """Pillow's name for such a picture, if it is one."""
    colours = shape[2] if len(shape) == 3 else 1
    return _MODES.get(colours) if len(shape) in (2, 3) else None


#: What can be a picture: kinds and sizes as NumPy writes them.
_KINDS = frozenset(["b1", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8"])


# -- to eight bits ---------------------------------------------------------------------------------------


def _limits(array: Array) -> tuple[Any, Any]:
    """The values that become 0 and 255: integers for integers and truth values, else floats."""
    if array.dtype.str == "|u1":
        return 0, 255
    if array.dtype.kind == "b":
        return 0, 1
    if array.dtype.kind != "f":
        return int(array.min()), int(array.max())
    with np.errstate(invalid="ignore"):
        low, high = float(array.min()), float(array.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        finite = array[np.isfinite(array)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    return low, high


def _to_bytes(array: Array, low: Any, high: Any) -> Array:
    if array.dtype.str == "|u1":
        return array
    if not high - low > sys.float_info.min * 255:  # the same everywhere, or too near for a division
        return np.zeros(array.shape, np.uint8)
    if high - low == math.inf:
        return _to_bytes(array * array.dtype.type(0.5), low / 2, high / 2)
    made = np.empty(array.shape, np.uint8)
    kind = np.float32 if array.dtype.itemsize <= 2 else np.float64
    for rows in _bands(array):
        part: Any = array[rows].astype(kind)
        part -= float(low)
        part *= 255 / (high - low)
        part += 0.5  # to the nearest
        if array.dtype.kind == "f":
            np.nan_to_num(part, copy=False, nan=0, posinf=255, neginf=0)
        made[rows] = part
    return made


def _bands(array: Array) -> Iterator[slice]:
    """Slices of whole rows that are all of the array."""
    count = max(1, _ITEMS_AT_A_TIME * len(array) // max(1, array.size))
    return (slice(start, start + count) for start in range(0, len(array), count))


# -- and back --------------------------------------------------------------------------------------------


def _table(dtype: np.dtype[Any], low: Any, high: Any) -> Array:
    """The value that each of the 256 stands for."""
    if dtype.kind == "f":
        return _table_of_floats(dtype, low, high)
    lowest, highest = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    if type(low) is not int or type(high) is not int or not lowest <= low <= high <= highest:
        raise ProtocolError(f"the lowest and highest of a JPEG picture of {dtype} cannot be these")
    return np.array([(low * (255 - step) + high * step + 127) // 255 for step in range(256)], dtype)


def _table_of_floats(dtype: np.dtype[Any], low: Any, high: Any) -> Array:
    top = float(np.finfo(dtype).max)
    if type(low) not in (int, float) or type(high) not in (int, float) or not -top <= low <= high <= top:
        raise ProtocolError(f"the lowest and highest of a JPEG picture of {dtype} cannot be these")
    share = np.arange(256) / 255
    table: Array = low * (1 - share) + high * share  # low + (high - low) * share may overflow
    return table.astype(dtype)


def _looked_up(table: Array, pixels: Array) -> Array:
    if table.dtype.str == "|u1" and table[0] == 0 and table[255] == 255:
        return pixels
    made = np.empty(pixels.shape, table.dtype)
    for rows in _bands(pixels):
        np.take(table, pixels[rows], out=made[rows], mode="clip")  # which is faster than mode="raise"
    return made
