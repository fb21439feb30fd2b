"""Values in a few words, for a log. Takes little time and room, whatever the values are, and never raises.

Therefore no `repr` of a class that is not known here is called: it may take for ever, or move something.
"""

from __future__ import annotations

import array
import datetime
import decimal
import enum
import pathlib
import sys
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

#: Characters of one text or number, and of all arguments of a call.
MAX_CHARS, MAX_ALL_CHARS = 80, 400
#: Items of one container, and containers within containers.
MAX_ITEMS, MAX_DEPTH = 8, 3
_MAX_BITS = 256
_MORE = "..."

#: What these say of themselves is known to be harmless, and is cut if it is long.
_HARMLESS = (datetime.date, datetime.time, datetime.timedelta, uuid.UUID, pathlib.PurePath)
_MAX_DECIMAL_BYTES = 500


def brief(value: Any) -> str:
    """A value in at most some hundred characters."""
    return cut(_Shortening(MAX_ALL_CHARS).of(value, MAX_DEPTH), MAX_ALL_CHARS)


def brief_arguments(args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """The arguments of a call as it would be written: `12.5, 'fast', steps=3`."""
    shortening = _Shortening(MAX_ALL_CHARS)
    try:
        words = [shortening.of(value, MAX_DEPTH) for value in islice(args, MAX_ITEMS)]
        if kwargs:
            pairs = islice(kwargs.items(), MAX_ITEMS)
            words += [f"{cut(str(name))}={shortening.of(value, MAX_DEPTH)}" for name, value in pairs]
        if len(args) > MAX_ITEMS or len(kwargs) > MAX_ITEMS:
            words.append(_MORE)
    except Exception:  # noqa: BLE001 - a mapping of the user's own may raise anything
        words = [_MORE]
    return cut(", ".join(words), MAX_ALL_CHARS)


def cut(text: str, limit: int = MAX_CHARS) -> str:
    """A text of at most `limit` characters; dots say that there is more."""
    return text if len(text) <= limit else text[: limit - len(_MORE)] + _MORE


class _Shortening:
    """Shortens values until there is no room left; then each becomes three dots."""

    __slots__ = ("_room",)

    def __init__(self, room: int) -> None:
        self._room = room

    def of(self, value: Any, depth: int) -> str:
        """The words for a value."""
        if self._room <= 0:
            return _MORE
        show = _PLAIN.get(type(value))
        try:
            text = show(value) if show is not None else self._other(value, depth)
        except Exception:  # noqa: BLE001 - a class of the user's may raise anything when it is looked at
            text = _kind(value)
        self._room -= len(text)
        return text

    def _other(self, value: Any, depth: int) -> str:
        for base, open_with, close_with, iterate in _CONTAINERS:
            if isinstance(value, base):
                if hasattr(type(value), "_fields"):
                    return self._fields(value, dict(zip(value._fields, value, strict=False)), depth)
                return open_with + self._items(iterate(value), base.__len__(value), depth) + close_with
        if isinstance(value, dict):
            return "{" + self._pairs(value, depth, ": ") + "}"
        if isinstance(value, enum.Enum):
            return f"{type(value).__name__}.{value.name}"
        for base, show in _BASES:
            if isinstance(value, base):
                return show(value)
        return self._of_library(value, depth) or self._of_class(value, depth)

    def _items(self, items: Iterable[Any], count: int, depth: int) -> str:
        if not depth:
            return _MORE
        words = [self.of(item, depth - 1) for item in islice(items, MAX_ITEMS)]
        return ", ".join([*words, f"+{count - MAX_ITEMS} more"] if count > MAX_ITEMS else words)

    def _pairs(self, fields: dict[Any, Any], depth: int, between: str) -> str:
        """The items of a dictionary, or of an object: then the keys are names."""
        if not depth:
            return _MORE
        some = islice(dict.items(fields), MAX_ITEMS)
        named = between == "="
        words = [
            f"{cut(str(key)) if named else self.of(key, 0)}{between}{self.of(each, depth - 1)}"
            for key, each in some
        ]
        more = dict.__len__(fields) - MAX_ITEMS
        return ", ".join([*words, f"+{more} more"] if more > 0 else words)

    def _fields(self, value: Any, fields: dict[str, Any], depth: int) -> str:
        return f"{type(value).__name__}({self._pairs(fields, depth, '=')})"

    def _of_library(self, value: Any, depth: int) -> str:
        """Arrays by dtype and shape, tables by shape; libraries that nobody has loaded made no value."""
        numpy, pandas, pint = (sys.modules.get(name) for name in ("numpy", "pandas", "pint"))
        if numpy is not None and isinstance(value, numpy.ndarray):
            return f"<array {_shape(value.shape)} {value.dtype.name}>"
        if numpy is not None and isinstance(value, (numpy.number, numpy.datetime64, numpy.bool_)):
            return cut(str(value))
        if pandas is not None and isinstance(value, (pandas.DataFrame, pandas.Series, pandas.Index)):
            return f"<{type(value).__name__} {_shape(value.shape)}>"
        if pint is not None and isinstance(value, pint.Quantity):
            return f"{self.of(value.magnitude, depth)} {cut(str(value.units))}"
        return ""

    def _of_class(self, value: Any, depth: int) -> str:
        """A dataclass, or a stand-in for one, by its fields; anything else by the name of its class."""
        names = getattr(type(value), "__dataclass_fields__", None)
        if names is not None:
            return self._fields(value, {name: getattr(value, name) for name in names}, depth)
        if type(value).__module__ == "pyrolab.protocol.records":
            return f"{value.type_name.rpartition(':')[2]}({self._pairs(value.fields, depth, '=')})"
        return _kind(value)


def _kind(value: Any) -> str:
    return f"<{cut(type(value).__name__)}>"


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "0-d"


def _whole(value: int) -> str:
    bits = int.bit_length(value)
    return int.__repr__(value) if bits <= _MAX_BITS else f"<int of {bits} bits>"


def _text(value: str) -> str:
    length = str.__len__(value)
    if length <= MAX_CHARS:
        return str.__repr__(value)
    return f"{str.__getitem__(value, slice(MAX_CHARS - 20))!r}+{length - MAX_CHARS + 20} more"


def _bytes(value: bytes | bytearray | memoryview) -> str:
    size = value.nbytes if isinstance(value, memoryview) else len(value)
    return repr(bytes(value)) if size <= 16 else f"<{size} bytes>"


def _decimal(value: decimal.Decimal) -> str:
    return str(value) if sys.getsizeof(value) <= _MAX_DECIMAL_BYTES else _kind(value)


_PLAIN: dict[type, Callable[[Any], str]] = {
    type(None): repr,
    bool: repr,
    float: repr,
    complex: repr,
    int: _whole,
    str: _text,
    bytes: _bytes,
    bytearray: _bytes,
    memoryview: _bytes,
    array.array: lambda value: f"<array {len(value)} {value.typecode}>",
    decimal.Decimal: _decimal,
    slice: lambda value: cut(repr(value)) if _is_plain(value) else "<slice>",
    type(...): lambda value: "...",
}
#: The class, its brackets, and how to get at the items without asking a subclass.
_CONTAINERS: tuple[tuple[Any, str, str, Callable[[Any], Iterable[Any]]], ...] = (
    (list, "[", "]", list.__iter__),
    (tuple, "(", ")", tuple.__iter__),
    (set, "{", "}", set.__iter__),
    (frozenset, "{", "}", frozenset.__iter__),
    (deque, "[", "]", deque.__iter__),
)
#: Subclasses of these are shown as what they are based on.
_BASES: tuple[tuple[Any, Callable[[Any], str]], ...] = (
    (int, _whole),
    (float, float.__repr__),
    (str, _text),
    (bytes, _bytes),
    (_HARMLESS, lambda value: cut(str(value))),
)


def _is_plain(value: slice) -> bool:
    return all(part is None or type(part) is int for part in (value.start, value.stop, value.step))
