"""Where in a value the part is that cannot travel; looked for only after packing has failed."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

#: Characters of a path before its middle is left out.
_LONGEST_PATH = 200
_LONGEST_KEY = 60
_CIRCULAR = "it contains itself; send a tree, or refer to parts by name"


def locate(
    roots: Iterable[tuple[str, Any]], reason_against: Callable[[Any], str | None], otherwise: str
) -> tuple[str, str]:
    """The path to the first, innermost part that cannot travel, and why.

    `otherwise` is the reason if no part alone fails.
    """
    path, parts = "", list(roots)
    if len(parts) == 1:
        path = parts[0][0]
    inside: list[int] = []
    while True:
        found = _first_failing(parts, reason_against)
        if found is None:
            return _shortened(path or "the call"), otherwise
        path, value, otherwise = found
        if id(value) in inside:
            return _shortened(path), _CIRCULAR
        inside.append(id(value))
        parts = list(_parts(value, path))


def _first_failing(
    parts: list[tuple[str, Any]], reason_against: Callable[[Any], str | None]
) -> tuple[str, Any, str] | None:
    for path, value in parts:
        reason = reason_against(value)
        if reason is not None:
            return path, value, reason
    return None


def _parts(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """What `value` consists of, each with its path."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield f"the key {_short(key)} of {path}", key
            yield f"{path}[{_short(key)}]", item
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        yield from ((f"{path}.{name}", item) for name, item in zip(_fields_of(value), value, strict=False))
    elif isinstance(value, (list, tuple, deque)):
        yield from ((f"{path}[{index}]", item) for index, item in enumerate(value))
    elif isinstance(value, (set, frozenset)):
        yield from ((f"an element of {path}", item) for item in value)
    elif isinstance(value, slice):
        yield from ((f"{path}.{name}", getattr(value, name)) for name in ("start", "stop", "step"))
    elif dataclasses.is_dataclass(value):
        names = [each.name for each in dataclasses.fields(value)]
        yield from ((f"{path}.{name}", getattr(value, name)) for name in names if hasattr(value, name))


def _fields_of(value: Any) -> tuple[str, ...]:
    names: tuple[str, ...] = value._fields
    return names


def _short(key: Any) -> str:
    try:
        text = repr(key)
    except Exception:  # noqa: BLE001 - a key of a user's own class may fail at this too
        text = f"<a {type(key).__name__}>"
    return text if len(text) <= _LONGEST_KEY else text[:_LONGEST_KEY] + "…"


def _shortened(path: str) -> str:
    half = _LONGEST_PATH // 2
    return path if len(path) <= _LONGEST_PATH else f"{path[:half]} … {path[-half:]}"
