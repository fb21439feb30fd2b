"""`pyrolab info`: where things are, and all about one entry of the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyrolab import __version__
from pyrolab.cli.tables import ago, show_json, show_table
from pyrolab.config import PyroLabConfiguration
from pyrolab.config.models import Section
from pyrolab.config.places import config_directory, log_directory, state_directory, user_config_file
from pyrolab.config.problems import nearest
from pyrolab.errors import ConfigurationError
from pyrolab.link.finding import broker_location
from pyrolab.supervisor.control import ask
from pyrolab.supervisor.instance import Record, running


def info(name: str | None, as_json: bool) -> int:
    """Show the installation, or one name server, daemon or service."""
    record = running()
    facts = _installation(record) if name is None else _entry(record, name)
    if as_json:
        show_json(facts)
    else:
        show_table(("WHAT", "VALUE"), [(key, _text(value)) for key, value in facts.items()])
    return 0


def _installation(record: Record | None) -> dict[str, Any]:
    return {
        "version": __version__,
        "supervisor": f"process {record.pid}, for {ago(record.started)}" if record else "does not run",
        "configuration": _current(record),
        "broker": str(broker_location()),
        "config directory": str(config_directory()),
        "state directory": str(state_directory()),
        "logs": str(log_directory()),
    }


def _current(record: Record | None) -> str | None:
    if record is not None:
        return record.config
    return str(user_config_file()) if user_config_file().exists() else None


def _entry(record: Record | None, name: str) -> dict[str, Any]:
    """What the configuration says of `name`, and how it is doing."""
    path = _current(record)
    if path is None:
        raise ConfigurationError("nothing runs and you have no configuration; `pyrolab up config.yaml`")
    config = PyroLabConfiguration.from_file(Path(path))
    sections: dict[str, Mapping[str, Section]] = {
        "nameserver": config.nameservers,
        "daemon": config.daemons,
        "service": config.services,
    }
    facts: dict[str, Any] = {}
    for kind, entries in sections.items():
        if name in entries:
            facts |= {"what": f"{kind} {name}", **entries[name].model_dump(mode="json")}
    if not facts:
        known = [key for entries in sections.values() for key in entries]
        raise ConfigurationError(f"{path} has no {name!r}; {nearest(name, known)}")
    return facts | _state(record, name)


def _state(record: Record | None, name: str) -> dict[str, Any]:
    if record is None:
        return {"state": "does not run"}
    for process in ask(record, "status")["processes"]:
        if process["name"] == name:
            return {key: process[key] for key in ("state", "pid", "address", "restarts", "reason", "log")}
        for service in process["services"]:
            if service["name"] == name:
                return {**service, "daemon pid": process["pid"], "log": process["log"]}
    return {"state": "not started"}


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {entry}" for key, entry in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)
