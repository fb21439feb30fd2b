"""A broker from a name server's configuration, and the loops in which scripts run one."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple

from pyrolab.audit import AuditLog
from pyrolab.config import NameServerConfiguration
from pyrolab.config.models import PUBLIC_HOST
from pyrolab.config.places import audit_directory, storage_file
from pyrolab.errors import CommunicationError
from pyrolab.protocol.names import NAME_SERVICE, URI, Location
from pyrolab.supervisor.ports import who_listens

if TYPE_CHECKING:
    from pyrolab_broker.server import Broker

log = logging.getLogger("pyrolab.supervisor")

_EVERY_INTERFACE = "0.0.0.0"  # noqa: S104 - only what `host: public` asks for, and the broker refuses it if not safe
_CONDITION_INTERVAL_S = 0.5


def open_broker(settings: NameServerConfiguration, port: int | None = None) -> Broker:
    """A broker that holds its port and its file; `port` replaces the one in the settings.

    Raises `CommunicationError` that says who uses the port or the file, `SecurityError` if the host is not
    safe.
    """
    from pyrolab_broker.server import Broker

    wanted = settings.ns_port if port is None else port
    host = _EVERY_INTERFACE if settings.host == PUBLIC_HOST else settings.host
    audit = AuditLog(audit_directory(), f"broker-{_name_of(settings)}")
    try:
        return Broker(host, wanted, settings.broker_settings, storage_path(settings), audit)
    except CommunicationError as error:
        raise _explained(error, host, wanted) from None


def storage_path(settings: NameServerConfiguration) -> Path | None:
    """The file for what outlives the broker, or None: a free port is another one the next time."""
    kind, _, file = settings.storage.partition(":")
    if file:
        return Path(file).expanduser()
    return storage_file(_name_of(settings)) if kind == "sql" and settings.ns_port else None


def _name_of(settings: NameServerConfiguration) -> str:
    """What its files are named after; one without a name, after where it listens."""
    return settings.name or f"{settings.host}-{settings.ns_port}"


def _explained(error: CommunicationError, host: str, port: int) -> CommunicationError:
    user = who_listens(port)
    if not user:
        return error
    return CommunicationError(
        f"port {port} is in use by {user}. End it, or choose another port (ns_port, or --port)",
        host=host,
        port=port,
        used_by=user,
    )


class NameServerDaemon:
    """A name server in this process: it holds its port, and answers while `requestLoop` runs."""

    def __init__(self, settings: NameServerConfiguration) -> None:
        self._broker = open_broker(settings)

    @property
    def location(self) -> Location:
        """Where it listens; a free port that was asked for as 0 is the real one here."""
        return self._broker.address

    @property
    def locationStr(self) -> str:
        """Where it listens, as text."""
        return str(self.location)

    @property
    def uri(self) -> URI:
        """The name service's own URI."""
        return URI.of_object(NAME_SERVICE, self.location)

    def requestLoop(self, loopCondition: Callable[[], bool] = lambda: True) -> None:
        """Answer until `shutdown` is called, Ctrl-C, or `loopCondition()` turns false."""
        ended = threading.Event()
        watch = threading.Thread(target=self._watch, args=(loopCondition, ended), name="pyrolab-condition")
        watch.start()
        try:
            self._broker.serve_forever()
        finally:
            ended.set()
            watch.join()

    def _watch(self, condition: Callable[[], bool], ended: threading.Event) -> None:
        while condition():
            if ended.wait(_CONDITION_INTERVAL_S):
                return
        self.shutdown()

    def shutdown(self) -> None:
        """End `requestLoop`; safe from any thread and signal handler."""
        self._broker.stop()

    def close(self) -> None:
        """Free the port, after `requestLoop` has returned."""
        self._broker.close()

    def __enter__(self) -> NameServerDaemon:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Started(NamedTuple):
    """What `start_ns` returns; there is no broadcast server, its place is kept."""

    nameserver_uri: URI
    nameserver_daemon: NameServerDaemon
    broadcast_server: None = None


def start_ns(cfg: NameServerConfiguration | None = None) -> Started:
    """A name server for a program's own loop: `uri, daemon, _ = start_ns()`, then `daemon.requestLoop()`.

    Raises `CommunicationError` if the port is taken, and says by whom.
    """
    daemon = NameServerDaemon(cfg or NameServerConfiguration())
    return Started(daemon.uri, daemon)


def start_ns_loop(
    cfg: NameServerConfiguration | None = None, loop_condition: Callable[[], bool] = lambda: True
) -> None:
    """Run a name server, by default at localhost:9090, until Ctrl-C or `loop_condition()` turns false."""
    with NameServerDaemon(cfg or NameServerConfiguration()) as daemon:
        log.info("process %d serves names at %s", os.getpid(), daemon.locationStr)
        try:
            daemon.requestLoop(loop_condition)
        except KeyboardInterrupt:
            log.info("ended by Ctrl-C")
