"""Keys that are read but change nothing here, and things that will surprise: said, not refused."""

from __future__ import annotations

from pyrolab.config.models import (
    PUBLIC_HOST,
    DaemonConfiguration,
    NameServerConfiguration,
    PyroLabConfiguration,
)

_CONNECTS_OUT = "has no effect: a daemon opens no port, it connects to the broker"


def notes(config: PyroLabConfiguration) -> list[str]:
    """One line for each, with its key."""
    found = []
    for name, nameserver in config.nameservers.items():
        found += [f"nameservers.{name}.{note}" for note in _of_nameserver(nameserver)]
    for name, daemon in config.daemons.items():
        found += [f"daemons.{name}.{note}" for note in _of_daemon(daemon)]
    return found + _idle_daemons(config)


def _of_nameserver(nameserver: NameServerConfiguration) -> list[str]:
    found = []
    if nameserver.storage == "sql" and not nameserver.ns_port and "storage" in nameserver.model_fields_set:
        found.append("storage has no effect with 'ns_port: 0'; write 'sql:FILE' to keep the names")
    if nameserver.ns_bchost:
        found.append("ns_bchost has no effect: the broker does not broadcast")
    if nameserver.host == PUBLIC_HOST and not nameserver.insecure:
        found.append("host is public: the broker refuses to face a network unless 'insecure: true' says so")
    return found


def _of_daemon(daemon: DaemonConfiguration) -> list[str]:
    found = []
    if daemon.port or daemon.natport or daemon.nathost:
        keys = [key for key in ("port", "nathost", "natport") if getattr(daemon, key)]
        found.append(f"{', '.join(keys)} {_CONNECTS_OUT}")
    if daemon.servertype == "multiplex":
        found.append("servertype has no effect: each service runs one call at a time, services run together")
    return found


def _idle_daemons(config: PyroLabConfiguration) -> list[str]:
    started = config.autolaunch.daemons
    if started is None:
        return []
    waiting = sorted({service.daemon for service in config.services.values()} - set(started))
    return [
        f"daemons.{name} is not in autolaunch.daemons, so `pyrolab up` does not start it" for name in waiting
    ]
