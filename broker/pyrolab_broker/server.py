"""The broker's only socket loop: messages in, the core decides, messages out. It holds no decision.

Everything reaches the loop through one ROUTER socket, so that it can sleep in a plain receive: peers by TCP
and, over inproc, what the transport saw of closed connections.
"""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import secrets
import threading
import time
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import zmq
from zmq.utils.monitor import recv_monitor_message

from pyrolab.errors import CommunicationError, SecurityError
from pyrolab.link.clock import clock_s
from pyrolab.link.frames import receive_message, send_frames
from pyrolab.link.sockets import hasten_local, set_listening
from pyrolab.protocol.envelope import Kind
from pyrolab.protocol.names import DEFAULT_HOST, DEFAULT_PORT, Location
from pyrolab_broker.core.core import Core
from pyrolab_broker.core.events import (
    Event,
    Note,
    Record,
    Send,
    Stopping,
    Store,
    Suspected,
    Tick,
    Unreachable,
    make_received,
)
from pyrolab_broker.descriptors import Alarm, raise_limit
from pyrolab_broker.memory import keep_freed_memory
from pyrolab_broker.settings import BrokerSettings

if TYPE_CHECKING:
    from pyrolab.audit import AuditLog
    from pyrolab_broker.storage import Storage

log = logging.getLogger("pyrolab.broker")

#: How long the loop sleeps at most when nothing is due, and while something is due soon.
_IDLE_MS, _SOON_MS = 250, 10
_FD_BYTES = 8
_KIND_AT = 5


class Broker:
    """A broker in this process.

    `port` 0 takes a free one; `address` says which. It holds the port from construction on and answers
    while `serve_forever` runs. What must outlive a restart is kept in the file `storage`, or only in memory.
    Raises `CommunicationError` if it cannot listen there or another broker uses the file, `SecurityError` if
    other computers could reach it and the settings do not say `insecure`.
    """

    def __init__(
        self,
        host: str = DEFAULT_HOST,
        port: int = DEFAULT_PORT,
        settings: BrokerSettings | None = None,
        storage: Path | None = None,
        audit: AuditLog | None = None,
    ) -> None:
        self.settings = settings or BrokerSettings()
        _refuse_open_network(host, self.settings)
        self._storage = _opened(storage)
        self._audit = audit
        stored = self._storage.load() if self._storage is not None else {}
        epoch = time.time() - clock_s()
        self._core = Core(self.settings, secrets.token_hex(8), stored, epoch)
        self._context = zmq.Context()
        self._insider = secrets.token_bytes(16)
        self._peers_by_fd: dict[int, bytes] = {}
        self._timeout_ms = _IDLE_MS
        self._unsent: deque[Unreachable] = deque()
        self._stopping = threading.Event()
        self._descriptors = Alarm(raise_limit())
        keep_freed_memory()
        self._router = self._context.socket(zmq.ROUTER)
        self._set_options(self._router, host)
        self.address = self._bind(host, port)
        self._watch = self._watch_transport()

    def _set_options(self, router: zmq.Socket[bytes], host: str) -> None:
        settings = self.settings
        set_listening(router, host, settings.wire.frame_bytes, settings.heartbeat_s, settings.silence_s)
        router.setsockopt(zmq.LINGER, 500)
        router.setsockopt(zmq.RCVTIMEO, self._timeout_ms)

    def _bind(self, host: str, port: int) -> Location:
        where = Location("127.0.0.1" if host == "localhost" else host, port)
        try:
            self._router.bind(where.endpoint if port else f"tcp://{str(where).removesuffix(':0')}:*")
        except zmq.ZMQError as error:
            self._router.close(0)
            self._context.term()
            if self._storage is not None:
                self._storage.close()
            raise CommunicationError(
                f"the broker cannot listen at {Location(host, port)}: {error.strerror}. "
                "Choose another port, or end the program that uses this one",
                host=host,
                port=port,
            ) from None
        bound = self._router.getsockopt_string(zmq.LAST_ENDPOINT)
        return Location(host, int(bound.rpartition(":")[2]))

    def _watch_transport(self) -> threading.Thread:
        """Have closed connections reported to the loop, as messages from a peer that only we can be."""
        inside = f"inproc://{secrets.token_hex(8)}"
        self._router.bind(inside)
        monitor = self._router.get_monitor_socket(zmq.EVENT_DISCONNECTED | zmq.EVENT_MONITOR_STOPPED)
        reporter = self._context.socket(zmq.DEALER)
        reporter.setsockopt(zmq.ROUTING_ID, self._insider)
        reporter.setsockopt(zmq.LINGER, 0)
        reporter.connect(inside)
        watch = threading.Thread(
            target=_report_closed, args=(monitor, reporter), name="pyrolab-transport", daemon=True
        )
        watch.start()
        return watch

    def __enter__(self) -> Broker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def serve_forever(self) -> None:
        """Serve until `stop` is called, from another thread or a signal handler."""
        log.info("the broker listens at %s", self.address)
        receive, stopping = self._receive, self._stopping.is_set
        while not stopping():
            event = receive()
            now = clock_s()
            if event is not None:
                self._carry_out(event, now)
            if now >= self._core.state.wake_at:
                self._carry_out(Tick(), now)
                self._catch_up()
                self._descriptors.look()
            self._sleep_until(self._core.state.wake_at - now)
            if self._unsent:
                self._give_up(now)
        self._carry_out(Stopping(), clock_s())

    def stop(self) -> None:
        """End `serve_forever` within a quarter of a second; safe from any thread and signal handler."""
        self._stopping.set()

    def close(self) -> None:
        """Free the port. Call it from the thread that served, after `serve_forever` has returned."""
        if self._router.closed:
            return
        self._router.disable_monitor()
        self._router.close()
        self._watch.join()
        self._context.term()
        if self._storage is not None:
            self._storage.close()
        if self._audit is not None:
            self._audit.close()

    def _sleep_until(self, remaining_s: float) -> None:
        """Sleep shorter while a deadline is near; the option is set only when it changes."""
        timeout_ms = _IDLE_MS if remaining_s * 1000 > _IDLE_MS else _SOON_MS
        if timeout_ms != self._timeout_ms:
            self._timeout_ms = timeout_ms
            self._router.setsockopt(zmq.RCVTIMEO, timeout_ms)

    def _receive(self) -> Event | None:
        """The next thing that happened, or None after a while."""
        router = self._router
        try:
            peer = router.recv()
        except zmq.Again:
            return None
        header, frames = receive_message(router)
        if peer == self._insider:
            closed = self._peers_by_fd.pop(int.from_bytes(header, "big"), None)
            return Suspected(closed) if closed else None
        if frames and len(header) > _KIND_AT and header[_KIND_AT] == Kind.HELLO:
            fd = frames[0].get(zmq.SRCFD)
            hasten_local(fd)
            self._remember_connection(fd, peer)
        return make_received((peer, header, frames))

    def _remember_connection(self, fd: int, peer: bytes) -> None:
        """Note whose connection this is; the number of a closed one may come again before its report."""
        before = self._peers_by_fd.get(fd, peer)
        self._peers_by_fd[fd] = peer
        if before != peer:
            self._carry_out(Suspected(before), clock_s())

    def _give_up(self, now: float) -> None:
        """Tell the core what could not be sent; one who is gone may leave news for others who are, too."""
        while self._unsent:
            self._carry_out(self._unsent.popleft(), now)

    def _carry_out(self, event: Event, now: float) -> None:
        """Have the core decide, and do it; nothing here waits for a peer, least of all for a slow one."""
        for action in self._core.handle(event, now):
            if type(action) is Send:
                try:
                    send_frames(self._router, action.frames, action.peer)
                except zmq.ZMQError as error:
                    slow = error.errno == zmq.EAGAIN
                    self._unsent.append(Unreachable(action.peer, bytes(action.frames[0]), slow))
            elif type(action) is Note:
                log.log(action.level, action.text, *action.arguments)
            elif type(action) is Store:
                self._keep(action)
            elif type(action) is Record and self._audit is not None:
                self._audit.note(action.what, **action.facts)

    def _keep(self, action: Store) -> None:
        """Keep something for the time after a restart. A full disk must not stop what moves."""
        if self._storage is None:
            return
        try:
            self._storage.store(action.table, action.key, action.value)
        except OSError as error:
            text = "%s %r could not be kept yet, a restart would not know it: %s"
            log.critical(text, action.table, action.key, error)

    def _catch_up(self) -> None:
        """Keep what could not be kept before, if it can be by now."""
        if self._storage is not None:
            with contextlib.suppress(OSError):  # it was logged when it happened
                self._storage.commit()


def _report_closed(monitor: zmq.Socket[bytes], reporter: zmq.Socket[bytes]) -> None:
    """Pass on the number of each connection that closes, until the monitored socket is closed."""
    with contextlib.closing(monitor), contextlib.closing(reporter):
        while True:
            event = recv_monitor_message(monitor)
            if event["event"] == zmq.EVENT_MONITOR_STOPPED:
                return
            with contextlib.suppress(zmq.Again):  # a report lost in a flood is made good by the heartbeat
                reporter.send(event["value"].to_bytes(_FD_BYTES, "big"), zmq.NOBLOCK)


def _opened(storage: Path | None) -> Storage | None:
    if storage is None:
        return None
    from pyrolab_broker.storage import Storage

    return Storage(storage)


def _refuse_open_network(host: str, settings: BrokerSettings) -> None:
    """Raise `SecurityError` where other computers could reach a broker that does not know its peers."""
    if settings.insecure or host == "localhost":
        return
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise SecurityError(
            f"at {host!r} every computer of the network could command the instruments. "
            "Listen at 'localhost', or accept that with --insecure (in a configuration: insecure: true)"
        )
