"""What of an object may be reached, and the way to it: along what is exposed, never beyond.

An object is seen through its class alone; the way goes through properties that its class exposes, through
items if the class offers them, and through the items of plain lists, tuples and dicts.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import EnumMeta
from queue import Queue, SimpleQueue
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

from pyrolab.protocol import classes
from pyrolab.protocol.call_body import Step
from pyrolab.protocol.interface import QUEUE_TYPE, Interface, Property
from pyrolab.worker import attributes
from pyrolab.worker.introspection import interface_of

#: Their items are reached, as values or as sub-objects.
CONTAINERS = (dict, list, tuple)
_FUNCTIONS = (FunctionType, MethodType, BuiltinFunctionType)
_NEVER = (type, ModuleType, *_FUNCTIONS)
QUEUES = (Queue, SimpleQueue)
#: What classes without marks hand out to be used where it is: functions, Enum classes, and queues as streams.
_IN_ATTRIBUTES = (*_FUNCTIONS, EnumMeta, *QUEUES)


class Views:
    """What is exposed of objects, by the policy of one service: members "marked", or all "public" ones."""

    def __init__(self, policy: str = "marked") -> None:
        self.policy = policy
        self._of_class: dict[type, Interface] = {}

    def of_class(self, cls: type) -> Interface:
        """What objects of a class offer."""
        found = self._of_class.get(cls)
        if found is None:
            found = self._of_class[cls] = interface_of(cls, self.policy)
        return found

    def offers(self, cls: type) -> bool:
        """Whether objects of a class can be reached as sub-objects."""
        if self.policy == "public" and issubclass(cls, _IN_ATTRIBUTES):
            return True
        if issubclass(cls, _NEVER) or cls.__module__ == "builtins":
            return False
        if self.policy == "public" and cls.__module__.partition(".")[0] in sys.stdlib_module_names:
            return False
        view = self.of_class(cls)
        return bool(view.names())

    def walk(self, start: Any, steps: Sequence[Step]) -> Any:
        """The object at the end of `steps`. Raises `AttributeError` for what is not exposed."""
        reached = start
        for step in steps:
            reached = self.get(reached, step)
        return reached

    def get(self, owner: Any, step: Step) -> Any:
        """The value of a property, or an item."""
        if isinstance(step, str):
            if self._is_beyond(owner, step):
                return attributes.get(owner, step, self.of_class(type(owner)).names())
            self._require(owner, step, "r", "read")
            return getattr(owner, step)
        return owner[self._key(owner, step, "__getitem__")]

    def set(self, owner: Any, step: Step, value: Any) -> None:
        """Set a property or an item."""
        if isinstance(step, str):
            if self._is_beyond(owner, step):
                attributes.set_(owner, step, value, self.of_class(type(owner)).names())
                return
            self._require(owner, step, "w", "set")
            setattr(owner, step, value)
        else:
            owner[self._key(owner, step, "__setitem__")] = value

    def delete(self, owner: Any, step: Step) -> None:
        """Delete a property or an item."""
        if isinstance(step, str):
            self._require(owner, step, "d", "delete")
            delattr(owner, step)
        else:
            del owner[self._key(owner, step, "__delitem__")]

    def method(self, owner: Any, step: Step) -> Any:
        """A method, bound."""
        view = self.of_class(type(owner))
        if not isinstance(step, str) or step not in view.methods:
            raise not_offered(view, step, "call")
        return getattr(owner, step)

    def _is_beyond(self, owner: Any, name: str) -> bool:
        """Whether a member is none that the class shows, and may be there nevertheless."""
        view = self.of_class(type(owner))
        return view.is_open and name not in view.properties

    def of(self, owner: Any) -> Interface:
        """What an object offers: what its class shows, and for an open one what is in it besides."""
        view = self.of_class(type(owner))
        if not view.is_open:
            return view
        more = {name: Property(access="rw") for name in attributes.public_names(owner)}
        known = {*view.methods, *view.events, *view.streams}
        added = {name: each for name, each in more.items() if name not in known}
        return replace(view, properties={**added, **view.properties})

    def _require(self, owner: Any, name: str, access: str, verb: str) -> None:
        view = self.of_class(type(owner))
        found = view.properties.get(name)
        if found is None:
            raise not_offered(view, name, verb)
        if access not in found.access:
            raise AttributeError(f"property {name!r} of {_short(view)!r} object has {_LACKS[access]}")

    def _key(self, owner: Any, step: Step, dunder: str) -> Any:
        assert isinstance(step, list)
        plain = type(owner) in CONTAINERS
        if not plain and dunder not in self.of_class(type(owner)).methods:
            raise TypeError(f"{type(owner).__name__!r} object {_NO_ITEMS[dunder]}")
        return step[0]


_LACKS = {"r": "no getter", "w": "no setter", "d": "no deleter"}
_NO_ITEMS = {
    "__getitem__": "is not subscriptable",
    "__setitem__": "does not support item assignment",
    "__delitem__": "does not support item deletion",
}


def not_offered(view: Interface, name: Any, verb: str) -> AttributeError:
    """The error for a member that a class does not expose; it lists those with close names."""
    close = difflib.get_close_matches(str(name), view.names(), n=3)
    hint = "; did you mean " + " or ".join(map(repr, close)) + "?" if close else ""
    return AttributeError(f"{view.type_name} offers no {name!r:.100} to {verb}{hint}")


def _short(view: Interface) -> str:
    return view.type_name.rpartition(":")[2]


def type_key(cls: type) -> str:
    """The name under which a client knows the interface of a class."""
    return QUEUE_TYPE if issubclass(cls, QUEUES) else classes.name_of(cls)


def elements(value: Any) -> Iterator[tuple[Any, Any]]:
    """Keys and items of a plain container."""
    return iter(value.items()) if type(value) is dict else enumerate(value)
