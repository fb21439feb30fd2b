"""Values that a description shows, such as defaults: builtin ones as they are, others as text and packed.

So a description is read without loading NumPy or looking up a class, until somebody asks for such a value.
The data are `[value]`, or `[None, text, bytes]`, or `[None, text]` for what cannot travel.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pyrolab.errors import ProtocolError, SerializeError
from pyrolab.protocol import bounds, codec
from pyrolab.protocol.limits import Limits

#: Characters of a text that are shown.
MAX_TEXT = 1000
#: Bytes of a value, packed.
MAX_VALUE_BYTES = 4096
_LIMITS = Limits(body_bytes=MAX_VALUE_BYTES, depth=8)
_PLAIN = (type(None), bool, int, float)


class ValueText:
    """Stands for a value that is not known here; it reads like the original."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ValueText) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)


def value_to_data(value: Any) -> list[Any]:
    """A value as plain data, whatever it is."""
    if type(value) in _PLAIN:
        return [value]
    body = _packed(value)
    if body is None:
        return [None, shown(value)]
    return [value] if _is_builtin(body) else [None, shown(value), body]


def travels(value: Any) -> bool:
    """Whether a value can be part of a description: it can travel, and is neither large nor deep."""
    return type(value) in _PLAIN or _packed(value) is not None


def _packed(value: Any) -> bytes | None:
    try:
        body, buffers = codec.encode(value)
        bounds.check(body, _LIMITS)
    except (SerializeError, bounds.OutOfBounds):
        return None
    return body if not buffers and len(body) <= MAX_VALUE_BYTES else None


def _is_builtin(body: bytes) -> bool:
    try:
        codec.decode_plain(body)
    except ProtocolError:
        return False
    return True


def shown(value: Any, show: Callable[[Any], str] = repr) -> str:
    """The text of a value; short enough, whatever its class does."""
    try:
        text = show(value)
    except Exception:  # noqa: BLE001 - a `__repr__` of the user's may raise anything
        text = f"<{type(value).__qualname__}>"
    return text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + "…"


def value_from_data(data: Sequence[Any]) -> Any:
    """The value, or a `ValueText` where it or its class is not known. Raises `ProtocolError` on nonsense."""
    if not isinstance(data, (list, tuple)) or not 1 <= len(data) <= 3:
        raise ProtocolError(f"{data!r:.60} is no value of a description")
    if len(data) == 1:
        return data[0]
    text = ValueText(str(data[1]))
    return text if len(data) == 2 else _unpacked(data[2], text)


def _unpacked(body: Any, text: ValueText) -> Any:
    if type(body) is not bytes:
        raise ProtocolError("a packed value is bytes")
    from pyrolab.protocol.records import EnumRecord, Record, TupleRecord

    found = codec.decode(body, limits=_LIMITS)
    return text if isinstance(found, (EnumRecord, Record, TupleRecord)) else found
