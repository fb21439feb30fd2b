"""Where the broker is: as the argument, the program, the environment or the user's configuration says."""

from __future__ import annotations

import os
from collections.abc import Callable

from pyrolab.link import defaults
from pyrolab.protocol.names import DEFAULT_HOST, DEFAULT_PORT, Location

ENVIRONMENT = "PYROLAB_NAMESERVER"

_from_user_config: Callable[[], Location | None] | None = None


def ask_user_config(source: Callable[[], Location | None]) -> None:
    """Let `source` say where the user's configuration puts the broker; it is called when needed."""
    global _from_user_config
    _from_user_config = source


def broker_location(host: str | None = None, port: int | None = None) -> Location:
    """The broker's address. `host` may be `host:port`. Raises `NamingError` if it is none."""
    chosen = defaults.nameserver
    if host:
        location = Location.parse(host)
        if port is None and chosen is not None and not host.rstrip().endswith(f":{location.port}"):
            port = chosen.port
        return location if port is None else location._replace(port=port)
    if port is not None:
        return Location(chosen.host if chosen else DEFAULT_HOST, port)
    if chosen is not None:
        return chosen
    named = os.environ.get(ENVIRONMENT)
    if named:
        return Location.parse(named)
    configured = _from_user_config() if _from_user_config is not None else None
    return configured or Location(DEFAULT_HOST, DEFAULT_PORT)
