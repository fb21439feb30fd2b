"""Metadata for the name service that says of which classes an object is."""

from __future__ import annotations

from typing import Any


def type_meta(class_or_object: Any, prefix: str = "class:") -> set[str]:
    """The class and its bases as words for the name service: `{"class:lab.Laser", "class:lab.Device"}`.

    Registered with them, an object is found by `yplookup` and `PYROMETA:class:lab.Device`. Builtin classes
    are left out.
    """
    cls = class_or_object if isinstance(class_or_object, type) else type(class_or_object)
    return {f"{prefix}{base.__module__}.{base.__name__}" for base in cls.__mro__ if _is_of_interest(base)}


def _is_of_interest(cls: type) -> bool:
    return cls.__module__ != "builtins"
