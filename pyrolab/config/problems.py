"""What is wrong with a configuration, in words that name file, line, key and the nearest valid key."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from pyrolab.config.models import (
    AutolaunchSettings,
    DaemonConfiguration,
    LimitsConfiguration,
    NameServerConfiguration,
    PyroLabConfiguration,
    ServiceConfiguration,
)
from pyrolab.config.reading import Document, KeyPath
from pyrolab.errors import ConfigurationError

#: Keys that guides of PyroLab show but no release of it read, and what to write.
_NEVER_READ = {
    "storage_type": "write 'storage: memory' or 'storage: sql'",
    "storage_filename": "write 'storage: sql:FILE'",
    "storage_file": "write 'storage: sql:FILE'",
    "instance_mode": "write 'instancemode'",
    "server": "write 'daemon'",
}

_MODELS: dict[str, type[BaseModel]] = {
    "nameservers": NameServerConfiguration,
    "daemons": DaemonConfiguration,
    "services": ServiceConfiguration,
    "autolaunch": AutolaunchSettings,
}


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong at `path`."""

    path: KeyPath
    text: str


def report(document: Document, problems: Sequence[Problem]) -> ConfigurationError:
    """One error for all of them, in the order of the file's lines; its fields tell of the first."""
    ordered = sorted(problems, key=lambda problem: document.place(problem.path) or (0, 0))
    lines = [_line(document, problem) for problem in ordered]
    first = ordered[0]
    place = document.place(first.path)
    return ConfigurationError(
        "\n".join(lines),
        file=document.source,
        line=place.line if place else None,
        key=key_text(first.path),
        problems=lines,
    )


def key_text(path: KeyPath) -> str:
    """A path as users write it: `services.library.args[0]`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


def from_validation(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """The problems that pydantic found, in our words."""
    return [_from_detail(detail, model) for detail in error.errors(include_url=False)]


def nearest(name: str, valid: Iterable[str]) -> str:
    """Half a sentence that leads from a wrong name to a valid one."""
    choices = sorted(valid)
    close = difflib.get_close_matches(name, choices, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"valid are {', '.join(choices)}" if choices else "there are none"


def _line(document: Document, problem: Problem) -> str:
    place = document.place(problem.path)
    where = f"{document.source}:{place.line}" if place else document.source
    key = key_text(problem.path)
    return f"{where}: {key}: {problem.text}" if key else f"{where}: {problem.text}"


def _from_detail(detail: ErrorDetails, model: type[BaseModel]) -> Problem:
    path = tuple(detail["loc"])
    if detail["type"] == "extra_forbidden":
        return Problem(path, _unknown_key(str(path[-1]), path[:-1], model))
    if detail["type"] == "missing":
        return Problem(path[:-1], f"the key {path[-1]!r} is missing")
    return Problem(path, _explain(detail))


def _explain(detail: ErrorDetails) -> str:
    if detail["type"] == "value_error":
        return str(detail.get("ctx", {}).get("error", detail["msg"]))
    if detail["type"] in ("model_type", "model_attributes_type", "dict_type"):
        return f"this must be a mapping (key: value), not {_shown(detail['input'])}"
    message = detail["msg"].removeprefix("Input ")
    return f"{_shown(detail['input'])}: {message}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _unknown_key(key: str, around: KeyPath, model: type[BaseModel]) -> str:
    if key in _NEVER_READ:
        return f"there is no such key; {_NEVER_READ[key]}"
    here = _model_at(around, model)
    places = _MODELS | ({"limits": LimitsConfiguration} if around[:1] == ("nameservers",) else {})
    elsewhere = [name for name, other in places.items() if other is not here and key in keys_of(other)]
    valid = keys_of(here)
    if elsewhere and not difflib.get_close_matches(key, valid, n=1, cutoff=0.8):
        return f"there is no such key here; it belongs under {' or '.join(elsewhere)}"
    return f"there is no such key; {nearest(key, valid)}"


def _model_at(path: KeyPath, model: type[BaseModel]) -> type[BaseModel]:
    """The model of the section at `path` within `model`."""
    found: Any = model
    for step in path:
        inner = found.model_fields if isinstance(found, type) and issubclass(found, BaseModel) else None
        found = get_args(found)[-1] if inner is None else inner[str(step)].annotation
    section: type[BaseModel] = found  # pydantic looked for keys in it
    return section


def keys_of(model: type[BaseModel]) -> list[str]:
    """The keys that a section may have."""
    extra = ["class"] if model is ServiceConfiguration else []
    return [*model.model_fields, *extra]


def cross_check(config: PyroLabConfiguration) -> list[Problem]:
    """Names that point nowhere, from one section into another."""
    nameservers = {"default", *config.nameservers}
    daemons = {"default", *config.daemons}
    found: list[Problem] = []
    for name, daemon in config.daemons.items():
        found += _missing(("daemons", name, "nameservers"), daemon.nameservers, nameservers, "name server")
    for name, service in config.services.items():
        found += _missing(("services", name, "daemon"), service.daemon, daemons, "daemon")
        listed = service.nameservers or []
        found += _missing(("services", name, "nameservers"), listed, nameservers, "name server")
    launch = config.autolaunch
    found += _missing(("autolaunch", "nameservers"), launch.nameservers or [], nameservers, "name server")
    return found + _missing(("autolaunch", "daemons"), launch.daemons or [], daemons, "daemon")


def _missing(path: KeyPath, names: str | list[str], known: set[str], what: str) -> list[Problem]:
    if isinstance(names, str):
        return [] if names in known else [Problem(path, _no_such(names, known, what))]
    wrong = [(index, name) for index, name in enumerate(names) if name not in known]
    return [Problem((*path, index), _no_such(name, known, what)) for index, name in wrong]


def _no_such(name: str, known: set[str], what: str) -> str:
    return f"there is no {what} {name!r}; {nearest(name, known)}"
