"""`config`: the settings of Pyro5, by its names.

Those that mean something here are used by proxies that are made after the change. The others can be set and
read, so that scripts run, and a table says why they change nothing. The environment is not read: PyroLab
looks at variables that start with PYROLAB_ only.
"""

from __future__ import annotations

import difflib
import logging
import platform
from collections.abc import Callable
from typing import Any

import pyrolab
from pyrolab import tracebacks
from pyrolab.errors import ConfigurationError
from pyrolab.link import defaults
from pyrolab.protocol.limits import MAX_MESSAGE_BYTES
from pyrolab.protocol.names import DEFAULT_HOST, DEFAULT_PORT, Location

log = logging.getLogger("pyrolab.pyro")

_INITIALLY: dict[str, Any] = {
    "HOST": "localhost",
    "NS_HOST": DEFAULT_HOST,
    "NS_PORT": DEFAULT_PORT,
    "NS_BCPORT": 9091,
    "NS_BCHOST": None,
    "NS_AUTOCLEAN": 0.0,
    "NS_LOOKUP_DELAY": 0.0,
    "NATHOST": None,
    "NATPORT": 0,
    "COMPRESSION": False,
    "SERVERTYPE": "thread",
    "COMMTIMEOUT": 0.0,
    "POLLTIMEOUT": 2.0,
    "MAX_RETRIES": 0,
    "SOCK_REUSE": True,
    "SOCK_NODELAY": True,
    "DETAILED_TRACEBACK": False,
    "THREADPOOL_SIZE": 80,
    "THREADPOOL_SIZE_MIN": 4,
    "MAX_MESSAGE_SIZE": MAX_MESSAGE_BYTES,
    "BROADCAST_ADDRS": (),
    "PREFER_IP_VERSION": 0,
    "SERIALIZER": "msgpack",
    "SERPENT_BYTES_REPR": False,
    "ITER_STREAMING": True,
    "ITER_STREAM_LIFETIME": 0.0,
    "ITER_STREAM_LINGER": 30.0,
    "LOGFILE": None,
    "LOGLEVEL": None,
    "LOGWIRE": False,
    "SSL": False,
    "SSL_SERVERCERT": "",
    "SSL_SERVERKEY": "",
    "SSL_SERVERKEYPASSWD": "",
    "SSL_REQUIRECLIENTCERT": False,
    "SSL_CLIENTCERT": "",
    "SSL_CLIENTKEY": "",
    "SSL_CLIENTKEYPASSWD": "",
    "SSL_CACERTS": "",
}

_OUTWARDS = "daemons connect out to the broker and listen nowhere"
_NO_BROADCAST = "the broker is found by its address, never by broadcast"
_ONE_CODEC = "values have one encoding, which needs no choice"
_OWN_THREADS = "each service has a thread of its own"
_ZEROMQ = "ZeroMQ looks after its sockets"
_OWN_LOG = "log with Python's logging; the loggers are called pyrolab.*"
_ITEMS_ALWAYS = "iterators of a service can always be read, and end with their client"
_NO_SSL = "there is no SSL"

#: The items that change nothing here, and why.
WITHOUT_EFFECT: dict[str, str] = {
    **dict.fromkeys(("HOST", "NATHOST", "NATPORT"), _OUTWARDS),
    **dict.fromkeys(("NS_BCPORT", "NS_BCHOST", "BROADCAST_ADDRS"), _NO_BROADCAST),
    "NS_AUTOCLEAN": "the broker knows by itself which services live",
    "NS_LOOKUP_DELAY": "a lookup answers at once",
    "COMPRESSION": "messages are not compressed",
    "SERVERTYPE": _OWN_THREADS,
    **dict.fromkeys(("THREADPOOL_SIZE", "THREADPOOL_SIZE_MIN"), _OWN_THREADS),
    "POLLTIMEOUT": "nothing is polled",
    **dict.fromkeys(("SOCK_REUSE", "SOCK_NODELAY", "PREFER_IP_VERSION"), _ZEROMQ),
    **dict.fromkeys(("SERIALIZER", "SERPENT_BYTES_REPR"), _ONE_CODEC),
    **dict.fromkeys(("ITER_STREAMING", "ITER_STREAM_LIFETIME", "ITER_STREAM_LINGER"), _ITEMS_ALWAYS),
    **dict.fromkeys(("LOGFILE", "LOGLEVEL", "LOGWIRE"), _OWN_LOG),
    **dict.fromkeys((name for name in _INITIALLY if name.startswith("SSL")), _NO_SSL),
}


class Configuration:
    """Settings as attributes: `config.COMMTIMEOUT = 5`.

    Unknown names are an `AttributeError` with close ones, wrong values a `ConfigurationError`. A `copy()`
    changes nothing but itself.
    """

    _chosen: dict[str, Any]
    _in_use: bool

    def __init__(self, chosen: dict[str, Any] | None = None, *, in_use: bool = False) -> None:
        self.__dict__.update(_chosen=dict(chosen or {}), _in_use=in_use)

    def __getattr__(self, name: str) -> Any:
        if name not in _INITIALLY:
            raise _unknown(name)
        return self._chosen.get(name, _INITIALLY[name])

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in _INITIALLY:
            raise _unknown(name)
        check = _CHECKS.get(name)
        self._chosen[name] = value if check is None else check(name, value)
        if name in WITHOUT_EFFECT:
            log.debug("%s is set, and changes nothing: %s", name, WITHOUT_EFFECT[name])
        self._apply()

    def __dir__(self) -> list[str]:
        return sorted([*object.__dir__(self), *_INITIALLY])

    def reset(self, use_environment: bool = False) -> None:
        """Forget all that was set. `use_environment` is Pyro's, and without effect."""
        self._chosen.clear()
        self._apply()

    def copy(self) -> Configuration:
        """The same settings, for keeping: neither follows the other."""
        return Configuration(self._chosen)

    def as_dict(self) -> dict[str, Any]:
        """All settings by name."""
        return {name: getattr(self, name) for name in _INITIALLY}

    def dump(self) -> str:
        """All settings as text, with what runs here."""
        lines = [
            f"PyroLab {pyrolab.__version__}, Python {platform.python_version()}, {platform.system()}",
            *(_line(name, value) for name, value in sorted(self.as_dict().items())),
        ]
        return "\n".join(lines)

    def _apply(self) -> None:
        if not self._in_use:
            return
        defaults.timeout_s = self.COMMTIMEOUT or None
        defaults.max_retries = self.MAX_RETRIES
        elsewhere = "NS_HOST" in self._chosen or "NS_PORT" in self._chosen
        defaults.nameserver = Location(self.NS_HOST, self.NS_PORT) if elsewhere else None
        smaller = self.MAX_MESSAGE_SIZE < MAX_MESSAGE_BYTES
        defaults.max_message_bytes = self.MAX_MESSAGE_SIZE if smaller else None
        tracebacks.detailed_by_default = self.DETAILED_TRACEBACK


def _line(name: str, value: Any) -> str:
    reason = WITHOUT_EFFECT.get(name)
    return f"{name} = {value}" + (f"  (without effect: {reason})" if reason else "")


def _unknown(name: str) -> AttributeError:
    close = difflib.get_close_matches(name.upper(), _INITIALLY, n=3)
    hint = f"; did you mean {' or '.join(close)}?" if close else ""
    return AttributeError(f"there is no setting {name!r}{hint}")


# -- what may be set -----------------------------------------------------------------------------------


def _seconds(name: str, value: Any) -> float:
    if value is None:
        return 0.0
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < float("inf"):
        raise ConfigurationError(f"{name} is a number of seconds, 0 for no limit, not {value!r:.40}")
    return float(value)


def _count(name: str, value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ConfigurationError(f"{name} is a whole number from 0 on, not {value!r:.40}")
    return value


def _port(name: str, value: Any) -> int:
    if type(value) is not int or not 0 < value < 65536:
        raise ConfigurationError(f"{name} is a port from 1 to 65535, not {value!r:.40}")
    return value


def _host(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ConfigurationError(f"{name} is the name or address of a computer, not {value!r:.40}")
    return Location.parse(value).host


def _truth(name: str, value: Any) -> bool:
    return bool(value)


def _no_ssl(name: str, value: Any) -> bool:
    """Who asks for encryption must not be left in the belief that there is some."""
    if value:
        raise ConfigurationError(
            f"{name} cannot be true: there is no SSL here, and nothing is encrypted. "
            "Through other networks use a tunnel; see SECURITY.md"
        )
    return False


_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "COMMTIMEOUT": _seconds,
    "MAX_RETRIES": _count,
    "MAX_MESSAGE_SIZE": _count,
    "NS_HOST": _host,
    "NS_PORT": _port,
    "DETAILED_TRACEBACK": _truth,
    "SSL": _no_ssl,
    "SSL_REQUIRECLIENTCERT": _no_ssl,
}

config = Configuration(in_use=True)
