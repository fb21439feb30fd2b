"""Events and watchable properties: what a class declares, and what works without any bus as well.

An event is declared on the class and emitted by the instance; whoever has connected a function gets the
values. On the bus, clients connect to it in the same way.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from typing_extensions import Self

from pyrolab.protocol.interface import EventType

Listener = Callable[..., object]
Function = TypeVar("Function", bound=Listener)

_STORE = "_pyrolab_events"


class Event:
    """An event of a class: `moved = Event("position_mm", doc="The stage has come to rest.")`.

    `stage.moved.emit(12.5)` calls everybody who has said `stage.moved.connect(function)`. The names are
    those of the values that come with it.
    """

    __pyrolab_event__: ClassVar[bool] = True

    def __init__(self, *parameters: str, doc: str = "") -> None:
        self.described = EventType(doc, parameters)
        self.__doc__ = doc
        self._name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        events: dict[str, BoundEvent] = instance.__dict__.setdefault(_STORE, {})
        return events.get(self._name) or events.setdefault(self._name, BoundEvent(self._name, self.described))


class BoundEvent:
    """The event of one instance. From any thread; functions are called in the thread that emits, in order."""

    def __init__(self, name: str, described: EventType) -> None:
        self.name = name
        self.described = described
        self._listeners: list[Listener] = []
        self._lock = threading.RLock()

    def emit(self, *values: Any) -> None:
        """Tell everybody. Raises `TypeError` if the declaration names another number of values."""
        expected = self.described.parameters
        if expected and len(values) != len(expected):
            raise TypeError(
                f"{self.name}.emit() takes {', '.join(expected)}; {len(values)} values were given"
            )
        with self._lock:  # two emitters at a time must not change the order between two listeners
            for listener in tuple(self._listeners):
                listener(*values)

    def connect(self, function: Function) -> Function:
        """Call `function` with the values each time; returns it, so that this is a decorator as well."""
        with self._lock:
            self._listeners.append(function)
        return function

    def disconnect(self, function: Listener) -> None:
        """Call `function` no longer. Raises `ValueError` if it was not connected."""
        with self._lock:
            self._listeners.remove(function)

    def __repr__(self) -> str:
        return (
            f"<event {self.name}({', '.join(self.described.parameters)}), {len(self._listeners)} connected>"
        )


_WATCHERS = "_pyrolab_watchers"


class WatchableProperty(property):
    """A property that tells those who watch it of each change, also when the class itself sets it.

    Any property can be watched. Of a plain one, watchers hear what clients set, and what else is found
    changed after a call; intermediate values that a method runs through are heard with this one only.
    """

    def __set__(self, instance: Any, value: Any) -> None:
        super().__set__(instance, value)
        watchers = getattr(instance, "__dict__", {}).get(_WATCHERS)
        if watchers:
            for tell in tuple(watchers.get(self, ())):
                tell()

    def watch(self, instance: Any, tell: Callable[[], object]) -> None:
        """Have `tell()` called after each setting of the property of `instance`."""
        instance.__dict__.setdefault(_WATCHERS, {}).setdefault(self, []).append(tell)

    def unwatch(self, instance: Any, tell: Callable[[], object]) -> None:
        """Undo `watch`."""
        instance.__dict__[_WATCHERS][self].remove(tell)

    def getter(self, fget: Callable[[Any], Any]) -> Self:
        """As of `property`."""
        return type(self)(fget, self.fset, self.fdel, self.__doc__)

    def setter(self, fset: Callable[[Any, Any], None]) -> Self:
        """As of `property`."""
        return type(self)(self.fget, fset, self.fdel, self.__doc__)

    def deleter(self, fdel: Callable[[Any], None]) -> Self:
        """As of `property`."""
        return type(self)(self.fget, self.fset, fdel, self.__doc__)


if TYPE_CHECKING:
    watchable = property  # checkers follow `@name.setter` of this very class only
else:
    watchable = WatchableProperty
