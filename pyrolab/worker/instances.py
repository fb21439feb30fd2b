"""The instances behind one hosted object: given, or made for all, for each client, or for each call.

Everything here happens in the service's own thread, from making an instance to closing it, unless it says
otherwise.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable
from typing import Any

from pyrolab.errors import DaemonError
from pyrolab.worker.exposure import Behavior

log = logging.getLogger("pyrolab.worker")

#: What `__exit__` gets when nothing has gone wrong.
_NO_ERROR = (None, None, None)

#: How instances are ended: the first of these that a class has.
_ENDINGS = ("shutdown", "close", "disconnect", "__exit__")


class Instances:
    """The instances of `subject`, a class or an object, made as `behavior` says."""

    def __init__(self, subject: Any, behavior: Behavior, weak: bool = False) -> None:
        self.is_class = isinstance(subject, type)
        self.cls: type = subject if self.is_class else type(subject)
        self._behavior = behavior
        self._mode = behavior.instance_mode if self.is_class else "given"
        self._single: Any = None if self.is_class or weak else subject
        self._weakly = weakref.ref(subject) if weak else None
        self._of_session: dict[int, Any] = {}
        #: Those that were made for one call, by their ids.
        self._of_call: dict[int, Any] = {}
        #: How many held objects keep an instance alive that was made for one call.
        self._uses: dict[int, int] = {}
        #: Given each instance that is made, before anybody uses it.
        self.adopt: Callable[[Any], None] = lambda instance: None
        #: Has the one instance made, or says that it cannot be had now.
        self.make_single: Callable[[Callable[[], Any]], Any] = lambda make: make()

    @property
    def is_percall(self) -> bool:
        """Whether each call has an instance of its own."""
        return self._mode == "percall"

    @property
    def is_weak(self) -> bool:
        """Whether the object is somebody else's to keep."""
        return self._weakly is not None

    @property
    def shared(self) -> Any:
        """The one instance that all clients share, if there is one by now."""
        return self._single if self._weakly is None else self._weakly()

    @property
    def sessions(self) -> list[int]:
        """The client sessions that have an instance of their own."""
        return list(self._of_session)

    def living(self) -> list[Any]:
        """All that exist now; from any thread."""
        shared = self.shared
        made = [*list(self._of_session.values()), *list(self._of_call.values())]
        return made if shared is None else [shared, *made]

    def owner_of(self, instance: Any) -> int:
        """The session of the client for whom an instance was made; 0 if it is everybody's."""
        return next((session for session, each in self._of_session.items() if each is instance), 0)

    def existing_for(self, session: int) -> Any:
        """The instance for a call of this client, if it exists already; from any thread."""
        return self._of_session.get(session) if self._mode == "session" else self.shared

    def for_session(self, session: int) -> Any:
        """The instance for a call of this client."""
        single = self._single
        return single if single is not None else self._look_for(session)

    def _look_for(self, session: int) -> Any:
        match self._mode:
            case "given":
                return self._still_there()
            case "single":
                self._single = self.make_single(self._make)
                self.adopt(self._single)
                return self._single
            case "session":
                if session not in self._of_session:
                    self._of_session[session] = self._make()
                    self.adopt(self._of_session[session])
                return self._of_session[session]
            case _:
                made = self._make()
                self._of_call[id(made)] = made
                self.adopt(made)
                return made

    def _still_there(self) -> Any:
        subject = self.shared
        if subject is None:
            raise DaemonError(f"the {self.cls.__qualname__} was registered weakly, and has gone")
        return subject

    def _make(self) -> Any:
        creator = self._behavior.instance_creator
        instance = creator(self.cls) if creator is not None else self.cls()
        if not isinstance(instance, self.cls):
            raise TypeError(
                f"the instance creator of {self.cls.__qualname__} made a {type(instance).__qualname__}"
            )
        return instance

    # -- instances for one call --------------------------------------------------------------------------

    def use(self, instance: Any) -> Callable[[], None]:
        """Something of an instance that was made for one call is kept; returns what lets it go."""
        self._uses[id(instance)] = self._uses.get(id(instance), 0) + 1
        return lambda: self._unuse(instance)

    def _unuse(self, instance: Any) -> None:
        self._uses[id(instance)] -= 1
        if not self._uses[id(instance)]:
            del self._uses[id(instance)]
            self._end_of_call(instance)

    def call_ended(self, instance: Any) -> None:
        """An instance that was made for one call ends with it, unless something of it is kept."""
        if self.is_percall and id(instance) not in self._uses:
            self._end_of_call(instance)

    def _end_of_call(self, instance: Any) -> None:
        end(instance)
        self._of_call.pop(id(instance), None)

    # -- endings -----------------------------------------------------------------------------------------

    def session_ended(self, session: int) -> None:
        """A client has gone: end the instance that was made for it."""
        instance = self._of_session.pop(session, None)
        if instance is not None:
            end(instance)

    def close(self) -> None:
        """End all instances that were made here; an object that was handed in is its owner's."""
        for session in self.sessions:
            self.session_ended(session)
        if self.is_class and self._single is not None:
            end(self._single)
            self._single = None


def end(instance: Any) -> None:
    """Close an instance in its own way; an instrument that fails to close must not stop the others."""
    for ending in _ENDINGS:
        method = getattr(type(instance), ending, None)
        if callable(method):
            try:
                method(instance, *_NO_ERROR if ending == "__exit__" else ())
            except Exception:
                log.exception("%s failed to %s", type(instance).__qualname__, ending)
            return
