"""The keys of a configuration, as models: name servers, daemons, services, what starts by itself.

The schema is PyroLab's (0.5), with keys of our own. A key that has lost its meaning is still read
(`notes` says so); one whose promise cannot be kept is refused with what to do instead.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, model_validator

from pyrolab.protocol.names import DEFAULT_HOST, DEFAULT_PORT, Location
from pyrolab_broker.settings import BrokerSettings, ClientLimits, ServiceLimits

#: The name server and the daemon that exist without being written down.
DEFAULT_NAME = "default"
#: As a host: every network interface of this computer.
PUBLIC_HOST = "public"

_Section = TypeVar("_Section", bound="Section")

Port = Annotated[int, Field(ge=0, le=65535)]
InstanceMode = Literal["session", "single", "percall"]
Exposure = Literal["marked", "public"]
Count = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(ge=0, allow_inf_nan=False)]


def _refuse(when: Any, instead: str) -> BeforeValidator:
    """A validator that refuses every value but those in `when` and says what to do `instead`."""

    def check(value: Any) -> Any:
        if value not in when:
            raise ValueError(instead)
        return value

    return BeforeValidator(check)


def _storage(value: Any) -> Any:
    kind = value.partition(":")[0] if isinstance(value, str) else value
    if kind == "dbm":
        raise ValueError("dbm is not kept, because it cannot hold metadata; write 'sql' (SQLite)")
    if kind not in ("memory", "sql") or value == "sql:" or str(value).startswith("memory:"):
        raise ValueError("write 'memory', 'sql' or 'sql:FILE'")
    return value


def _host(value: Any) -> Any:
    if not isinstance(value, str) or not value or any(c.isspace() or c in "/@" for c in value):
        raise ValueError(f"{value!r} is no host; write a name or address, for example 'localhost'")
    return value


Host = Annotated[str, BeforeValidator(_host), Field(max_length=255)]


class Section(BaseModel):
    """What all parts of a configuration share: reading and writing YAML."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True, populate_by_name=True)

    def yaml(
        self, sort_keys: bool = False, default_flow_style: bool = False, exclude_defaults: bool = False
    ) -> str:
        """This section as YAML text."""
        data = self.model_dump(exclude_defaults=exclude_defaults, by_alias=True)
        return yaml.safe_dump(
            data, sort_keys=sort_keys, default_flow_style=default_flow_style, allow_unicode=True
        )

    @classmethod
    def from_yaml(cls: type[_Section], text: Any) -> _Section:
        """Read YAML text, bytes or an open file; raises `ConfigurationError`."""
        from pyrolab.config.loading import load_text

        return load_text(text.read() if hasattr(text, "read") else text, cls)

    @classmethod
    def from_file(cls: type[_Section], filename: str | Path) -> _Section:
        """Read a YAML file; raises `FileNotFoundError` or `ConfigurationError`."""
        from pyrolab.config.loading import load_file

        return load_file(filename, cls)


class ServiceLimitsConfiguration(Section):
    """Limits of some services: calls that wait, and calls that the worker has at a time (`credit`)."""

    queue: Count | None = None
    credit: Annotated[int, Field(ge=1, le=1024)] | None = None


class ClientLimitsConfiguration(Section):
    """Limits of some clients: calls that wait or run, calls in each second, and how many may come at once."""

    calls: Count | None = None
    rate: Rate | None = None
    burst: Count | None = None


class LimitsConfiguration(Section):
    """What a broker takes on; what is beyond a limit is refused at once, with the name of the limit.

    The keys are those of `BrokerSettings`, which says what each of them means. `services` and `clients` make
    exceptions: `camera*` is a pattern of services' names, `ana@*` one of `user@host`; the first that fits
    counts. `rate_per_client: 0` lets everybody call as often as they like.
    """

    max_workers: Count = BrokerSettings.max_workers
    max_viewers: Count = BrokerSettings.max_viewers
    max_services: Count = BrokerSettings.max_services
    max_names: Count = BrokerSettings.max_names
    queue_per_service: Count = BrokerSettings.queue_per_service
    calls_per_client: Count = BrokerSettings.calls_per_client
    topics_per_client: Count = BrokerSettings.topics_per_client
    queued_bytes: Count = BrokerSettings.queued_bytes
    rate_per_client: Rate = BrokerSettings.rate_per_client
    burst_per_client: Count = BrokerSettings.burst_per_client
    heartbeat_s: Annotated[float, Field(ge=0.05, le=2)] = BrokerSettings.heartbeat_s
    silence_s: Annotated[float, Field(ge=1, le=3600)] = BrokerSettings.silence_s
    grace_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] = BrokerSettings.grace_s
    services: dict[str, ServiceLimitsConfiguration] = Field(default_factory=dict)
    clients: dict[str, ClientLimitsConfiguration] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check_together(self) -> LimitsConfiguration:
        """What the broker would refuse is refused here, where the file and the line are known."""
        self.settings()
        return self

    def settings(self, **others: Any) -> BrokerSettings:
        """The broker's settings with these limits and `others`. Raises `ValueError`."""
        single = {name: getattr(self, name) for name in type(self).model_fields}
        single["services"] = {key: ServiceLimits(**dict(each)) for key, each in self.services.items()}
        single["clients"] = {key: ClientLimits(**dict(each)) for key, each in self.clients.items()}
        return BrokerSettings(**single, **others)


class NameServerConfiguration(Section):
    """One name server, which is one broker: where it listens and what it allows.

    `host` "public" listens on every interface, which needs `insecure: true` as long as nobody's identity is
    checked. `storage` "sql" keeps names and reservations in a file that is named after the name server,
    "sql:FILE" in that file, "memory" nowhere: then a restart forgets them. With `ns_port: 0` "sql" is
    "memory". `max_clients` limits the connected clients, `limits` what they and the services may do.
    """

    host: Host = DEFAULT_HOST
    ns_port: Port = DEFAULT_PORT
    broadcast: Annotated[
        bool,
        _refuse(
            (False, None, 0), "the broker does not broadcast; remove it and give clients the host and port"
        ),
    ] = False
    ns_bchost: str | bool | None = None
    ns_bcport: Port = DEFAULT_PORT + 1
    ns_autoclean: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    storage: Annotated[str, BeforeValidator(_storage)] = "sql"
    max_clients: Count = BrokerSettings.max_clients
    limits: LimitsConfiguration = Field(default_factory=LimitsConfiguration)
    insecure: bool = False
    _name: str = PrivateAttr("")

    @property
    def name(self) -> str:
        """Its name in the configuration, or empty."""
        return self._name

    def set_name(self, name: str) -> None:
        """Note the name that the configuration gives it."""
        self._name = name

    @property
    def broker_settings(self) -> BrokerSettings:
        """What its broker is told."""
        return self.limits.settings(
            max_clients=self.max_clients, insecure=self.insecure, autoclean_s=self.ns_autoclean
        )

    @property
    def location(self) -> Location:
        """Where programs on this computer reach it."""
        return Location(DEFAULT_HOST if self.host == PUBLIC_HOST else self.host, self.ns_port)


class DaemonConfiguration(Section):
    """One daemon: a process that hosts services.

    `module` and `classname` name its class. `path` lists directories, relative to the configuration file,
    in which the modules of its services are looked for after all others. `nameservers` are those that list
    the daemon itself under its name. It connects out, so `host`, `port`, `nathost`, `natport` are read only.

    A daemon is hung when its Python has not run for `hung_after_s`: a driver's library holds it, or it was
    stopped. `when_hung` "report" shows that (`pyrolab ps`) and waits; "restart" kills the process and starts
    it again, as after a crash; what its calls did is then unknown, and its instruments are not closed. With
    `stuck_at_stop` "kill", an emergency stop kills and restarts it if its Python, and so its stop hooks,
    cannot run for `stop_patience_s` after the stop; a hook that itself holds Python for longer needs more.
    """

    module: Annotated[str, Field(min_length=1)] = "pyrolab.server"
    classname: Annotated[str, Field(min_length=1)] = "Daemon"
    host: Host = DEFAULT_HOST
    port: Port = 0
    unixsocket: Annotated[
        None, _refuse((None, ""), "a daemon listens on no socket, it connects to the broker; remove it")
    ] = None
    nathost: str | None = None
    natport: Port | None = 0
    servertype: Literal["thread", "multiplex"] = "thread"
    nameservers: list[str] = Field(default_factory=list)
    path: list[str] = Field(default_factory=lambda: ["."])
    hung_after_s: Annotated[float, Field(ge=2, allow_inf_nan=False)] = 5.0
    when_hung: Literal["report", "restart"] = "report"
    stuck_at_stop: Literal["leave", "kill"] = "leave"
    stop_patience_s: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 1.0


class ServiceConfiguration(Section):
    """One service: its class, how it is made, and where it is offered.

    The class is `module` and `classname`, or `class: module:Name`. `parameters` go to `connect()` when a
    client calls `autoconnect()`; `args` and `kwargs` to the constructor. `instancemode` replaces the class's
    own; so does `exposure`: "public" exposes all public members. A class that knows nothing of PyroLab is
    "single", "public", and made `at_start`: while that fails, because the instrument is switched off, the
    service is offline, and it is tried again. Services of a daemon with the same `thread` run in one. With
    `simulate`, a simulated twin of the instrument is hosted; those of one daemon see each other.
    Without `nameservers` it is listed by its daemon's name server; an empty list says nowhere.
    """

    module: Annotated[str, Field(min_length=1)]
    classname: Annotated[str, Field(min_length=1)]
    parameters: dict[str, Any] = Field(default_factory=dict)
    args: list[Any] = Field(default_factory=list)
    kwargs: dict[str, Any] = Field(default_factory=dict)
    description: str = ""
    instancemode: InstanceMode | None = None
    exposure: Exposure | None = None
    at_start: bool | None = None
    thread: str = ""
    simulate: bool = False
    daemon: str = DEFAULT_NAME
    nameservers: list[str] | None = None

    @model_validator(mode="before")
    @classmethod
    def _split_class(cls, data: Any) -> Any:
        if not isinstance(data, dict) or "class" not in data:
            return data
        data = dict(data)
        reference = data.pop("class")
        if "module" in data or "classname" in data:
            raise ValueError("write either 'class' or 'module' and 'classname', not both")
        module, colon, name = str(reference).partition(":")
        if not (module and colon and name):
            raise ValueError(f"'class: {reference}' is no class; write it as 'module:Name'")
        return {**data, "module": module, "classname": name}


class AutolaunchSettings(Section):
    """What `pyrolab up` starts. A missing list means all (of the name servers: those of this computer)."""

    nameservers: list[str] | None = None
    daemons: list[str] | None = None


class PyroLabConfiguration(Section):
    """A whole configuration: `version`, `nameservers`, `daemons`, `services`, `autolaunch`."""

    version: Annotated[Literal["1.0"], BeforeValidator(str)] = "1.0"
    nameservers: dict[str, NameServerConfiguration] = Field(default_factory=dict)
    daemons: dict[str, DaemonConfiguration] = Field(default_factory=dict)
    services: dict[str, ServiceConfiguration] = Field(default_factory=dict)
    autolaunch: AutolaunchSettings = Field(default_factory=AutolaunchSettings)

    @model_validator(mode="before")
    @classmethod
    def _drop_empty_sections(cls, data: Any) -> Any:
        """`services:` with nothing under it is an empty section, not a wrong one."""
        if not isinstance(data, dict):
            return data
        return {key: value for key, value in data.items() if value is not None}

    def model_post_init(self, context: Any, /) -> None:
        """Tell each name server its name."""
        self.initialize_nameservers()

    def initialize_nameservers(self) -> None:
        """Tell each name server its name; call it after changing the dictionary."""
        for name, nameserver in self.nameservers.items():
            nameserver.set_name(name)

    def nameserver(self, name: str) -> NameServerConfiguration:
        """The name server called `name`; `default` always exists. Raises `KeyError`."""
        if name == DEFAULT_NAME and name not in self.nameservers:
            made = NameServerConfiguration()
            made.set_name(name)
            return made
        return self.nameservers[name]

    def daemon(self, name: str) -> DaemonConfiguration:
        """The daemon called `name`; `default` always exists. Raises `KeyError`."""
        if name == DEFAULT_NAME and name not in self.daemons:
            return DaemonConfiguration()
        return self.daemons[name]

    def services_of(self, daemon: str) -> dict[str, ServiceConfiguration]:
        """The services that a daemon hosts."""
        return {name: service for name, service in self.services.items() if service.daemon == daemon}

    get_nameserver_settings = nameserver
    get_daemon_settings = daemon
