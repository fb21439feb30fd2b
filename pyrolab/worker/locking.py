"""`LockableDaemon`: services that one client at a time can have for itself, as users of PyroLab know it.

While a service is locked, everybody may read it: properties, and methods that are marked `readonly`. Whatever
else somebody tries is refused, and the error says who holds the lock.
"""

from __future__ import annotations

import time
from typing import Any

from pyrolab.errors import LockedError
from pyrolab.protocol.call_body import CallBody
from pyrolab.worker.context import Client, CurrentCall, current_call
from pyrolab.worker.daemon import Daemon
from pyrolab.worker.exposure import expose, readonly
from pyrolab.worker.hosting import Hosted

#: What everybody may do although somebody else holds the lock. To go on with a generator is not among it:
#: its next
#: item may be the next move.
_READING_VERBS = frozenset({"get", "describe", "join", "part", "drop"})


class Lock:
    """Who has one service for itself."""

    def __init__(self, object_id: str) -> None:
        self._object_id = object_id
        self._holder: Client | None = None
        self._user = ""
        self._since = 0.0

    @property
    def held(self) -> bool:
        """Whether anybody holds it."""
        return self._holder is not None

    def take(self, call: CurrentCall, user: str) -> bool:
        """Let the caller have the service. Raises `LockedError` if somebody else has it."""
        self._refuse_others(call)
        self._holder, self._user, self._since = call.client, user or call.user, time.time()
        return True

    def give_back(self, call: CurrentCall) -> bool:
        """Let everybody use the service again. Raises `LockedError` if somebody else has it."""
        self._refuse_others(call)
        self._holder = None
        return True

    def session_ended(self, client: Client) -> None:
        """A client has gone; what it held is free."""
        if self._holder is not None and self._holder.session == client.session:
            self._holder = None

    def check(self, call: CallBody, current: CurrentCall, reads: bool) -> None:
        """Raise `LockedError` for what changes something while somebody else holds the lock."""
        if self._holder is not None and not reads and call.verb not in _READING_VERBS:
            self._refuse_others(current)

    def _refuse_others(self, call: CurrentCall) -> None:
        holder = self._holder
        if holder is None or holder.session == call.session:
            return
        since = time.strftime("%H:%M:%S", time.localtime(self._since))
        raise LockedError(
            f"{self._object_id} is locked by {self._user or 'somebody'} ({holder}) since {since}; it "
            "can be read, and is free when they call unlock() or release their proxy",
            user=self._user,
            since=self._since,
        )


class Lockable:
    """Mixed into the classes that a `LockableDaemon` hosts."""

    _pyro_lock: Lock

    @expose
    @readonly
    def lock(self, user: str = "") -> bool:
        """Have this service for yourself until `unlock()`, or until your connection ends.

        Raises `LockedError`, a `ConnectionRefusedError`, if somebody else has it.
        """
        return self._pyro_lock.take(current_call(), user)

    @expose
    @readonly
    def unlock(self) -> bool:
        """Let others use this service again. Raises `LockedError` if somebody else has it."""
        return self._pyro_lock.give_back(current_call())

    @expose
    @readonly
    def islocked(self) -> bool:
        """Whether anybody has this service for themselves."""
        return self._pyro_lock.held


class LockableDaemon(Daemon):
    """A daemon whose services can be locked: `with Proxy(uri) as stage: stage.lock("ana")`.

    It adds `lock`, `unlock` and `islocked` to the classes that are registered. Raises `TypeError` for an
    object: a class has to be registered, because the methods are added to it.
    """

    def register(
        self, obj_or_class: Any, objectId: str | None = None, force: bool = False, weak: bool = False
    ) -> Any:
        """As of `Daemon`, for a class."""
        if obj_or_class is self:
            return super().register(obj_or_class, objectId, force, weak)
        if not isinstance(obj_or_class, type):
            raise TypeError("a LockableDaemon hosts classes: register the class instead of an object")
        return super().register(_lockable(obj_or_class), objectId, force, weak)

    def _prepared(self, hosted: Hosted) -> Hosted:
        hosted = super()._prepared(hosted)
        if issubclass(hosted.instances.cls, Lockable):
            lock = hosted.lock = hosted.instances.cls._pyro_lock = Lock(hosted.object_id)
            hosted.on_session_ended.append(lock.session_ended)
        return hosted


def _lockable(cls: type) -> type:
    namespace = {"__module__": cls.__module__, "__qualname__": cls.__qualname__, "__doc__": cls.__doc__}
    return type(cls.__name__, (cls, Lockable), namespace)
