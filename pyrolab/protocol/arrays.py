"""NumPy arrays and scalars. Large arrays travel beside the body and are never copied here.

A received array is a view of the memory that was received, read-only unless asked. This file makes arrays
over bytes of the right number only; it is loaded when the first array passes.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import numpy as np

from pyrolab.errors import ProtocolError, SerializeError
from pyrolab.protocol import codes, dtypes
from pyrolab.protocol.limits import MAX_BUFFERS, MAX_DIMENSIONS, MAX_FRAME_BYTES, OUT_OF_BAND_BYTES

if TYPE_CHECKING:
    from msgpack import ExtType

    from pyrolab.protocol.codec import Decoder, Encoder, Packing, Unpacking

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"


def packing_of(kind: type) -> Packing | None:
    """How instances of `kind` are packed, if they are NumPy's."""
    if kind in (np.ndarray, np.memmap):
        return _pack_array
    if issubclass(kind, np.ndarray):
        raise SerializeError(f"a {kind.__name__} cannot travel; send np.asarray(value)")
    if kind in _TEXT_SCALARS:
        return _pack_text_scalar
    if issubclass(kind, np.generic) and kind.__module__ == "numpy" and kind is not np.object_:
        return _packing_of_scalar(kind)
    return None


def _pack_array(encoder: Encoder, array: Array) -> ExtType:
    if array.ndim > MAX_DIMENSIONS:
        raise SerializeError(
            f"an array of {array.ndim} dimensions cannot travel; {MAX_DIMENSIONS} are allowed"
        )
    description = dtypes.describe(array.dtype)
    fortran = array.flags.f_contiguous and not array.flags.c_contiguous
    flat = array.T if fortran else np.ascontiguousarray(array)
    parts = [description, list(array.shape), _content(encoder, flat)]
    return encoder.extend(codes.NDARRAY, [*parts, "F"] if fortran else parts)


def _content(encoder: Encoder, flat: Array) -> bytes | int:
    """The bytes of a contiguous array, or the number of the buffer with them."""
    if flat.nbytes < OUT_OF_BAND_BYTES or len(encoder.buffers) == MAX_BUFFERS:
        return flat.tobytes()
    if flat.nbytes > MAX_FRAME_BYTES:
        raise SerializeError(
            f"an array of {flat.nbytes} bytes is over the limit of {MAX_FRAME_BYTES}; send it in parts"
        )
    return encoder.attach(flat.view(np.ndarray).reshape(-1).view(np.uint8).data)


class _Layout(NamedTuple):
    """What the payload of an array says."""

    dtype: np.dtype[Any]
    shape: list[int]
    nbytes: int
    #: The elements, or the number of the buffer that has them.
    content: bytes | int
    order: Literal["C", "F"]


#: Payloads that name a buffer come again with each image of a camera: reading one costs more than the rest.
_LAYOUTS: dict[bytes, _Layout] = {}
_KNOWN_LAYOUTS = 256


def _unpack_array(decoder: Decoder, payload: bytes) -> Array:
    dtype, shape, nbytes, content, order = _LAYOUTS.get(payload) or _read_layout(decoder, payload)
    memory = memoryview(content) if type(content) is bytes else decoder.claim(content)
    if memory.nbytes != nbytes:
        raise ProtocolError(
            f"an array of shape {shape} and dtype {dtype} has {nbytes} bytes, not {memory.nbytes}"
        )
    is_others = decoder.writable and memory.readonly
    array = over(bytearray(memory) if is_others else memory, dtype, shape).reshape(shape, order=order)
    array.flags.writeable = decoder.writable
    return array


def _read_layout(decoder: Decoder, payload: bytes) -> _Layout:
    description, shape, content, *order = decoder.items(payload)
    if order not in ([], ["F"]):
        raise ProtocolError("the order of an array is F or not stated")
    dtype = dtypes.build(description)
    nbytes = prod(dtypes.checked_shape(shape)) * dtype.itemsize
    layout = _Layout(dtype, shape, nbytes, content, "F" if order else "C")
    if type(content) is int and type(description) is str:  # the fields of a structured dtype can be renamed
        if len(_LAYOUTS) >= _KNOWN_LAYOUTS:
            _LAYOUTS.clear()
        _LAYOUTS[payload] = layout
    return layout


def over(memory: Any, dtype: np.dtype[Any], shape: list[int]) -> Array:
    """A flat array in the memory of that many bytes. Raises `ProtocolError` for text that is none."""
    if not len(memory):
        return _empty(dtype, shape)
    flat: Array = np.frombuffer(memory, dtype)
    _check_text(flat)
    return flat


def _empty(dtype: np.dtype[Any], shape: list[int]) -> Array:
    """An array without bytes. NumPy gives items without bytes one byte, unless they are fields."""
    if dtype.itemsize or dtype.names is not None:
        return np.empty(shape, dtype)
    array: Array = np.empty(shape, [("only", dtype)])["only"]
    return array


def _check_text(flat: Array) -> None:
    """Refuse text beyond Unicode, which NumPy takes and Python then fails on."""
    dtype = flat.dtype
    if dtype.names is not None:
        for name in dtype.names:
            _check_text(flat[name])
    elif dtype.kind == "U" and flat.size and dtype.itemsize:
        points = (
            np.ascontiguousarray(flat).reshape(-1).view(np.dtype(np.uint32).newbyteorder(dtype.byteorder))
        )
        if points.max() > 0x10FFFF:
            raise ProtocolError("an array of text holds numbers that are no characters")


_TEXT_SCALARS = {np.str_: str, np.bytes_: bytes}


def _pack_text_scalar(encoder: Encoder, value: np.str_ | np.bytes_) -> ExtType:
    return encoder.extend(codes.NUMPY_SCALAR, [value.dtype.kind, _TEXT_SCALARS[type(value)](value)])


def _packing_of_scalar(kind: type[np.generic]) -> Packing:
    if issubclass(kind, (np.void, np.datetime64, np.timedelta64)):  # each value has a dtype of its own
        return _pack_scalar
    description = dtypes.describe(np.dtype(kind))
    return lambda encoder, value: encoder.extend(codes.NUMPY_SCALAR, [description, value.tobytes()])


def _pack_scalar(encoder: Encoder, value: np.generic) -> ExtType:
    return encoder.extend(codes.NUMPY_SCALAR, [dtypes.describe(value.dtype), value.tobytes()])


def _unpack_scalar(decoder: Decoder, payload: bytes) -> Any:
    description, content = decoder.items(payload)
    if description == "U" and type(content) is str:
        return np.str_(content)
    if type(content) is not bytes:
        raise ProtocolError("a NumPy scalar has bytes")
    if description == "S":
        return np.bytes_(content)
    dtype = dtypes.build(description)
    if len(content) != dtype.itemsize:
        raise ProtocolError(f"a scalar of dtype {dtype} has {dtype.itemsize} bytes, not {len(content)}")
    if dtype.kind != "V":
        return np.frombuffer(content, dtype)[0]
    return over(bytearray(content), dtype, [1])[0]  # a view; of its own memory, as any other scalar


UNPACKING: dict[int, Unpacking] = {codes.NDARRAY: _unpack_array, codes.NUMPY_SCALAR: _unpack_scalar}
