"""Which file knows how to pack a type, or unpack a code, that is not builtin.

Each is loaded when the first such value passes, so that a client which sends numbers never waits for the
import of NumPy. The names of the files are fixed here; nothing that a peer sends chooses among modules.
"""

from __future__ import annotations

import sys
import types
from enum import Enum
from importlib import import_module
from typing import TYPE_CHECKING, Any

from pyrolab.errors import ProtocolError, SerializeError
from pyrolab.protocol import builtin, codes

if TYPE_CHECKING:
    from pyrolab.protocol.codec import Packing, Unpacking

_SCALARS = "pyrolab.protocol.scalars"
_COLLECTIONS = "pyrolab.protocol.collection_types"
_RECORDS = "pyrolab.protocol.records"
_ARRAYS = "pyrolab.protocol.arrays"
_TABLES = "pyrolab.protocol.tables"
_FOREIGN = "pyrolab.protocol.foreign"
_QUANTITIES = "pyrolab.protocol.quantities"
_EXCEPTIONS = "pyrolab.protocol.exceptions"
_CONVERTED = "pyrolab.protocol.converted"
_BLOBS = "pyrolab.protocol.blobs"

_UNPACKED_BY = {
    **dict.fromkeys(
        (codes.DATE, codes.TIMEDELTA, codes.DECIMAL, codes.UUID, codes.PATH, codes.ZONE, codes.DATETIME),
        _SCALARS,
    ),
    **dict.fromkeys((codes.TIME, codes.TIMEZONE, codes.FRACTION), _SCALARS),
    **dict.fromkeys((codes.DEQUE, codes.ORDERED_DICT, codes.DEFAULT_DICT, codes.COUNTER), _COLLECTIONS),
    codes.COMPACT_ARRAY: _COLLECTIONS,
    **dict.fromkeys((codes.RECORD, codes.NAMED_TUPLE, codes.ENUM), _RECORDS),
    **dict.fromkeys((codes.NDARRAY, codes.NUMPY_SCALAR), _ARRAYS),
    codes.PANDAS: _TABLES,
    codes.QUANTITY: _QUANTITIES,
    codes.EXCEPTION: _EXCEPTIONS,
    codes.DICT: _CONVERTED,
    codes.BLOB: _BLOBS,
}

#: Files that can pack types of a library, which a value of such a type proves to be loaded.
_PACKED_BY = {"numpy": _ARRAYS, "pandas": _TABLES, "pint": _QUANTITIES}


def packing_of(kind: type) -> Packing:
    """How instances of `kind` are packed. Raises `SerializeError` if they cannot travel."""
    if kind in builtin.PACKING:
        return builtin.PACKING[kind]
    found = _packing_if_loaded(_CONVERTED, kind)  # first, because a user has said so
    for module in (_SCALARS, _COLLECTIONS, _FOREIGN):
        found = found or _load(module).PACKING.get(kind)
    found = found or _packing_of_library(kind) or _packing_if_loaded(_BLOBS, kind)
    if found is None and issubclass(kind, BaseException):
        found = _load(_EXCEPTIONS).packing_of(kind)
    found = (
        found or _load(_RECORDS).packing_of(kind) or _packing_if_loaded(_CONVERTED, kind, "packing_of_named")
    )
    if found is None:
        raise SerializeError(_refusal(kind))
    return found


def unpacking_of(code: int) -> Unpacking:
    """How the payload of `code` is unpacked. Raises `ProtocolError` for an unknown code."""
    try:
        module = _UNPACKED_BY[code]
    except KeyError:
        raise ProtocolError(f"extension code {code} means nothing here") from None
    unpack: Unpacking = _load(module).UNPACKING[code]
    return unpack


def _load(module: str) -> Any:
    return sys.modules.get(module) or import_module(module)


def _packing_if_loaded(module: str, kind: type, choice: str = "packing_of") -> Packing | None:
    """What a module of ours says that only whoever uses it has loaded."""
    loaded = sys.modules.get(module)
    found: Packing | None = getattr(loaded, choice)(kind) if loaded is not None else None
    return found


def _packing_of_library(kind: type) -> Packing | None:
    for library, module in _PACKED_BY.items():
        if library in sys.modules:
            found: Packing | None = _load(module).packing_of(kind)
            if found is not None:
                return found
    return None


def _refusal(kind: type) -> str:
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    advice = next((text for base, text in _ADVICE.items() if issubclass(kind, base)), _GENERAL_ADVICE)
    return f"a value of type {name} cannot travel; {advice}"


_GENERAL_ADVICE = (
    "send its fields as plain values, make its class a dataclass, or use register_class_to_dict for it"
)
_ADVICE: dict[Any, str] = {
    types.GeneratorType: "send a list of its items",
    (
        types.FunctionType,
        types.MethodType,
        types.BuiltinFunctionType,
    ): "functions stay where they are defined",
    type: "send its name instead of the class",
    types.ModuleType: "send its name instead of the module",
    types.MappingProxyType: "send dict(value)",
    (type({}.keys()), type({}.values()), type({}.items())): "send list(value)",
    Enum: _GENERAL_ADVICE,
    str: "it is a subclass of str that the other side does not know; send str(value)",
    (bytes, bytearray): "it is a subclass of bytes that the other side does not know; send bytes(value)",
    int: "it is a subclass of int that the other side does not know; send int(value)",
    float: "it is a subclass of float that the other side does not know; send float(value)",
    dict: "it is a subclass of dict that the other side does not know; send dict(value)",
    list: "it is a subclass of list that the other side does not know; send list(value)",
    tuple: "it is a subclass of tuple that the other side does not know; send tuple(value)",
    (set, frozenset): "it is a subclass of set that the other side does not know; send set(value)",
}
