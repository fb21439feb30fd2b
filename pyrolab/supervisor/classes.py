"""The classes that a configuration names, imported in the process that hosts them, and made ready for that.

Only a local configuration gets a class imported, never anything that came over the wire.
"""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from pyrolab.config import DaemonConfiguration, ServiceConfiguration
from pyrolab.errors import ConfigurationError
from pyrolab.worker.daemon import Daemon
from pyrolab.worker.exposure import behavior, behavior_of, is_marked
from pyrolab.worker.introspection import exposed_members
from pyrolab_drivers.instrument import Instrument

log = logging.getLogger("pyrolab.supervised")

#: The modules in which releases of PyroLab keep their own daemons.
_PYROLAB_MODULES = ("pyrolab.server", "pyrolab.daemon", "pyrolab.worker.daemon", "pyrolab.api")


def extend_import_path(directories: Iterable[str]) -> None:
    """Let modules be found in these directories, after all others, so that they cannot hide any."""
    for directory in directories:
        if directory not in sys.path:
            sys.path.append(directory)


def service_class(name: str, service: ServiceConfiguration, path: Iterable[str] = ()) -> type:
    """The class to host as the service `name`: a subclass of its own, with the configured behavior.

    Raises `ConfigurationError` if the module or class cannot be loaded; the cause is what failed.
    """
    found = _load(f"services.{name}", service.module, service.classname, path)
    if service.simulate:
        found = _twin_of(name, found)
    hosted = type(found.__name__, (found,), {"__module__": found.__module__, "__doc__": found.__doc__})
    given = behavior_of(found)
    creator = given.instance_creator
    if service.args or service.kwargs or issubclass(found, Instrument):
        creator = partial(_make, args=service.args, kwargs=service.kwargs, connect=is_foreign(found))
    if is_foreign(found):
        given = replace(given, instance_mode="single", exposure="public", at_start=True)
    mode = service.instancemode or given.instance_mode
    exposure = service.exposure or given.exposure
    at_start = given.at_start if service.at_start is None else service.at_start
    if mode != "single" and service.at_start:
        raise ConfigurationError(f"services.{name}: only what is 'single' can be made at the start")
    behavior(
        mode, creator, given.credit, exposure, given.pool, at_start and mode == "single", service.thread
    )(hosted)
    if service.parameters:
        hosted._autoconnect_params = service.parameters  # type: ignore[attr-defined]
    return hosted


def is_foreign(cls: type) -> bool:
    """Whether a class knows nothing of PyroLab: nothing in it is marked."""
    return not is_marked(cls) and not any(exposed_members(cls))


def daemon_class(name: str, daemon: DaemonConfiguration) -> type[Daemon]:
    """The class of a daemon. Raises `ConfigurationError` if there is none such."""
    if daemon.module in _PYROLAB_MODULES:
        return _own_daemon(name, daemon.classname)
    found = _load(f"daemons.{name}", daemon.module, daemon.classname, daemon.path)
    if not issubclass(found, Daemon):
        raise ConfigurationError(f"daemons.{name}: {daemon.classname} is not derived from pyrolab.api.Daemon")
    return found


def _own_daemon(name: str, classname: str) -> type[Daemon]:
    module = "pyrolab.worker.locking" if classname == "LockableDaemon" else "pyrolab.worker.daemon"
    found = getattr(importlib.import_module(module), classname, None)
    if not (isinstance(found, type) and issubclass(found, Daemon)):
        raise ConfigurationError(
            f"daemons.{name}: PyroLab has no {classname!r}; use 'Daemon', or name the module of your own"
        )
    return found


def _make(cls: type, args: list[Any], kwargs: dict[str, Any], connect: bool) -> Any:
    """An instance; an instrument of `pyrolab_drivers` is connected, or there is none."""
    made = cls(*args, **kwargs)
    if connect and isinstance(made, Instrument):
        made.connect()
    return made


def _twin_of(name: str, cls: type) -> type:
    from pyrolab_drivers.simulators.twins import twin_of

    twin = twin_of(cls)
    if twin is None:
        raise ConfigurationError(
            f"services.{name}: {cls.__qualname__} has no simulated twin, because it is derived from no base "
            "class of pyrolab_drivers; leave 'simulate' out, or host a simulator of its library (such as "
            "visa_library: '@sim')"
        )
    return twin


def _load(key: str, module: str, classname: str, path: Iterable[str]) -> type:
    try:
        found = getattr(importlib.import_module(module), classname, None)
    except ModuleNotFoundError as error:
        raise ConfigurationError(f"{key}: {_not_found(error, module, path)}") from error
    except Exception as error:  # importing runs the user's own code, which may raise anything
        what = f"{type(error).__name__}: {error}"
        raise ConfigurationError(f"{key}: importing {module!r} failed: {what}") from error
    if not isinstance(found, type):
        raise ConfigurationError(f"{key}: the module {module!r} has no class {classname!r}{_others(module)}")
    return found


def _not_found(error: ModuleNotFoundError, module: str, path: Iterable[str]) -> str:
    looked = ", ".join(path) or "no directory of its own"
    if error.name and (module == error.name or module.startswith(error.name + ".")):
        return (
            f"there is no module {module!r}: not installed, not on PYTHONPATH, and not in {looked}. "
            "Put its file beside the configuration, or its directory under the daemon's 'path'"
        )
    return f"importing {module!r} failed: it needs the module {error.name!r}, which is not installed"


def _others(module: str) -> str:
    loaded = sys.modules[module]
    own = [
        name for name, value in vars(loaded).items() if isinstance(value, type) and value.__module__ == module
    ]
    return f"; it has {', '.join(own)}" if own else ""


def hides(module: str, directories: Iterable[str]) -> str:
    """Where `module` was found, if a file of that name in `directories` was passed over for it."""
    found = getattr(sys.modules.get(module.partition(".")[0]), "__file__", None)
    if found is None:
        return ""
    top = module.partition(".")[0]
    for directory in directories:
        beside = [Path(directory, f"{top}.py"), Path(directory, top, "__init__.py")]
        if any(file.exists() and not file.samefile(found) for file in beside):
            return str(found)
    return ""
