"""The user's own configuration: the one that commands use when none is named.

The schema is loaded only if there is such a file, so that asking costs nothing where there is none.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pyrolab.config.places import user_config_file
from pyrolab.protocol.names import Location

if TYPE_CHECKING:
    from pyrolab.config.models import PyroLabConfiguration


def user_config() -> PyroLabConfiguration | None:
    """The user's configuration, or None if there is none; raises `ConfigurationError` if it is wrong."""
    path = user_config_file()
    return _read(path) if path.exists() else None


def update_config(filename: str | Path) -> None:
    """Make the configuration in `filename` the user's own; it is checked first.

    Directories in it become absolute, so that modules beside the file are still found.
    Raises `FileNotFoundError` or `ConfigurationError`, and then changes nothing.
    """
    export_config(_read(filename), user_config_file())


def reset_config() -> None:
    """Forget the user's configuration."""
    user_config_file().unlink(missing_ok=True)


def export_config(config: PyroLabConfiguration, filename: str | Path) -> None:
    """Write a configuration to a file, whole or not at all."""
    path = Path(filename)
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.new")
    scratch.write_text(config.yaml(), encoding="utf-8")
    scratch.replace(path)


def user_nameserver() -> Location | None:
    """Where the user's configuration says the broker is: its `default` name server, else the first.

    None without a configuration or name server in it; raises `ConfigurationError` if it is wrong.
    """
    config = user_config()
    if config is None or not config.nameservers:
        return None
    candidates = ["default", *(config.autolaunch.nameservers or []), *config.nameservers]
    return next(config.nameservers[name].location for name in candidates if name in config.nameservers)


def _read(filename: str | Path) -> PyroLabConfiguration:
    from pyrolab.config.models import PyroLabConfiguration

    return PyroLabConfiguration.from_file(filename)
