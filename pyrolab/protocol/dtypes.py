"""NumPy dtypes as text or lists, against a fixed grammar.

Nothing from a peer reaches `np.dtype` before it has passed the grammar; object dtypes exist on neither side.
"""

from __future__ import annotations

import re
from functools import lru_cache
from math import prod
from typing import Any, TypeAlias

import numpy as np

from pyrolab.errors import ProtocolError, SerializeError
from pyrolab.protocol.limits import MAX_DIMENSIONS

#: Text for simple dtypes; `[item size, aligned, fields]` for structured ones, where a field is
#: `[name, dtype, offset]`, or with its shape and its title after these.
Description: TypeAlias = "str | list[Any]"

#: Bytes of one item; NumPy's own bound.
MAX_ITEM_BYTES = (1 << 31) - 1
MAX_FIELDS = 1024

_SIMPLE = re.compile(
    r"\|[biu]1|[<>](?:[iu][248]|f[248]|c8|c16)"
    r"|\|[SV]\d{1,10}|[<>]U\d{1,9}"
    r"|[<>][mM]8(?:\[(?:[1-9]\d{0,9})?(?:Y|M|W|D|h|m|s|ms|us|ns|ps|fs|as)\])?"
)
#: `long double` is not the same on every processor: the bits of its fraction tell which one it is.
_LONG = re.compile(r"([<>][fc]\d\d?)m(\d{2,3})")


def describe(dtype: np.dtype[Any]) -> Description:
    """What travels for `dtype`. Raises `SerializeError` if it cannot."""
    if dtype.hasobject:
        raise SerializeError(
            "an array of dtype object cannot travel; give it another dtype with astype(...), or send tolist()"
        )
    return _describe_simple(dtype) if dtype.names is None else _describe_structured(dtype)


@lru_cache(maxsize=256)
def _describe_simple(dtype: np.dtype[Any]) -> str:
    text = dtype.str
    if dtype.type in (np.longdouble, np.clongdouble) and not _SIMPLE.fullmatch(text):
        return f"{text}m{np.finfo(dtype).nmant}"
    if not _SIMPLE.fullmatch(text) or np.dtype(text) != dtype:
        raise SerializeError(f"an array of dtype {dtype} cannot travel; convert it with astype(...) first")
    return text


def _describe_structured(dtype: np.dtype[Any]) -> Description:
    fields = []
    fields_of: Any = dtype.fields
    for name in dtype.names or ():
        whole, offset, *title = fields_of[name]
        shape, base = whole.shape, whole.base
        field: list[Any] = [name, describe(base), offset]
        if shape or title:
            field.append(list(shape))
        if title:
            field.append(title[0])
        fields.append(field)
    return [dtype.itemsize, dtype.isalignedstruct, fields]


def build(description: Any) -> np.dtype[Any]:
    """The dtype of a description from a peer. Raises `ProtocolError` if the grammar does not allow it."""
    if type(description) is str:
        return _build_simple(description)
    if type(description) is not list:
        raise ProtocolError("a dtype is text or an array")
    return _build_structured(description)


@lru_cache(maxsize=256)
def _build_simple(text: str) -> np.dtype[Any]:
    if _SIMPLE.fullmatch(text):
        kind, length = text[1], text[2:]
        if kind in "SVU" and int(length) * (4 if kind == "U" else 1) > MAX_ITEM_BYTES:
            raise ProtocolError(f"items of dtype {text:.40} are too large")
        return np.dtype(text)
    if not _LONG.fullmatch(text):
        raise ProtocolError(f"{text!r:.40} is no dtype that may travel")
    if text not in _LONG_DOUBLES_HERE:
        raise ProtocolError(
            f"this computer has no long double of the sender's kind ({text}); send float64 or complex128"
        )
    return np.dtype(text.partition("m")[0])


_LONG_DOUBLES_HERE = frozenset(
    f"{dtype.str}m{np.finfo(dtype).nmant}"
    for native in (np.dtype(np.longdouble), np.dtype(np.clongdouble))
    for dtype in (native, native.newbyteorder())
    if np.finfo(native).nmant != np.finfo(np.float64).nmant
)


def _build_structured(description: list[Any]) -> np.dtype[Any]:
    size, aligned, fields = description
    if type(size) is not int or not 0 <= size <= MAX_ITEM_BYTES or type(aligned) is not bool:
        raise ProtocolError("the size of a structured dtype is an integer, and its alignment a truth value")
    if type(fields) is not list or len(fields) > MAX_FIELDS:
        raise ProtocolError(f"the fields of a dtype are an array of at most {MAX_FIELDS}")
    parts = [_build_field(field, size) for field in fields]
    return np.dtype(
        {
            "names": [part[0] for part in parts],
            "formats": [part[1] for part in parts],
            "offsets": [part[2] for part in parts],
            "titles": [part[3] for part in parts],
            "itemsize": size,
        },
        align=aligned,
    )


_FIELD_DEFAULTS: tuple[Any, ...] = ([], None)


def _build_field(field: list[Any], size: int) -> tuple[str, Any, int, str | None]:
    name, description, offset, shape, title = [*field, *_FIELD_DEFAULTS[len(field) - 3 :]]
    if type(name) is not str or not name or type(offset) is not int or offset < 0:
        raise ProtocolError("a field of a dtype has a name and an offset")
    if title is not None and type(title) is not str:
        raise ProtocolError("the title of a field is text")
    base = build(description)
    if offset + base.itemsize * prod(checked_shape(shape)) > size:
        raise ProtocolError(f"field {name!r:.40} ends outside of its item")
    return name, (base, tuple(shape)) if shape else base, offset, title


def checked_shape(shape: Any) -> list[int]:
    """Return `shape` if it can be the shape of an array. Raises `ProtocolError`."""
    if type(shape) is not list or len(shape) > MAX_DIMENSIONS:
        raise ProtocolError(f"a shape is an array of at most {MAX_DIMENSIONS} lengths")
    if not all(type(length) is int and 0 <= length < 1 << 63 for length in shape):
        raise ProtocolError("the lengths in a shape are integers from 0")
    return shape
