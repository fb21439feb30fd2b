"""The head of an HDF5 file that is being written, kept such that the file opens as usual at any moment.

HDF5's single-writer mode (SWMR) orders its writes so that a reader finds consistent arrays at any moment. But
it marks the file in its superblock, and a plain `h5py.File(path)` refuses a file with that mark, for good if
the writer was killed. It also refuses all that lies beyond the end that the superblock tells. So after each
time that HDF5 writes the superblock the mark is cleared, and the end is told to be a little ahead, with the
file as long as that. Superblock, version 3: byte 11 has the marks, byte 28 the end, the last 4 a checksum
(HDF5 File Format Specification 3.0, II.A; the checksum is Bob Jenkins' lookup3, which is public domain).
"""

from __future__ import annotations

import os
from pathlib import Path

_SIGNATURE = b"\x89HDF\r\n\x1a\n\x03\x08\x08"
_MARKS, _END, _SIZE = 11, slice(28, 36), 48
#: How much longer the file is than it must be: so much, and what is written now so many times again.
_AHEAD_BYTES, _AHEAD_TIMES = 1 << 22, 8
_MASK = 0xFFFFFFFF


class Superblock:
    """The superblock of a file that HDF5 writes at the same time."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("r+b", buffering=0)
        self._end = 0
        self._block = b""

    def keep(self, used_bytes: int, more_bytes: int = 0) -> None:
        """Make sure that it holds for a file of `used_bytes` to which `more_bytes` are written now."""
        if self._end < used_bytes + more_bytes + _AHEAD_BYTES // 2:
            self.tell(used_bytes + _AHEAD_TIMES * more_bytes + _AHEAD_BYTES)

    def tell(self, end: int) -> None:
        """Clear the marks, and tell this end, or where the file really ends if that is behind it."""
        size = self._file.seek(0, os.SEEK_END)
        if size < end:
            self._file.truncate(end)
        self._end = max(end, size)
        self._file.seek(0)
        self._block = with_end(self._file.read(_SIZE), self._end)
        self.restore()

    def restore(self) -> None:
        """Write it again as it was told, at once after HDF5 has written it."""
        self._file.seek(0)
        self._file.write(self._block)

    def cut(self) -> None:
        """Let a file that HDF5 has closed end where it says."""
        self._file.seek(0)
        self._file.truncate(int.from_bytes(self._file.read(_SIZE)[_END], "little"))

    def close(self) -> None:
        """Leave it as it is."""
        self._file.close()


def with_end(block: bytes, end: int) -> bytes:
    """A superblock with another end and without marks. Raises `OSError` if it is none of version 3."""
    if not block.startswith(_SIGNATURE) or checksum(block[:-4]) != int.from_bytes(block[-4:], "little"):
        raise OSError("this file does not begin as HDF5 files of version 3 do")
    changed = bytearray(block[:-4])
    changed[_MARKS] = 0
    changed[_END] = end.to_bytes(8, "little")
    return bytes(changed) + checksum(changed).to_bytes(4, "little")


def checksum(data: bytes | bytearray) -> int:
    """Bob Jenkins' lookup3 of some bytes, from 0."""
    a = b = c = (0xDEADBEEF + len(data)) & _MASK
    for start in range(0, len(data), 12):
        part = data[start : start + 12].ljust(12, b"\0")
        first, second, third = (int.from_bytes(part[at : at + 4], "little") for at in (0, 4, 8))
        a, b, c = (a + first) & _MASK, (b + second) & _MASK, (c + third) & _MASK
        if start + 12 < len(data):
            a, b, c = _mixed(a, b, c)
    return _final(a, b, c)


def _turned(value: int, bits: int) -> int:
    return ((value << bits) | (value >> (32 - bits))) & _MASK


def _mixed(a: int, b: int, c: int) -> tuple[int, int, int]:
    for bits in (4, 6, 8, 16, 19, 4):
        a = ((a - c) & _MASK) ^ _turned(c, bits)
        c = (c + b) & _MASK
        a, b, c = b, c, a
    return a, b, c


def _final(a: int, b: int, c: int) -> int:
    for bits in (14, 11, 25, 16, 4, 14, 24):
        c = ((c ^ b) - _turned(b, bits)) & _MASK
        a, b, c = b, c, a
    return b
