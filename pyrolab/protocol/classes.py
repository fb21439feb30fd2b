"""Classes by name, among those that this process has imported by itself, and only by looking.

A name from a peer imports nothing and runs nothing: module `__getattr__`, lazy modules, metaclasses and
descriptors are all passed by, because only the dictionaries behind them are read.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from pyrolab.errors import ProtocolError

#: Characters in the name of a class, module and all.
MAX_CLASS_NAME_CHARS = 512


def name_of(cls: type) -> str:
    """How a class is called on the wire: `module:qualified.name`."""
    return f"{cls.__module__}:{cls.__qualname__}"


def checked_name(name: Any) -> str:
    """Return `name` if it can be the name of a class. Raises `ProtocolError`."""
    if type(name) is not str or not 0 < len(name) <= MAX_CLASS_NAME_CHARS:
        raise ProtocolError(f"{name!r:.60} is no name of a class")
    return name


def find(name: str) -> type | None:
    """The class of this name if its module is loaded here and really holds it."""
    module_name, _, qualified = name.partition(":")
    module = sys.modules.get(module_name)
    if not issubclass(type(module), ModuleType):
        return None
    found: Any = None
    namespace = object.__getattribute__(module, "__dict__")
    for step in qualified.split("."):
        found = namespace.get(step)
        if not issubclass(type(found), type):
            return None
        namespace = type.__getattribute__(found, "__dict__")
    return found if name_of(found) == name else None


def runs_code_when_dropped(cls: type) -> bool:
    """Whether instances have a `__del__`, which a peer could set off with fields of its choice."""
    return any("__del__" in vars(base) for base in cls.__mro__)
