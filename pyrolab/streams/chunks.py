"""Frames as blosc2 chunks, one after the other.

blosc2 works for as long as it takes without letting another Python thread run, so a frame goes through it in
parts that take about a millisecond. Chunks can name filters and codecs that load programs; only the ones that
are written here are read.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from pyrolab.errors import ProtocolError

#: Bytes of a frame in one chunk, or slightly less: whole items.
PART_BYTES = 1 << 20
#: blosc2 rearranges no items that are larger.
_MAX_ITEM_BYTES = 255

#: Of noisy camera images, this makes nearly as little as zstd after shuffling bytes, in half the time.
_LEVEL = 5

#: Version, version of the codec, flags, item size, bytes, bytes in a block, bytes as a chunk.
_HEADER = struct.Struct("<BBBBiii")
_HEADER_BYTES = 32
#: The rest of a header: the only filter is bitshuffle, the codec is LZ4, nothing has parameters.
_PIPELINE = bytes([2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0])
#: The last byte of a header: nothing special, or all zeros.
_SPECIALS = (0x00, 0x10)
_FLAGS_OF_LONG_HEADER = 0x05
_DELTA = 0x08
_COPIED = 0x02
_LZ4 = 1


def compress(library: Any, memory: memoryview, item_bytes: int) -> bytes:
    """The bytes as chunks."""
    part_bytes = _part_bytes(item_bytes)
    options = {
        "codec": library.Codec.LZ4,
        "clevel": _LEVEL,
        "filters": [library.Filter.BITSHUFFLE],
        "typesize": _shuffled_bytes(item_bytes),
        "nthreads": 1,
    }
    parts = range(0, memory.nbytes, part_bytes)
    return b"".join([library.compress2(memory[start : start + part_bytes], **options) for start in parts])


def decompress(library: Any, packed: memoryview, size: int, item_bytes: int) -> Any:
    """The `size` bytes that the chunks hold. Raises `ProtocolError`, and whatever blosc2 raises."""
    memory = np.empty(size, np.uint8)
    part_bytes = _part_bytes(item_bytes)
    place = 0
    for start in range(0, size, part_bytes):
        part = memory[start : start + part_bytes]
        chunk = _chunk_at(packed[place:], part.nbytes, _shuffled_bytes(item_bytes))
        library.decompress2(chunk, dst=part, nthreads=1)
        place += chunk.nbytes
    if place != packed.nbytes:
        raise ProtocolError("there are bytes behind the last chunk of a frame")
    return memory


def _chunk_at(packed: memoryview, nbytes: int, item_bytes: int) -> memoryview:
    """The chunk at the beginning of `packed`, if it is one that `compress` could have made of `nbytes`."""
    if packed.nbytes < _HEADER_BYTES:
        raise ProtocolError("a chunk of a frame is cut off")
    version, codec_version, flags, stated_item, stated, block, length = _HEADER.unpack_from(packed)
    if (version, codec_version, stated_item, stated) != (5, 1, item_bytes, nbytes):
        raise ProtocolError("a chunk of a frame is not of the size or the version that it has to be")
    if not 0 < block <= nbytes or not _HEADER_BYTES <= length <= packed.nbytes:
        raise ProtocolError("a chunk of a frame states sizes that cannot be")
    if not _is_known_kind(flags):
        raise ProtocolError("a chunk of a frame is not of the kind that is used here")
    if packed[_HEADER.size : _HEADER_BYTES - 1] != _PIPELINE or packed[_HEADER_BYTES - 1] not in _SPECIALS:
        raise ProtocolError("a chunk of a frame needs filters or codecs that are not used here")
    return packed[:length]


def _is_known_kind(flags: int) -> bool:
    codec = flags >> 5  # none is named where a chunk is too short for any
    is_known = codec == _LZ4 or (codec == 0 and flags & _COPIED)
    return bool(is_known) and flags & (_FLAGS_OF_LONG_HEADER | _DELTA) == _FLAGS_OF_LONG_HEADER


def _part_bytes(item_bytes: int) -> int:
    return max(PART_BYTES // item_bytes, 1) * item_bytes


def _shuffled_bytes(item_bytes: int) -> int:
    return item_bytes if item_bytes <= _MAX_ITEM_BYTES else 1
