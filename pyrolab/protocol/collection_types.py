"""The containers of `collections`, and `array.array`. Each comes back as itself, not as a dict or list."""

from __future__ import annotations

import sys
from array import array
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pyrolab.errors import ProtocolError, SerializeError
from pyrolab.protocol import codes
from pyrolab.protocol.codes import extension

if TYPE_CHECKING:
    from msgpack import ExtType

    from pyrolab.protocol.codec import Decoder, Encoder, Packing, Unpacking

#: What a `defaultdict` may make; any other function stays where it is defined.
_FACTORIES: dict[str, type] = {
    kind.__name__: kind for kind in (bool, bytes, bytearray, complex, dict, float, int, list, set, str, tuple)
}


def _pack_deque(encoder: Encoder, value: deque[Any]) -> ExtType:
    return encoder.extend(codes.DEQUE, [list(value), value.maxlen])


def _unpack_deque(decoder: Decoder, payload: bytes) -> deque[Any]:
    items, length = decoder.items(payload)
    return deque(_expect(list, items), length)


def _pack_mapping(code: int) -> Packing:
    return lambda encoder, value: encoder.extend(code, dict(value))


def _unpack_mapping(kind: Callable[[dict[Any, Any]], Any]) -> Unpacking:
    return lambda decoder, payload: kind(_expect(dict, decoder.nested(payload)))


def _pack_defaultdict(encoder: Encoder, value: defaultdict[Any, Any]) -> ExtType:
    factory = value.default_factory
    name = getattr(factory, "__name__", "")
    if factory is not None and _FACTORIES.get(name) is not factory:
        raise SerializeError(f"a defaultdict of {factory!r:.60} cannot travel; send dict(value)")
    return encoder.extend(codes.DEFAULT_DICT, [name or None, dict(value)])


def _unpack_defaultdict(decoder: Decoder, payload: bytes) -> defaultdict[Any, Any]:
    name, items = decoder.items(payload)
    factory = None if name is None else _FACTORIES[name]
    return defaultdict(factory, _expect(dict, items))


def _expect(kind: type, value: Any) -> Any:
    if type(value) is not kind:
        raise ProtocolError(f"a {kind.__name__} is missing in the payload of an extension")
    return value


_TYPE_CODES = "bBhHiIlLqQfd"


def _pack_compact(encoder: Encoder, value: array[Any]) -> ExtType:
    if value.typecode not in _TYPE_CODES:
        raise SerializeError(
            f"an array of type code {value.typecode!r} cannot travel; send value.tounicode()"
        )
    if sys.byteorder == "big":
        value = value[:]
        value.byteswap()
    return extension(codes.COMPACT_ARRAY, value.typecode.encode() + bytes([value.itemsize]) + value.tobytes())


def _unpack_compact(decoder: Decoder, payload: bytes) -> array[Any]:
    letter, size = chr(payload[0]), payload[1]
    if letter not in _TYPE_CODES:
        raise ProtocolError(f"{letter!r} is no type code of an array")
    made: array[Any] = array(_here(letter, size))
    made.frombytes(payload[2:])
    if sys.byteorder == "big":
        made.byteswap()
    return made


def _here(letter: str, size: int) -> str:
    """The type code for items of this size on this computer, where a C `long` may be another one."""
    alike = "bhilq" if letter in "bhilq" else "BHILQ" if letter in "BHILQ" else letter
    for candidate in letter + alike:
        if array(candidate).itemsize == size:
            return candidate
    raise ProtocolError(f"an array of type code {letter!r} has no items of {size} bytes")


PACKING: dict[type, Packing] = {
    deque: _pack_deque,
    OrderedDict: _pack_mapping(codes.ORDERED_DICT),
    defaultdict: _pack_defaultdict,
    Counter: _pack_mapping(codes.COUNTER),
    array: _pack_compact,
}

UNPACKING: dict[int, Unpacking] = {
    codes.DEQUE: _unpack_deque,
    codes.ORDERED_DICT: _unpack_mapping(OrderedDict),
    codes.DEFAULT_DICT: _unpack_defaultdict,
    codes.COUNTER: _unpack_mapping(Counter),
    codes.COMPACT_ARRAY: _unpack_compact,
}
