"""Configuration: its schema, safe reading, checking, and the user's own file.

Each name's module is loaded when it is first used: asking for a directory does not load the schema.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyrolab.config.models import (
        AutolaunchSettings,
        DaemonConfiguration,
        NameServerConfiguration,
        PyroLabConfiguration,
        ServiceConfiguration,
    )
    from pyrolab.config.user import export_config, reset_config, update_config, user_config, user_nameserver

__all__ = [
    "AutolaunchSettings",
    "DaemonConfiguration",
    "NameServerConfiguration",
    "PyroLabConfiguration",
    "ServiceConfiguration",
    "export_config",
    "reset_config",
    "update_config",
    "user_config",
    "user_nameserver",
]

_IN_USER = {"export_config", "reset_config", "update_config", "user_config", "user_nameserver"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = "pyrolab.config.user" if name in _IN_USER else "pyrolab.config.models"
    return getattr(importlib.import_module(module), name)
