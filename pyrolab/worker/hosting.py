"""One hosted object: its instances, and what a call to it means. It knows nothing of connections.

Everything here happens in the service's own thread, from making an instance to closing it.
"""

from __future__ import annotations

import difflib
import inspect
import logging
from collections.abc import Callable
from typing import Any

from pyrolab.protocol.codec import CallBody
from pyrolab.protocol.interface import Interface
from pyrolab.worker.exposure import Behavior, behavior_of
from pyrolab.worker.introspection import interface_of

log = logging.getLogger("pyrolab.worker")

#: How instances are ended: the first of these that a class has.
_ENDINGS = ("shutdown", "close", "disconnect")


class Hosted:
    """An object, or a class whose instances are made as its behavior says."""

    def __init__(self, object_id: str, subject: Any, behavior: Behavior | None = None) -> None:
        self.object_id = object_id
        self.is_class = inspect.isclass(subject)
        self._class: type = subject if self.is_class else type(subject)
        self.interface: Interface = interface_of(self._class)
        self.behavior = behavior or behavior_of(self._class)
        self._single: Any = None if self.is_class else subject
        self._of_session: dict[int, Any] = {}

    def carry_out(self, call: CallBody, session: int) -> Any:
        """Do what a call asks for. Raises what the service raises, or `AttributeError`."""
        if len(call.steps) != 1 or not isinstance(call.steps[0], str):
            raise AttributeError(f"{self.object_id} has no such member: {call.steps!r}")
        name = call.steps[0]
        action = _ACTIONS.get((call.verb, name in self.interface.methods, name in self.interface.properties))
        if action is None:
            raise self._not_offered(name, call.verb)
        instance = self._instance(session)
        try:
            return action(instance, name, call)
        finally:
            if self.is_class and self.behavior.instance_mode == "percall":
                _end(instance)

    def _not_offered(self, name: str, verb: str) -> AttributeError:
        close = difflib.get_close_matches(name, self.interface.names(), n=3)
        hint = "; did you mean " + " or ".join(map(repr, close)) + "?" if close else ""
        return AttributeError(f"{self.interface.type_name} offers no {name!r} to {verb}{hint}")

    def _instance(self, session: int) -> Any:
        if not self.is_class:
            return self._single
        match self.behavior.instance_mode:
            case "single":
                if self._single is None:
                    self._single = self._make()
                return self._single
            case "session":
                if session not in self._of_session:
                    self._of_session[session] = self._make()
                return self._of_session[session]
            case _:
                return self._make()

    def _make(self) -> Any:
        creator = self.behavior.instance_creator
        instance = creator(self._class) if creator is not None else self._class()
        if not isinstance(instance, self._class):
            raise TypeError(
                f"the instance creator of {self._class.__qualname__} made a {type(instance).__qualname__}"
            )
        return instance

    @property
    def sessions(self) -> list[int]:
        """The client sessions that have an instance of their own."""
        return list(self._of_session)

    def session_ended(self, session: int) -> None:
        """A client has gone: end the instance that was made for it."""
        instance = self._of_session.pop(session, None)
        if instance is not None:
            _end(instance)

    def close(self) -> None:
        """End all instances that were made here; an object that was handed in is its owner's."""
        for session in list(self._of_session):
            self.session_ended(session)
        if self.is_class and self._single is not None:
            _end(self._single)
            self._single = None


def _call(instance: Any, name: str, call: CallBody) -> Any:
    return getattr(instance, name)(*call.args, **call.kwargs)


def _get(instance: Any, name: str, call: CallBody) -> Any:
    return getattr(instance, name)


def _set(instance: Any, name: str, call: CallBody) -> None:
    setattr(instance, name, *call.args)


def _delete(instance: Any, name: str, call: CallBody) -> None:
    delattr(instance, name)


#: What is done for a verb, whether the name is a method, and whether it is a property.
_ACTIONS: dict[tuple[str, bool, bool], Callable[[Any, str, CallBody], Any]] = {
    ("call", True, False): _call,
    ("get", False, True): _get,
    ("set", False, True): _set,
    ("del", False, True): _delete,
}


def _end(instance: Any) -> None:
    """Close an instance in its own way; an instrument that fails to close must not stop the others."""
    for ending in _ENDINGS:
        method = getattr(type(instance), ending, None)
        if callable(method):
            try:
                method(instance)
            except Exception:
                log.exception("%s failed to %s", type(instance).__qualname__, ending)
            return
