"""The public names. Importing this module is fast: each name's own module is loaded when it is first used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from pyrolab.link.finding import ask_user_config

if TYPE_CHECKING:
    from pyrolab.client.nameservice import locate_ns, resolve
    from pyrolab.client.proxy import Proxy
    from pyrolab.config import (
        DaemonConfiguration,
        NameServerConfiguration,
        PyroLabConfiguration,
        ServiceConfiguration,
        reset_config,
        update_config,
    )
    from pyrolab.protocol.names import URI, Location
    from pyrolab.serving import serve
    from pyrolab.supervisor.nameserver import start_ns, start_ns_loop
    from pyrolab.worker.context import current_call
    from pyrolab.worker.daemon import Daemon
    from pyrolab.worker.exposure import behavior, expose, oneway, readonly
    from pyrolab.worker.service import Instrument, Service

__all__ = [
    "URI",
    "Daemon",
    "DaemonConfiguration",
    "Instrument",
    "NameServerConfiguration",
    "Proxy",
    "PyroLabConfiguration",
    "Service",
    "ServiceConfiguration",
    "behavior",
    "current_call",
    "expose",
    "locate_ns",
    "oneway",
    "readonly",
    "reset_config",
    "resolve",
    "serve",
    "start_ns",
    "start_ns_loop",
    "update_config",
]

_MODULES = {
    "pyrolab.client.nameservice": ("locate_ns", "resolve"),
    "pyrolab.client.proxy": ("Proxy",),
    "pyrolab.config": (
        "DaemonConfiguration",
        "NameServerConfiguration",
        "PyroLabConfiguration",
        "ServiceConfiguration",
        "reset_config",
        "update_config",
    ),
    "pyrolab.protocol.names": ("URI",),
    "pyrolab.serving": ("serve",),
    "pyrolab.supervisor.nameserver": ("start_ns", "start_ns_loop"),
    "pyrolab.worker.context": ("current_call",),
    "pyrolab.worker.daemon": ("Daemon",),
    "pyrolab.worker.exposure": ("behavior", "expose", "oneway", "readonly"),
    "pyrolab.worker.service": ("Instrument", "Service"),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_MODULE_OF[name]), name)
    globals()[name] = value  # from now on without this detour
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _user_nameserver() -> Location | None:
    from pyrolab.config import user_nameserver

    return user_nameserver()


ask_user_config(_user_nameserver)
