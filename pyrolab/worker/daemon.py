"""`Daemon`: hosts objects and classes on the bus. It connects out to a broker and listens nowhere itself."""

from __future__ import annotations

import logging
import signal
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, TypeVar

import msgpack

from pyrolab.errors import DaemonError
from pyrolab.link import context
from pyrolab.link.finding import broker_location
from pyrolab.protocol import codec, codes
from pyrolab.protocol.names import URI, Location, check_name, new_object_id
from pyrolab.worker import refusing, registry
from pyrolab.worker.auditing import Trail
from pyrolab.worker.context import Client
from pyrolab.worker.execution import Executor
from pyrolab.worker.exposure import behavior_of
from pyrolab.worker.hosting import Hosted
from pyrolab.worker.premises import Premises
from pyrolab.worker.reception import Reception
from pyrolab.worker.shared_thread import SharedThreads

log = logging.getLogger("pyrolab.worker")
Self = TypeVar("Self", bound="Daemon")

#: How long `close` waits for calls that are running, all together.
CLOSE_TIMEOUT_S = 10.0


class Daemon:
    """A process's place on the bus, at the broker `nameserver` ("host:port").

    Without it, the broker is found as everywhere: `PYROLAB_NAMESERVER`, the user's configuration,
    localhost:9090. If no broker runs yet, that is logged, and the daemon connects as soon as there is one.
    `host` and `port` are where Pyro's daemon would listen; this one does not, and ignores them. Raises
    `DaemonError` for a `unixsocket`.
    """

    def __init__(
        self,
        host: str | None = None,
        port: int | None = None,
        nameserver: str | Location | None = None,
        *,
        name: str = "",
        unixsocket: None = None,
    ) -> None:
        if unixsocket is not None:
            raise DaemonError(
                "a daemon listens on no socket but connects to the broker; leave unixsocket out"
            )
        self._location = nameserver if isinstance(nameserver, Location) else broker_location(nameserver)
        self._hosted: dict[str, Executor] = {}
        self._ids_by_subject: dict[int, str] = {}
        self._shutdown = threading.Event()
        self._premises = Premises()
        self._threads = SharedThreads()
        #: Called with an object id, and with why its instance cannot be had now, or "" when it is there.
        self.on_offline: Callable[[str, str], object] = lambda object_id, reason: None
        self._reception = Reception(self._location, name, self._premises)
        self._reception.open()

    @property
    def session(self) -> int:
        """The number of the session with the broker; another one after each reconnection, 0 without one."""
        return self._reception.session

    @property
    def audit(self) -> Trail | None:
        """Where calls that may change something are written down before they run; None, as it comes.

        An `AuditLog`, or whatever has its methods.
        """
        return self._premises.recorder.trail

    @audit.setter
    def audit(self, trail: Trail | None) -> None:
        self._premises.recorder.trail = trail

    @property
    def location(self) -> Location:
        """The broker's address."""
        return self._location

    @property
    def locationStr(self) -> str:
        """The broker's address as text."""
        return str(self._location)

    def register(
        self, obj_or_class: Any, objectId: str | None = None, force: bool = False, weak: bool = False
    ) -> URI:
        """Host an object, or a class whose instances are made as its `behavior` says; returns its URI.

        It can be called from now on, and wherever it is passed on, as an argument or a result, it arrives
        as a proxy. With `weak`, the daemon does not keep the object alive, and unregisters it when it has
        gone. Raises `DaemonError` if it is hosted here already and not `force`, or is to be in a pool and has
        no `objectId`; `NamingError` if `objectId` is no name, `NameInUse` if it is taken.
        """
        if self._shutdown.is_set():
            raise DaemonError("this daemon has been shut down; make a new one")
        object_id = check_name(objectId) if objectId else self._new_id(obj_or_class)
        held = self._ids_by_subject.get(id(obj_or_class))
        if (held or object_id in self._hosted) and not force:
            raise DaemonError(
                f"{obj_or_class!r} is registered already, as {held or object_id}; "
                "unregister it first, or use force=True"
            )
        if force:
            self._discard(held or object_id)
        hosted = self._prepared(
            Hosted(object_id, obj_or_class, self._location, weak=weak, premises=self._premises)
        )
        thread = hosted.behavior.thread
        executor = Executor(hosted, self._reception, self._threads.joined(thread) if thread else None)
        self._reception.add(executor)
        executor.start()
        self._hosted[object_id] = executor
        self._ids_by_subject[id(obj_or_class)] = object_id
        if not hosted.instances.is_class:
            hosted.instances.adopt(obj_or_class)
            if weak:
                weakref.finalize(obj_or_class, self._discard_aside, object_id).atexit = False
        return self.uriFor(object_id)

    def _new_id(self, obj_or_class: Any) -> str:
        cls = obj_or_class if isinstance(obj_or_class, type) else type(obj_or_class)
        if behavior_of(cls).pool:
            raise DaemonError(
                f"{cls.__qualname__} is to be in a pool, whose workers share one object id; "
                "choose it: register(..., objectId='...')"
            )
        return new_object_id()

    def _prepared(self, hosted: Hosted) -> Hosted:
        """Give a hosted object what this kind of daemon gives; kinds derived from it may give more."""
        hosted.instances.adopt = lambda instance: self._adopt(instance, hosted)
        hosted.on_session_ended.append(self.clientDisconnect)
        hosted.on_offline = lambda reason: self.on_offline(hosted.object_id, reason)
        if type(self).annotations is not Daemon.annotations:
            hosted.annotations = self._annotated
        return hosted

    def annotations(self) -> dict[str, bytes]:
        """What to send along with each answer; for daemons of your own. Nothing, as it comes."""
        return {}

    def _annotated(self) -> dict[str, bytes]:
        return {**self.annotations(), **(context.outgoing_response() or {})}

    def clientDisconnect(self, conn: Client) -> None:
        """A client has gone that had called a service here; for daemons of your own.

        Called in the thread of each service that it had called.
        """

    def _adopt(self, instance: Any, hosted: Hosted) -> None:
        """Let an object know where it is hosted, as far as it can hold that, and knows of PyroLab."""
        notes = (("_pyroDaemon", self), ("_pyroId", hosted.object_id))
        for name, value in notes if hosted.behavior.exposure == "marked" else ():
            try:
                setattr(instance, name, value)
            except (AttributeError, TypeError):
                pass  # it has slots, or no attributes at all
        if instance is hosted.instances.shared:
            uri = URI.of_object(hosted.object_id, self._location)
            registry.note(instance, uri, hosted.instances.is_weak)

    def proxyFor(self, objectOrId: Any) -> Any:
        """A proxy for something that is hosted here. Raises `DaemonError` if it is not."""
        uri = msgpack.packb(str(self.uriFor(objectOrId)))
        return codec.decode(msgpack.packb(msgpack.ExtType(codes.SERVICE, uri)))

    def combine(self, daemon: Daemon) -> None:
        """Nothing to do: each daemon has threads of its own, whoever runs `requestLoop`."""

    def unregister(self, objectOrId: Any) -> None:
        """Host something no longer. Raises `DaemonError` if it was not hosted here."""
        object_id = self._id_of(objectOrId)
        self._discard(object_id)

    def uriFor(self, objectOrId: Any) -> URI:
        """The URI of something that is hosted here. Raises `DaemonError` if it is not."""
        return URI.of_object(self._id_of(objectOrId), self._location)

    def _id_of(self, subject: Any) -> str:
        object_id = subject if isinstance(subject, str) else self._ids_by_subject.get(id(subject))
        if object_id is None or object_id not in self._hosted:
            raise DaemonError(f"{subject!r} is not registered with this daemon")
        return object_id

    def _discard_aside(self, object_id: str) -> None:
        """`_discard`, for a finalizer, which may come at any place and must not wait."""
        threading.Thread(target=self._discard, args=(object_id,), name="pyrolab-discard").start()

    def _discard(self, object_id: str) -> None:
        self._end([object_id], CLOSE_TIMEOUT_S)

    def _end(self, object_ids: list[str], timeout_s: float) -> None:
        """Host these no longer: all are withdrawn first, and then end at the same time."""
        executors = [executor for each in object_ids if (executor := self._taken_out(each)) is not None]
        self._reception.withdraw(executors)
        for executor in executors:
            name = executor.hosted.object_id
            executor.begin_end(refusing.gone(name, daemon_ends=self._shutdown.is_set()))
        until = time.monotonic() + timeout_s
        for executor in executors:
            if not executor.has_ended(until - time.monotonic()):
                name = executor.hosted.object_id
                log.warning("%s is still busy with a call after %g s; not waiting", name, timeout_s)
            self._reception.forget(executor)

    def _taken_out(self, object_id: str) -> Executor | None:
        executor = self._hosted.pop(object_id, None)
        if executor is not None:
            for subject, held in list(self._ids_by_subject.items()):
                if held == object_id:
                    del self._ids_by_subject[subject]
            registry.forget(executor.hosted.instances.shared)
        return executor

    def requestLoop(self, loopCondition: Callable[[], bool] = lambda: True) -> None:
        """Stay until `shutdown` is called, Ctrl-C, or `loopCondition()` turns false; then close.

        In the main thread, SIGTERM does what `shutdown` does, unless the script has a handler of its own; a
        second one ends the process at once.
        """
        try:
            with self._ended_by_sigterm():
                while not self._shutdown.wait(0.2) and loopCondition():
                    pass
                self.close()
        except KeyboardInterrupt:
            log.info("ended by Ctrl-C")
        finally:
            self.close()

    @contextmanager
    def _ended_by_sigterm(self) -> Iterator[None]:
        in_main_thread = threading.current_thread() is threading.main_thread()
        if not in_main_thread or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
            yield
            return

        def end(number: int, frame: FrameType | None) -> None:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            self.shutdown()

        signal.signal(signal.SIGTERM, end)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def shutdown(self) -> None:
        """End `requestLoop`; from any thread, from a service's method, or from a signal handler."""
        self._shutdown.set()

    def drain(self, timeout_s: float = CLOSE_TIMEOUT_S) -> None:
        """End all services in good order, and leave the broker.

        First nothing new is taken, then calls that wait are handed back as not executed. Calls that run may
        end within `timeout_s`, and are answered; then their instances are closed.
        """
        self._shutdown.set()
        self._reception.leave()
        self._end(list(self._hosted), timeout_s)
        self._reception.close()

    def close(self) -> None:
        """The same as `drain()`."""
        self.drain()

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "connected" if self._reception.connected else "not connected"
        return f"<Daemon at {self._location}, {len(self._hosted)} services, {state}>"
