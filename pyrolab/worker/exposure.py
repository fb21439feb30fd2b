"""What a class lets others use, and how it is hosted: `expose`, `oneway`, `readonly`, `urgent`, `behavior`.

The decorators only leave marks; nothing here hosts or looks at instances. Private names are never exposed.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable
from dataclasses import dataclass
from functools import partialmethod, singledispatchmethod
from typing import Any, TypeVar

from pyrolab.worker.dunders import OFFERED_DUNDERS as OFFERED_DUNDERS
from pyrolab.worker.dunders import is_dunder, is_pythons_own

Marked = TypeVar("Marked")

#: Where the marks are kept. On a class: the names that it exposes itself.
EXPOSED_NAMES = "_pyro_exposed_names"
_EXPOSED, _ONEWAY, _READONLY = "_pyroExposed", "_pyroOneway", "_pyro_readonly"
_URGENT, _STOP_HOOK = "_pyro_urgent", "_pyro_emergency_stop"
_BEHAVIOR = "_pyro_behavior"
INSTANCE_MODES = ("session", "single", "percall")
EXPOSURES = ("marked", "public")


@dataclass(frozen=True, slots=True)
class Behavior:
    """How instances of a hosted class come to be, and how many calls its worker takes at a time."""

    instance_mode: str = "session"
    instance_creator: Callable[[type], Any] | None = None
    credit: int = 1
    #: Which members are exposed: those that are "marked" by `expose`, or all "public" ones.
    exposure: str = "marked"
    #: Whether several workers may host it under one object id, and share its calls.
    pool: bool = False
    #: Whether the one instance is made before anybody calls, and again and again while that fails.
    at_start: bool = False
    #: The name of a thread that it shares with other services of its daemon; empty for one of its own.
    thread: str = ""


def expose(member: Marked) -> Marked:
    """Let proxies use a class (all its own public members), a method or a property.

    Raises `AttributeError` for a private name: a leading underscore never leaves its class.
    """
    if inspect.isclass(member):
        names = frozenset(name for name, value in vars(member).items() if _can_expose(name, value))
        setattr(member, EXPOSED_NAMES, names | member.__dict__.get(EXPOSED_NAMES, frozenset()))
        return member
    function = function_of(member)
    name = getattr(function, "__name__", "")
    if is_private(name):
        raise AttributeError(f"{name!r} is private and can't be exposed; give it a public name")
    setattr(function, _EXPOSED, True)
    return member


def oneway(method: Marked) -> Marked:
    """Don't let callers wait for this method: they get None at once, and never an error of it."""
    setattr(function_of(method), _ONEWAY, True)
    return method


def readonly(method: Marked) -> Marked:
    """This method changes nothing: it may be repeated when an answer is lost."""
    setattr(function_of(method), _READONLY, True)
    return method


def urgent(method: Marked) -> Marked:
    """Run this method, or read this property, at once, in a thread of its own beside whatever is running.

    It must stand that: set an event, send an abort over a line that is free. It returns plain values.
    """
    setattr(function_of(method), _URGENT, True)
    return method


def emergency_stop(method: Marked) -> Marked:
    """An emergency stop calls this method, in a thread of its own beside whatever is running.

    It takes no arguments and need not be exposed. Mark one; without a mark, `stop()` is called if there is.
    """
    setattr(function_of(method), _STOP_HOOK, True)
    return method


def behavior(
    instance_mode: str = "session",
    instance_creator: Callable[[type], Any] | None = None,
    credit: int = 1,
    exposure: str = "marked",
    pool: bool = False,
    at_start: bool = False,
    thread: str = "",
) -> Callable[[type], type]:
    """Say how a class is hosted.

    `instance_mode`: one instance for each client session ("session"), one for all ("single"), or a new one
    for each call ("percall"). `instance_creator(cls)` makes the instances, instead of `cls()`. `credit` is
    how many calls the worker holds at a time: 1 for an instrument, so that nothing waits where it can't be
    recalled; more for software that should answer a stream of short calls quickly. `exposure` "public"
    exposes all public members, of its sub-objects too, for classes that know nothing of PyroLab. With
    `pool`, several workers may host the class under one object id, and its calls are spread over them.
    `at_start` makes the instance of a "single" class before its first call, and tries again while that
    fails: the service is *offline* then. Services of a daemon with the same `thread` run in one thread.
    Raises `ValueError` or `TypeError` if one of them is wrong.
    """
    if not isinstance(instance_mode, str):
        raise TypeError("behavior needs parentheses and a mode: @behavior(instance_mode='single')")
    if instance_mode not in INSTANCE_MODES:
        raise ValueError(f"instance_mode is one of {', '.join(INSTANCE_MODES)}, not {instance_mode!r}")
    if instance_creator is not None and not callable(instance_creator):
        raise TypeError("instance_creator must be callable: it gets the class and returns an instance")
    if not 1 <= credit <= 1024:
        raise ValueError(f"credit must be from 1 to 1024, not {credit}")
    if exposure not in EXPOSURES:
        raise ValueError(f"exposure is one of {', '.join(EXPOSURES)}, not {exposure!r}")
    if at_start and instance_mode != "single":
        raise ValueError("only what is 'single' can be made at the start")
    marks = Behavior(instance_mode, instance_creator, credit, exposure, pool, at_start, thread)

    def decorate(cls: type) -> type:
        if not inspect.isclass(cls):
            raise TypeError("behavior is for classes")
        setattr(cls, _BEHAVIOR, marks)
        return cls

    return decorate


def behavior_of(cls: type) -> Behavior:
    """How a class wants to be hosted."""
    found = getattr(cls, _BEHAVIOR, None)
    return found if isinstance(found, Behavior) else Behavior()


def is_marked(cls: type) -> bool:
    """Whether a class says how it is hosted."""
    return isinstance(getattr(cls, _BEHAVIOR, None), Behavior)


def is_private(name: str) -> bool:
    """Whether a name stays inside its class: a leading underscore, or Python's own and not offered."""
    return name.startswith("_") and (not is_dunder(name) or is_pythons_own(name))


def is_exposed(owner: type, name: str, member: Any) -> bool:
    """Whether `member`, found as `name` in the class `owner`, is marked for use from outside."""
    if is_private(name):
        return False
    names = owner.__dict__.get(EXPOSED_NAMES, frozenset())
    return name in names or _has_mark(member, _EXPOSED)


def is_public(owner: type, name: str, member: Any) -> bool:
    """Whether a class that knows nothing of marks means `member` for use from outside."""
    if owner is object or (name.startswith("_") and name not in OFFERED_DUNDERS):
        return False
    return _can_expose(name, member)


def is_oneway(member: Any) -> bool:
    """Whether callers don't wait for it."""
    return _has_mark(member, _ONEWAY)


def is_readonly(member: Any) -> bool:
    """Whether it changes nothing."""
    return _has_mark(member, _READONLY)


def is_urgent(member: Any) -> bool:
    """Whether it may run beside another call."""
    return _has_mark(member, _URGENT)


def is_stop_hook(member: Any) -> bool:
    """Whether it is marked as what an emergency stop calls."""
    return _has_mark(member, _STOP_HOOK)


def is_event(member: Any) -> bool:
    """Whether a member of a class is an event that it emits."""
    return bool(getattr(type(member), "__pyrolab_event__", False))


def is_stream(member: Any) -> bool:
    """Whether a member of a class is a stream that it publishes."""
    return bool(getattr(type(member), "__pyrolab_stream__", False))


def is_method(member: Any) -> bool:
    """Whether a member of a class is there to be called."""
    return not is_event(member) and (callable(member) or isinstance(member, _METHODS))


_METHODS = (classmethod, staticmethod, partialmethod, singledispatchmethod)


def _can_expose(name: str, value: Any) -> bool:
    """Whether a value in a class is a method, property, event or stream: a class in it is no member."""
    if is_private(name) or inspect.isclass(value) or _is_alias(value):
        return False
    return is_event(value) or is_method(value) or hasattr(type(value), "__get__")


def _is_alias(value: Any) -> bool:
    """Whether it is a word of annotations, such as `list[int]`; Python calls them callable."""
    return isinstance(value, types.GenericAlias) or type(value).__module__ == "typing"


def function_of(member: Any) -> Any:
    """The function behind a method, class method, static method or property: marks live on it."""
    if isinstance(member, property):
        return member.fget or member.fset or member.fdel
    return getattr(member, "__func__", member)


def _has_mark(member: Any, mark: str) -> bool:
    return getattr(function_of(member), mark, False) is True
