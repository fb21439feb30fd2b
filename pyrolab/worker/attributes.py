"""Attributes of objects whose classes know nothing of PyroLab, beyond what their classes show.

Channels are often put into an instance when it is made, and some libraries make attributes up when they are
asked for. So whoever names one gets it if it is there; nothing is read just to find out what there is.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Collection
from enum import EnumMeta
from types import FunctionType, GetSetDescriptorType, MemberDescriptorType, ModuleType
from typing import Any

_MISSING = object()
#: What a program is made of is no attribute of an instrument.
_NEVER = (type, ModuleType)


def get(owner: Any, name: str, known: Collection[str]) -> Any:
    """The attribute of `owner` of this public name. Raises `AttributeError`; `known` is for its hint."""
    found = inspect.getattr_static(owner, name, _MISSING)
    if name.startswith("_") or (found is _MISSING and not _makes_up(type(owner), "__getattr__")):
        raise _unknown(owner, name, known, "read")
    value = getattr(owner, name)
    if isinstance(value, _NEVER) and not isinstance(value, EnumMeta):
        raise _unknown(owner, name, known, "read")
    return value


def set_(owner: Any, name: str, value: Any, known: Collection[str]) -> None:
    """Set an attribute that is there already. Raises `AttributeError` for any other: it may be a slip."""
    if name.startswith("_") or not _can_set(owner, name):
        raise _unknown(owner, name, known, "set")
    setattr(owner, name, value)


def public_names(owner: Any) -> list[str]:
    """The public attributes in the instance itself. Nothing is read."""
    try:
        own = object.__getattribute__(owner, "__dict__")
    except (AttributeError, TypeError):
        return []
    return sorted(name for name in own if isinstance(name, str) and not name.startswith("_"))


def _can_set(owner: Any, name: str) -> bool:
    found = inspect.getattr_static(owner, name, _MISSING)
    if found is _MISSING:
        return name in _special_names(owner)
    return not (isinstance(found, FunctionType) and name not in public_names(owner))


def _special_names(owner: Any) -> Collection[str]:
    """Names that can be set although they are not there: PyMeasure's dynamic properties have such."""
    found = inspect.getattr_static(owner, "_special_names", ())
    if isinstance(found, (GetSetDescriptorType, MemberDescriptorType)):
        return ()
    return found if isinstance(found, (list, tuple, set, frozenset)) else ()


def _makes_up(cls: type, hook: str) -> bool:
    return any(hook in vars(each) for each in cls.__mro__)


def _unknown(owner: Any, name: str, known: Collection[str], verb: str) -> AttributeError:
    names = sorted({*known, *public_names(owner)})
    close = difflib.get_close_matches(name, names, n=3)
    hint = "; did you mean " + " or ".join(map(repr, close)) + "?" if close else ""
    return AttributeError(f"{type(owner).__qualname__!r} has no attribute {name!r:.100} to {verb}{hint}")
