"""The public names. Importing this module is fast: each name's own module is loaded when it is first used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from pyrolab.joining import join_client_and_worker
from pyrolab.link.finding import ask_user_config

if TYPE_CHECKING:
    from pyrolab.client.aio import AsyncProxy
    from pyrolab.client.batch import BatchProxy
    from pyrolab.client.deadlines import timeout
    from pyrolab.client.nameservice import locate_ns, resolve
    from pyrolab.client.proxy import Proxy
    from pyrolab.client.reservation import Reservation, reserve
    from pyrolab.config import (
        DaemonConfiguration,
        NameServerConfiguration,
        PyroLabConfiguration,
        ServiceConfiguration,
        reset_config,
        update_config,
    )
    from pyrolab.protocol.blobs import SerializedBlob
    from pyrolab.protocol.names import URI, Location
    from pyrolab.pyro.classes import (
        SerializerBase,
        register_class_to_dict,
        register_dict_to_class,
        unregister_class_to_dict,
        unregister_dict_to_class,
    )
    from pyrolab.pyro.context import current_context
    from pyrolab.pyro.marks import callback
    from pyrolab.pyro.metadata import type_meta
    from pyrolab.pyro.settings import config
    from pyrolab.recording import Recorder
    from pyrolab.serving import serve
    from pyrolab.streams.stream import Stream
    from pyrolab.supervisor.nameserver import start_ns, start_ns_loop
    from pyrolab.worker.context import current_call
    from pyrolab.worker.daemon import Daemon
    from pyrolab.worker.events import Event, watchable
    from pyrolab.worker.exposure import behavior, emergency_stop, expose, oneway, readonly, urgent
    from pyrolab.worker.locking import LockableDaemon
    from pyrolab.worker.service import Instrument, Service

__all__ = [
    "URI",
    "AsyncProxy",
    "BatchProxy",
    "Daemon",
    "DaemonConfiguration",
    "Event",
    "Instrument",
    "LockableDaemon",
    "NameServerConfiguration",
    "Proxy",
    "PyroLabConfiguration",
    "Recorder",
    "Reservation",
    "SerializedBlob",
    "SerializerBase",
    "Service",
    "ServiceConfiguration",
    "Stream",
    "behavior",
    "callback",
    "config",
    "current_call",
    "current_context",
    "emergency_stop",
    "expose",
    "locate_ns",
    "oneway",
    "readonly",
    "register_class_to_dict",
    "register_dict_to_class",
    "reserve",
    "reset_config",
    "resolve",
    "serve",
    "start_ns",
    "start_ns_loop",
    "timeout",
    "type_meta",
    "unregister_class_to_dict",
    "unregister_dict_to_class",
    "update_config",
    "urgent",
    "watchable",
]

_MODULES = {
    "pyrolab.client.aio": ("AsyncProxy",),
    "pyrolab.client.deadlines": ("timeout",),
    "pyrolab.client.batch": ("BatchProxy",),
    "pyrolab.client.nameservice": (
        "locate_ns",
        "resolve",
    ),
    "pyrolab.client.proxy": ("Proxy",),
    "pyrolab.client.reservation": (
        "Reservation",
        "reserve",
    ),
    "pyrolab.config": (
        "DaemonConfiguration",
        "NameServerConfiguration",
        "PyroLabConfiguration",
        "ServiceConfiguration",
        "reset_config",
        "update_config",
    ),
    "pyrolab.protocol.blobs": ("SerializedBlob",),
    "pyrolab.protocol.names": ("URI",),
    "pyrolab.pyro.classes": (
        "SerializerBase",
        "register_class_to_dict",
        "register_dict_to_class",
        "unregister_class_to_dict",
        "unregister_dict_to_class",
    ),
    "pyrolab.pyro.context": ("current_context",),
    "pyrolab.pyro.marks": ("callback",),
    "pyrolab.pyro.metadata": ("type_meta",),
    "pyrolab.pyro.settings": ("config",),
    "pyrolab.recording": ("Recorder",),
    "pyrolab.serving": ("serve",),
    "pyrolab.streams.stream": ("Stream",),
    "pyrolab.supervisor.nameserver": (
        "start_ns",
        "start_ns_loop",
    ),
    "pyrolab.worker.context": ("current_call",),
    "pyrolab.worker.daemon": ("Daemon",),
    "pyrolab.worker.events": (
        "Event",
        "watchable",
    ),
    "pyrolab.worker.exposure": (
        "behavior",
        "emergency_stop",
        "expose",
        "oneway",
        "readonly",
        "urgent",
    ),
    "pyrolab.worker.locking": ("LockableDaemon",),
    "pyrolab.worker.service": (
        "Instrument",
        "Service",
    ),
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
join_client_and_worker()
