"""From a file or text to a checked configuration; everything that is wrong is reported at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from pyrolab.config.models import DaemonConfiguration, PyroLabConfiguration
from pyrolab.config.problems import Problem, cross_check, from_validation, report
from pyrolab.config.reading import Document, read_file, read_text
from pyrolab.errors import ConfigurationError, NamingError
from pyrolab.protocol.names import check_name

_Model = TypeVar("_Model", bound=BaseModel)


def load_file(filename: str | Path, model: type[_Model]) -> _Model:
    """Read a YAML file as `model`.

    Directories in it (`path`, `storage: sql:FILE`) are taken relative to the file and come out absolute.
    Raises `FileNotFoundError`, or `ConfigurationError` that lists every problem with its line.
    """
    loaded = build(read_file(filename), model)
    if isinstance(loaded, PyroLabConfiguration):
        _make_absolute(loaded, Path(filename).absolute().parent)
    return loaded


def load_text(text: str | bytes, model: type[_Model]) -> _Model:
    """Read YAML text as `model`; raises `ConfigurationError`."""
    return build(read_text(text), model)


def build(document: Document, model: type[_Model]) -> _Model:
    """Check a document against a model; raises `ConfigurationError` that lists every problem."""
    if not isinstance(document.data, Mapping):
        problem = f"this must be a mapping (key: value), not {type(document.data).__name__}"
        raise report(document, [Problem((), problem)])
    problems = _check_names(document.data)
    try:
        built = model.model_validate(document.data)
    except ValidationError as error:
        raise report(document, [*problems, *from_validation(error, model)]) from None
    if isinstance(built, PyroLabConfiguration):
        problems += cross_check(built)
    if problems:
        raise report(document, problems)
    return built


def check(config: PyroLabConfiguration) -> None:
    """Check a configuration that a program put together; raises `ConfigurationError`."""
    problems = cross_check(config)
    if problems:
        raise report(Document("configuration", {}, {}), problems)


def _check_names(data: Mapping[str, Any]) -> list[Problem]:
    """Services become names in a name service, so they must be such."""
    services = data.get("services")
    if not isinstance(services, Mapping):
        return []
    problems = []
    for name in services:
        try:
            check_name(name)
        except NamingError as error:
            problems.append(Problem(("services", name), str(error)))
    return problems


def _make_absolute(config: PyroLabConfiguration, base: Path) -> None:
    for daemon in config.daemons.values():
        daemon.path = [str(base / Path(directory).expanduser()) for directory in daemon.path]
    if any(service.daemon not in config.daemons for service in config.services.values()):
        config.daemons["default"] = DaemonConfiguration(path=[str(base)])
    for nameserver in config.nameservers.values():
        kind, colon, file = nameserver.storage.partition(":")
        if colon:
            nameserver.storage = f"{kind}:{base / Path(file).expanduser()}"


__all__ = ["ConfigurationError", "build", "check", "load_file", "load_text"]
