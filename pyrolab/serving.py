"""Host some objects with one call: a daemon, and their names in the name service."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from pyrolab.client.nameservice import NameService
from pyrolab.worker.daemon import Daemon

log = logging.getLogger("pyrolab.worker")


def serve(
    objects: Mapping[Any, str | None],
    host: str | None = None,
    port: int | None = None,
    daemon: Daemon | None = None,
    use_ns: bool = True,
    verbose: bool = True,
) -> None:
    """Host objects or classes until Ctrl-C: `serve({Laser: "laser", stage: "stage"})`.

    The values are names for the name service (None: no name); with `use_ns` false they are object ids.
    `host` and `port` say where the broker is; `daemon` is used if there is one already. With `verbose`, each
    name and URI is printed. Raises `CommunicationError` if there is no broker to register names with.
    """
    if daemon is None:
        where = None if host is None and port is None else f"{host or 'localhost'}:{port or 9090}"
        daemon = Daemon(nameserver=where)
    with daemon:
        for subject, name in objects.items():
            _host(daemon, subject, name, use_ns, verbose)
        daemon.requestLoop()


def _host(daemon: Daemon, subject: Any, name: str | None, use_ns: bool, verbose: bool) -> None:
    uri = daemon.register(subject, objectId=None if use_ns else name)
    if use_ns and name:
        with NameService(daemon.location) as names:
            names.register(name, uri)
    if verbose:
        print(f"{name or subject!r} is served as {uri}", flush=True)  # noqa: T201 - asked for by the caller
