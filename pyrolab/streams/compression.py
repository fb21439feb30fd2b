"""The bytes of a frame, made smaller for slow links, and made an array again.

What is decoded came over the wire: every size is known and bounded before a decompressor starts, and whatever
goes wrong in one is a `ProtocolError`. The libraries are optional; each is imported when it is first needed.
"""

from __future__ import annotations

from importlib import import_module
from math import prod
from typing import Any, TypeAlias

import numpy as np

from pyrolab.errors import ProtocolError
from pyrolab.protocol import arrays, dtypes
from pyrolab.protocol.limits import MAX_FRAME_BYTES
from pyrolab.streams import chunks, pictures

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"
#: What says how to decode: None for bytes as they are, else the name of a compression, and its numbers.
Encoding: TypeAlias = "list[Any] | None"

#: "zstd" and "blosc2" are exact, "jpeg" is for looking at.
COMPRESSIONS = ("zstd", "blosc2", "jpeg")
DEFAULT_QUALITY = 85

#: The module to import, and the name to install.
_LIBRARIES = {
    "zstd": ("zstandard", "zstandard"),
    "blosc2": ("blosc2", "blosc2"),
    "jpeg": ("PIL.JpegImagePlugin", "Pillow"),
}
#: The fastest level that makes anything of camera images smaller.
_ZSTD_LEVEL = 1


def require(compression: str) -> None:
    """Raise `ModuleNotFoundError`, which says what to install, if the library of a compression is missing."""
    if compression:
        _library(compression)


def encode(
    array: Array, compression: str | None = None, quality: int = DEFAULT_QUALITY
) -> tuple[Any, Encoding]:
    """The bytes of an array for the wire, and how to decode them.

    What would not become smaller goes as it is. Bytes as they are may be the array's own memory. Raises
    `ValueError` for arrays that are no images (jpeg), and `ModuleNotFoundError` as `require` does.
    """
    if not compression or not array.nbytes:
        return _memory(array), None
    library = _library(compression)
    if compression == "jpeg":
        return pictures.encode(library, array, quality)
    memory = _memory(array)
    if compression == "zstd":
        packed = library.ZstdCompressor(level=_ZSTD_LEVEL).compress(memory)
    else:
        packed = chunks.compress(library, memory, array.dtype.itemsize)
    return (packed, [compression]) if len(packed) < memory.nbytes else (memory, None)


def decode(buffer: Any, encoding: Any, dtype: np.dtype[Any], shape: Any) -> Array:
    """The array that was encoded, read-only; bytes as they are are not copied.

    `buffer`, `encoding` and `shape` may be anything that a peer sends. Raises `ProtocolError` for what is
    wrong with them, and `ModuleNotFoundError` as `require` does.
    """
    name, numbers = _checked_encoding(encoding)
    lengths = dtypes.checked_shape(list(shape) if type(shape) is tuple else shape)
    size = prod(lengths) * dtype.itemsize
    if size > MAX_FRAME_BYTES:
        raise ProtocolError(f"a frame of {size} bytes is over the limit of {MAX_FRAME_BYTES}")
    library = _library(name) if name else None
    try:
        if name == "jpeg":
            array = pictures.decode(library, buffer, numbers, dtype, lengths)
        else:
            memory = _UNPACKING[name](library, memoryview(buffer).cast("B"), size, dtype.itemsize)
            array = _over(memory, dtype, lengths)
    except ProtocolError:
        raise
    except Exception as error:  # a peer chose the bytes: no error of a library may surprise us
        raise ProtocolError(f"a frame cannot be decoded ({name or 'raw'}): {error!r:.200}") from error
    array.flags.writeable = False
    return array


def _library(compression: str) -> Any:
    if compression not in _LIBRARIES:
        raise ValueError(f"a compression is one of {', '.join(COMPRESSIONS)}, not {compression!r:.40}")
    module, project = _LIBRARIES[compression]
    try:
        return import_module(module)
    except ImportError as error:
        raise ModuleNotFoundError(
            f"compression {compression!r} needs the library {project}: pip install 'pyrolab[compression]' "
            f"({error})",
            name=module,
        ) from error


def _memory(array: Array) -> memoryview:
    """The bytes of an array, of which only what is not contiguous is copied."""
    if not array.nbytes:
        return memoryview(b"")
    flat = np.ascontiguousarray(array).view(np.ndarray).reshape(-1)
    return flat.view(np.uint8).data


def _checked_encoding(encoding: Any) -> tuple[str, list[Any]]:
    if encoding is None:
        return "", []
    if type(encoding) is not list or not encoding or type(encoding[0]) is not str:
        raise ProtocolError("the encoding of a frame is null, or an array that begins with a name")
    name, *numbers = encoding
    if name not in COMPRESSIONS:
        raise ProtocolError(f"a frame has the encoding {name!r:.40}, which is not known here")
    if len(numbers) != (2 if name == "jpeg" else 0):
        raise ProtocolError(f"a frame has the encoding {name} with {len(numbers)} numbers")
    return name, numbers


def _over(memory: Any, dtype: np.dtype[Any], lengths: list[int]) -> Array:
    return arrays.over(memory, dtype, lengths).reshape(lengths)


def _check_size(found: int, size: int) -> None:
    if found != size:
        raise ProtocolError(f"a frame has {found} bytes, where its dtype and shape make {size}")


def _as_it_is(_library: Any, packed: memoryview, size: int, _item_bytes: int) -> memoryview:
    _check_size(packed.nbytes, size)
    return packed


def _from_zstd(library: Any, packed: memoryview, size: int, _item_bytes: int) -> Any:
    _check_size(library.get_frame_parameters(packed).content_size, size)
    memory = library.ZstdDecompressor().decompress(packed, allow_extra_data=False)
    _check_size(len(memory), size)  # what zstd may skip has a size, and becomes nothing
    return memory


_UNPACKING = {"": _as_it_is, "zstd": _from_zstd, "blosc2": chunks.decompress}
