"""The extension type codes of the wire; `docs/values.md` holds the bytes of each payload.

Codes below `NESTING` carry bytes of their own form. From `NESTING` on, a payload is itself one msgpack
value, so that a reader can bound a body, and pass it on, without knowing what its extensions mean.
"""

from __future__ import annotations

from typing import Any

from msgpack import ExtType

#: Big integer: two's complement, big-endian, at least one byte.
INTEGER = 1
#: `bytearray`: its bytes.
BYTEARRAY = 2
#: `str` that is no valid Unicode text (lone surrogates): UTF-8 in which surrogates are encoded too.
TEXT = 3
COMPLEX = 4
ELLIPSIS = 5
DATE = 6
TIMEDELTA = 7
DECIMAL = 8
UUID = 9
PATH = 10
ZONE = 11
#: `array.array`: type code, item size, items.
COMPACT_ARRAY = 12

#: From here on, the payload is one msgpack value.
NESTING = 32
TUPLE = 32
SET = 33
FROZENSET = 34
RANGE = 35
SLICE = 36
DATETIME = 37
TIME = 38
TIMEZONE = 39
FRACTION = 40
DEQUE = 41
ORDERED_DICT = 42
DEFAULT_DICT = 43
COUNTER = 44
RECORD = 45
NAMED_TUPLE = 46
ENUM = 47
NDARRAY = 48
NUMPY_SCALAR = 49
PANDAS = 50
QUANTITY = 51
EXCEPTION = 52
#: An instance of a class that has converters, as a name and attributes.
DICT = 53
#: A value that stays encoded until somebody asks for it.
BLOB = 54

#: Kept for what PyroLab itself will send: a service as a reference, a function to call back, a stream, a
#: member of another service.
SERVICE = 56
CALLABLE = 57
STREAM = 58
NODE = 59
RESERVED = frozenset({SERVICE, CALLABLE, STREAM, NODE})

#: Free for the classes of users; msgpack itself ends at 127 and keeps the negative codes.
USER_CODES = range(64, 128)


def extension(code: int, payload: bytes) -> ExtType:
    """An `ExtType` without the checks of its constructor, which cost more than the packing."""
    made: ExtType = _new_tuple(ExtType, (code, payload))
    return made


_new_tuple: Any = tuple.__new__
