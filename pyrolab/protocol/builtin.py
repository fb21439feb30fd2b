"""The builtin types that msgpack lacks, from tuples to slices; they need no import and are always known."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pyrolab.errors import ProtocolError
from pyrolab.protocol import codes
from pyrolab.protocol.codes import extension

if TYPE_CHECKING:
    from msgpack import ExtType

    from pyrolab.protocol.codec import Decoder, Encoder, Packing, Unpacking

_COMPLEX = struct.Struct(">dd")


def holds_bytearray(value: Any) -> bool:
    """Whether a `bytearray`, which msgpack would turn into `bytes`, is in these lists and maps."""
    if type(value) is bytearray:
        return True
    pending = [value] if type(value) in _PLAIN else []
    while pending:
        each = pending.pop()
        items = each if type(each) is list else each.values()
        kinds = set(map(type, items))
        if bytearray in kinds:
            return True
        if kinds & _PLAIN:
            pending.extend(item for item in items if type(item) in _PLAIN)
    return False


_PLAIN = {list, dict}


def disguise(value: Any) -> Any:
    """`value` with extensions for what msgpack would change or refuse: `bytearray` and surrogates."""
    replace = _DISGUISES.get(type(value))
    return value if replace is None else replace(value)


def _disguise_text(value: str) -> str | ExtType:
    try:
        value.encode()
    except UnicodeEncodeError:
        return extension(codes.TEXT, value.encode("utf-8", "surrogatepass"))
    return value


_DISGUISES: dict[type, Callable[[Any], Any]] = {
    bytearray: lambda value: extension(codes.BYTEARRAY, bytes(value)),
    str: _disguise_text,
    list: lambda value: [disguise(item) for item in value],
    dict: lambda value: {disguise(key): disguise(item) for key, item in value.items()},
}


def _pack_integer(encoder: Encoder, value: int) -> ExtType:
    # The sign needs a bit of its own.
    return extension(codes.INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def _unpack_integer(decoder: Decoder, payload: bytes) -> int:
    return int.from_bytes(payload, "big", signed=True)


def _pack_complex(encoder: Encoder, value: complex) -> ExtType:
    return extension(codes.COMPLEX, _COMPLEX.pack(value.real, value.imag))


def _unpack_complex(decoder: Decoder, payload: bytes) -> complex:
    return complex(*_COMPLEX.unpack(payload))


def _unpack_ellipsis(decoder: Decoder, payload: bytes) -> Any:
    if payload:
        raise ProtocolError("an ellipsis has no payload")
    return ...


def _pack_interval(code: int) -> Packing:
    return lambda encoder, value: encoder.extend(code, [value.start, value.stop, value.step])


def _unpack_range(decoder: Decoder, payload: bytes) -> range:
    start, stop, step = decoder.items(payload)
    if not type(start) is type(stop) is type(step) is int:
        raise ProtocolError("the bounds of a range are integers")
    return range(start, stop, step)


def _unpack_slice(decoder: Decoder, payload: bytes) -> slice:
    start, stop, step = decoder.items(payload)
    return slice(start, stop, step)


def _pack_items(code: int) -> Packing:
    return lambda encoder, value: encoder.extend(code, list(value))


PACKING: dict[type, Packing] = {
    int: _pack_integer,
    complex: _pack_complex,
    type(...): lambda encoder, value: extension(codes.ELLIPSIS, b""),
    tuple: _pack_items(codes.TUPLE),
    set: _pack_items(codes.SET),
    frozenset: _pack_items(codes.FROZENSET),
    range: _pack_interval(codes.RANGE),
    slice: _pack_interval(codes.SLICE),
}

UNPACKING: dict[int, Unpacking] = {
    codes.INTEGER: _unpack_integer,
    codes.BYTEARRAY: lambda decoder, payload: bytearray(payload),
    codes.TEXT: lambda decoder, payload: payload.decode("utf-8", "surrogatepass"),
    codes.COMPLEX: _unpack_complex,
    codes.ELLIPSIS: _unpack_ellipsis,
    codes.TUPLE: lambda decoder, payload: tuple(decoder.items(payload)),
    codes.SET: lambda decoder, payload: set(decoder.items(payload)),
    codes.FROZENSET: lambda decoder, payload: frozenset(decoder.items(payload)),
    codes.RANGE: _unpack_range,
    codes.SLICE: _unpack_slice,
}
