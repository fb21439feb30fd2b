"""Pixel formats of cameras by their PFNC names, and how their bytes become NumPy arrays.

Every pixel keeps the value that the camera sent: no cast to 8 bits, no scaling, no demosaicing. Formats with
10 or 12 bits packed into bytes are unpacked into 16 bits; formats that are not known are refused by name.
Source: EMVA GenICam Pixel Format Naming Convention 2.4; GigE Vision 1.2, for what ends in `Packed`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyrolab_drivers.quantities import OutOfRange

Bytes = NDArray[np.uint8]

_NAME = re.compile(
    r"(?P<colours>Mono|RGBa|BGRa|RGB|BGR|Bayer(?:RG|GR|GB|BG)|R|G|B)(?P<bits>\d+)(?P<packing>p|Packed)?"
)
_CHANNELS = {"RGBa": 4, "BGRa": 4, "RGB": 3, "BGR": 3}
_TWO_BYTES_A_PIXEL = {"YUV422_8", "YUV422_8_UYVY", "YCbCr422_8", "YCbCr422_8_CbYCrY", "YCbCr601_422_8"}


class UnknownPixelFormat(ValueError):
    """A pixel format that this version cannot turn into an array; `name` is an attribute."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"pixel format {name} is not known here; set pixel_format to one like Mono8, Mono12, Mono16, "
            "RGB8 or BayerRG8 that the camera has as well"
        )
        self.name = name


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """How the pixels of an image lie in memory. `packing` is empty, `p` (PFNC) or `Packed` (GigE Vision)."""

    name: str
    bits: int
    channels: int
    packing: str = ""

    @classmethod
    def named(cls, name: str) -> PixelFormat:
        """The format of this PFNC name. Raises `UnknownPixelFormat`."""
        if name in _TWO_BYTES_A_PIXEL:
            return cls(name, 8, 2)
        found = _NAME.fullmatch("RGB8" if name == "RGB8Packed" else name)
        if found is None:
            raise UnknownPixelFormat(name)
        bits, packing = int(found["bits"]), found["packing"] or ""
        channels = _CHANNELS.get(found["colours"], 1)
        known = {"": (8, 10, 12, 14, 16), "p": (10, 12), "Packed": (10, 12)}[packing]
        if bits not in known or (packing and channels > 1):
            raise UnknownPixelFormat(name)
        return cls(name, bits, channels, packing)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of one value: uint8 up to 8 bits, else uint16."""
        return np.dtype(np.uint8 if self.bits <= 8 else np.uint16)

    def shape(self, width: int, height: int) -> tuple[int, ...]:
        """Shape of an image: (height, width), or (height, width, channels) in colour."""
        return (height, width) if self.channels == 1 else (height, width, self.channels)

    def size(self, values: int) -> int:
        """How many bytes so many values take, one after the other."""
        if self.packing == "Packed":
            return (values * 3 + 1) // 2
        return (values * self.bits + 7) // 8 if self.packing else values * self.dtype.itemsize

    def decode(self, data: Bytes, out: NDArray[Any], padding: int = 0, *, big_endian: bool = False) -> None:
        """Copy an image from the bytes of a camera into `out`, which has its dtype and `shape`.

        `padding` is how many bytes follow each row. Raises `OutOfRange` if there are too few bytes.
        """
        rows = out.shape[0]
        row_values = out.size // rows if rows else 0
        if not padding:
            self._decode_values(_first(data, self.size(out.size), self.name), out.reshape(-1), big_endian)
            return
        row_size = self.size(row_values)
        lines = _first(data, rows * (row_size + padding) - padding, self.name)
        for row in range(rows):
            start = row * (row_size + padding)
            self._decode_values(lines[start : start + row_size], out[row].reshape(-1), big_endian)

    def _decode_values(self, data: Bytes, out: NDArray[Any], big_endian: bool) -> None:
        if self.packing:
            out[:] = _UNPACKERS[self.bits, self.packing](data)[: out.size]
        elif self.dtype.itemsize == 1:
            out[:] = data
        else:
            out[:] = data.view(">u2" if big_endian else "<u2")


def _first(data: Bytes, count: int, name: str) -> Bytes:
    if data.size < count:
        raise OutOfRange(
            f"an image in {name} has {count} bytes, but only {data.size} came", quantity="image", unit="bytes"
        )
    return data[:count]


def _groups(data: Bytes, size: int) -> NDArray[np.uint16]:
    """The bytes as rows of `size`; the last row is filled up with zeros."""
    missing = -data.size % size
    whole = np.pad(data, (0, missing)) if missing else data
    return np.asarray(whole.reshape(-1, size), np.uint16)


def _unpack_10p(data: Bytes) -> NDArray[np.uint16]:
    """4 values in 5 bytes, the lowest bits first."""
    group = _groups(data, 5)
    values = [(group[:, n] >> (2 * n)) | (group[:, n + 1] << (8 - 2 * n)) for n in range(4)]
    return np.asarray(np.stack(values, axis=1).reshape(-1) & 0x3FF, np.uint16)


def _unpack_12p(data: Bytes) -> NDArray[np.uint16]:
    """2 values in 3 bytes, the lowest bits first."""
    group = _groups(data, 3)
    values = [group[:, 0] | ((group[:, 1] & 0x0F) << 8), (group[:, 1] >> 4) | (group[:, 2] << 4)]
    return np.asarray(np.stack(values, axis=1).reshape(-1), np.uint16)


def _unpack_10_of_gige(data: Bytes) -> NDArray[np.uint16]:
    """2 values in 3 bytes: 8 high bits, both values' low bits in one byte (bits 0-1 and 4-5), 8 high bits."""
    group = _groups(data, 3)
    values = [(group[:, 0] << 2) | (group[:, 1] & 0x03), (group[:, 2] << 2) | ((group[:, 1] >> 4) & 0x03)]
    return np.asarray(np.stack(values, axis=1).reshape(-1), np.uint16)


def _unpack_12_of_gige(data: Bytes) -> NDArray[np.uint16]:
    """2 values in 3 bytes: 8 high bits, both values' low bits in one byte, 8 high bits."""
    group = _groups(data, 3)
    values = [(group[:, 0] << 4) | (group[:, 1] & 0x0F), (group[:, 2] << 4) | (group[:, 1] >> 4)]
    return np.asarray(np.stack(values, axis=1).reshape(-1), np.uint16)


_UNPACKERS = {
    (10, "p"): _unpack_10p,
    (12, "p"): _unpack_12p,
    (10, "Packed"): _unpack_10_of_gige,
    (12, "Packed"): _unpack_12_of_gige,
}
