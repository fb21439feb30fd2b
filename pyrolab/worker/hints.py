"""What annotations mean where they were written: text is evaluated, and units and classes are found in it.

Only the annotations of a class that is hosted here come this way, never anything that a peer has sent.
"""

from __future__ import annotations

import inspect
import sys
import types
import typing
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from pyrolab.protocol.annotations import UNKNOWN


class Hints:
    """Evaluates annotations, each text once."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, type, str], Any] = {}

    def meaning(self, annotation: Any, function: Any, owner: type) -> Any:
        """What the annotation of `function`, or without one of the class `owner` itself, stands for.

        `UNKNOWN` if it is text that cannot be evaluated, such as a name imported for type checkers only.
        """
        if type(annotation) is not str:
            return annotation
        namespace = _namespace_of(function, owner)
        key = (id(namespace), owner, annotation)
        if key not in self._known:
            self._known[key] = _evaluated(annotation, namespace, owner)
        return self._known[key]


def _namespace_of(function: Any, owner: type) -> dict[str, Any]:
    if function is not None:
        try:
            function = inspect.unwrap(function)
        except ValueError:  # it is wrapped in itself
            pass
        found = getattr(function, "__globals__", None)
        if isinstance(found, dict):
            return found
    return vars(sys.modules[owner.__module__]) if owner.__module__ in sys.modules else {}


def _evaluated(text: str, namespace: dict[str, Any], owner: type) -> Any:
    """As Python sees it, or, because many write it so, as seen from inside of the class."""
    holder = types.SimpleNamespace(__annotations__={"it": text})
    for own in ({}, dict(vars(owner))):
        try:
            return typing.get_type_hints(holder, namespace, own, include_extras=True)["it"]
        except Exception:  # noqa: BLE001, S112 - it is the user's code, and may raise anything
            continue
    return UNKNOWN


def of_property(owner: type, name: str, member: Any) -> tuple[Any, Any]:
    """The annotation of a property's value, and the function where it is written, if any."""
    if isinstance(member, property) and member.fget is None:
        given = [each for name, each in _annotations(member.fset).items() if name != "return"]
        return (given[-1] if given else _NONE), member.fset
    getter = member.fget if isinstance(member, property) else _getter_of(member)
    if getter is not None:
        return _annotations(getter).get("return", _NONE), getter
    return _annotations(owner).get(name, _NONE), None


_NONE = inspect.Parameter.empty


def _getter_of(member: Any) -> Any:
    return member.func if isinstance(member, cached_property) else None


def _annotations(holder: Any) -> Mapping[str, Any]:
    try:
        return inspect.get_annotations(holder)
    except Exception:  # noqa: BLE001 - no function, or one that says nonsense about itself
        return {}


def unit_of(meaning: Any) -> str:
    """The symbol of the unit that rides on a type: `nm` for `Annotated[float, Unit("nm")]`, also `| None`."""
    origin = typing.get_origin(meaning)
    if origin is typing.Annotated:
        return next(filter(None, map(_symbol, meaning.__metadata__)), "")
    if origin in (typing.Union, types.UnionType):
        return next(filter(None, map(unit_of, typing.get_args(meaning))), "")
    return ""


def _symbol(metadata: Any) -> str:
    pint = sys.modules.get("pint")
    if pint is not None and isinstance(metadata, pint.Unit):
        return str(metadata)
    symbol = getattr(metadata, "symbol", None)
    return symbol if type(symbol) is str else ""


def class_of(meaning: Any) -> type | None:
    """The class of which every value is, if the annotation is as simple as that."""
    if typing.get_origin(meaning) is typing.Annotated:
        meaning = meaning.__origin__
    found = typing.get_origin(meaning) or meaning
    return found if isinstance(found, type) else None
