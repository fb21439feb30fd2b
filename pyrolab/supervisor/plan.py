"""From a configuration to the processes that `pyrolab up` starts, and what each of them is told."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from pyrolab.config.models import (
    DEFAULT_NAME,
    PUBLIC_HOST,
    DaemonConfiguration,
    NameServerConfiguration,
    PyroLabConfiguration,
    ServiceConfiguration,
)
from pyrolab.protocol.names import Location
from pyrolab.supervisor.core import Process, Service
from pyrolab.supervisor.events import Key, Kind
from pyrolab.supervisor.vigil import WhenStuck

_MODULES = {
    Kind.NAMESERVER: "pyrolab.supervisor.broker_process",
    Kind.DAEMON: "pyrolab.supervisor.daemon_process",
}

_HERE = (PUBLIC_HOST, "localhost", "127.0.0.1", "::1", "0.0.0.0", "::")  # noqa: S104 - compared, not bound


@dataclass(frozen=True)
class Planned:
    """A process to run: what it is told, what must run before it, what it hosts."""

    key: Key
    instructions: dict[str, Any]
    needs: tuple[Key, ...] = ()
    services: tuple[str, ...] = ()
    module: str = ""
    when_stuck: WhenStuck = field(default_factory=WhenStuck)
    #: The name server whose broker a daemon connects to.
    home: str = ""

    @property
    def runs(self) -> str:
        """The module that `python -m` runs."""
        return self.module or _MODULES[self.key.kind]

    def told(self, addresses: Mapping[str, str]) -> dict[str, Any]:
        """What the process is told, now that these name servers run at these addresses.

        A broker that is started again takes the port that it had; a daemon goes where the broker really is.
        """
        if self.key.kind is Kind.NAMESERVER:
            known = addresses.get(self.key.name)
            return {**self.instructions, "port": Location.parse(known).port if known else None}
        return {**self.instructions, "locations": {**self.instructions["locations"], **addresses}}

    def process(self) -> Process:
        """Its entry in the supervisor's core, not started yet."""
        services = {name: Service() for name in self.services}
        return Process(self.key, self.needs, services, self.when_stuck, self.home)


def plan(config: PyroLabConfiguration, simulate: bool = False) -> list[Planned]:
    """The processes that a configuration starts, name servers first; with `simulate`, on simulated twins."""
    if simulate:
        twins = {name: each.model_copy(update={"simulate": True}) for name, each in config.services.items()}
        config = config.model_copy(update={"services": twins})
    daemons = daemons_to_start(config)
    nameservers = nameservers_to_start(config, daemons)
    planned = [_nameserver(config, name) for name in nameservers]
    return planned + [_daemon(config, name, set(nameservers)) for name in daemons]


def daemons_to_start(config: PyroLabConfiguration) -> list[str]:
    """What `autolaunch` lists, else every daemon; the implied `default` one if it hosts something."""
    if config.autolaunch.daemons is not None:
        return list(dict.fromkeys(config.autolaunch.daemons))
    implied = [DEFAULT_NAME] if config.services_of(DEFAULT_NAME) else []
    return list(dict.fromkeys([*config.daemons, *implied]))


def nameservers_to_start(config: PyroLabConfiguration, daemons: Iterable[str]) -> list[str]:
    """What `autolaunch` lists, else those of this computer, and the implied `default` one if it is needed."""
    if config.autolaunch.nameservers is not None:
        return list(dict.fromkeys(config.autolaunch.nameservers))
    here = [name for name, nameserver in config.nameservers.items() if is_here(nameserver)]
    homes = {home_of(config, daemon) for daemon in daemons}
    if DEFAULT_NAME in homes and DEFAULT_NAME not in config.nameservers:
        here.append(DEFAULT_NAME)
    return here


def is_here(nameserver: NameServerConfiguration) -> bool:
    """Whether a name server's host is this computer."""
    return nameserver.host.lower() in {*_HERE, socket.gethostname().lower()}


def home_of(config: PyroLabConfiguration, daemon: str) -> str:
    """The name server whose broker a daemon connects to: the first that it or its services name.

    Without any: the first to be launched, else the first there is, else `default`.
    """
    named = [*config.daemon(daemon).nameservers]
    for service in config.services_of(daemon).values():
        named += service.nameservers or []
    return next(iter([*named, *(config.autolaunch.nameservers or []), *config.nameservers, DEFAULT_NAME]))


def _nameserver(config: PyroLabConfiguration, name: str) -> Planned:
    settings = config.nameserver(name)
    instructions = {"name": name, "nameserver": settings.model_dump(mode="json")}
    return Planned(Key(Kind.NAMESERVER, name), instructions)


def _daemon(config: PyroLabConfiguration, name: str, started: set[str]) -> Planned:
    settings = config.daemon(name)
    services = config.services_of(name)
    home = home_of(config, name)
    listings = {key: _listed(service, home) for key, service in services.items()}
    used = {home, *settings.nameservers, *chain.from_iterable(listings.values())}
    instructions = {
        "name": name,
        "home": home,
        # YAML, because arguments may be dates and bytes, which JSON has no words for.
        "daemon": settings.yaml(),
        "services": {
            key: {"service": service.yaml(), "listed_at": listings[key]} for key, service in services.items()
        },
        "listed_at": settings.nameservers,
        "locations": {nameserver: str(config.nameserver(nameserver).location) for nameserver in sorted(used)},
    }
    needs = tuple(Key(Kind.NAMESERVER, nameserver) for nameserver in sorted(used & started))
    key = Key(Kind.DAEMON, name)
    return Planned(key, instructions, needs, tuple(services), when_stuck=_when_stuck(settings), home=home)


def _when_stuck(settings: DaemonConfiguration) -> WhenStuck:
    return WhenStuck(
        settings.hung_after_s,
        settings.when_hung == "restart",
        settings.stuck_at_stop == "kill",
        settings.stop_patience_s,
    )


def _listed(service: ServiceConfiguration, home: str) -> list[str]:
    return [home] if service.nameservers is None else service.nameservers
