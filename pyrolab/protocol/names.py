"""Names: of brokers (`Location`), and of services (`URI`), and how both are written."""

from __future__ import annotations

import re
import uuid
from typing import Any, NamedTuple

from pyrolab.errors import NamingError
from pyrolab.protocol.limits import MAX_NAME_CHARS

DEFAULT_HOST = "localhost"
DEFAULT_PORT = 9090
#: The object id under which every broker answers as its own name service; Pyro5 uses the same.
NAME_SERVICE = "Pyro.NameServer"

#: The attribute of a function that Pyro's `callback` sets: its errors are logged where it runs, too.
CALLBACK_MARK = "_pyroCallback"

_SCHEMES = ("PYRO", "PYRONAME", "PYROMETA")
_URI = re.compile(r"(?P<scheme>[A-Za-z]+):(?P<object>[^\s@]+)(?:@(?P<location>\S+))?")


class Location(NamedTuple):
    """Where a broker listens."""

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT

    @classmethod
    def parse(cls, text: str) -> Location:
        """From `host`, `host:port`, `[v6]:port` or a bare v6 address.

        Raises `NamingError` if the port is no number from 0 to 65535 or the host is empty.
        """
        host, port = _split(text.strip())
        if not 0 < len(host) <= MAX_NAME_CHARS or any(c.isspace() or c in "@/" for c in host):
            raise NamingError(
                f"{text[:100]!r} names no host; write it as 'host:port', for example 'localhost:9090'"
            )
        if not port:
            return cls(host, DEFAULT_PORT)
        if not port.isascii() or not port.isdigit() or len(port) > 5 or int(port) > 65535:
            raise NamingError(
                f"{port[:20]!r} in {text[:100]!r} is no port; a port is a number from 1 to 65535"
            )
        return cls(host, int(port))

    def __str__(self) -> str:
        """As `parse` reads it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def endpoint(self) -> str:
        """The ZeroMQ endpoint."""
        return f"tcp://{self}"


def _split(text: str) -> tuple[str, str]:
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        return host, rest.removeprefix(":")
    if text.count(":") > 1:  # a bare IPv6 address
        return text, ""
    host, _, port = text.partition(":")
    return host, port


class URI:
    """The address of a service.

    `PYRO:object@host:port` names an object at a broker, `PYRONAME:name[@host[:port]]` a name that a name
    service knows, `PYROMETA:tag,tag[@host[:port]]` any service with all these tags. Immutable, hashable.
    Raises `NamingError` on anything else.
    """

    __slots__ = ("location", "object", "protocol")

    protocol: str
    object: str
    location: Location | None

    def __init__(self, uri: str | URI) -> None:
        if isinstance(uri, URI):
            self._set(uri.protocol, uri.object, uri.location)
            return
        found = _URI.fullmatch(uri.strip()) if isinstance(uri, str) else None
        if found is None or found["scheme"].upper() not in _SCHEMES:
            raise NamingError(f"{uri!r:.100} is no URI; write 'PYRONAME:name' or 'PYRO:object@host:port'")
        check_name(found["object"])
        location = Location.parse(found["location"]) if found["location"] else None
        self._set(found["scheme"].upper(), found["object"], location)

    @classmethod
    def of_object(cls, object_id: str, location: Location) -> URI:
        """The URI of an object at a broker."""
        return cls(f"PYRO:{object_id}@{location}")

    def _set(self, protocol: str, name: str, location: Location | None) -> None:
        object.__setattr__(self, "protocol", protocol)
        object.__setattr__(self, "object", name)
        object.__setattr__(self, "location", location)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("a URI can't be changed; make a new one")

    def at(self, location: Location) -> URI:
        """The same object, named at another location."""
        moved = URI.__new__(URI)
        moved._set(self.protocol, self.object, location)
        return moved

    def seen_from(self, location: Location) -> str:
        """As text for a peer at the broker `location`, who may know that broker by another address."""
        return f"{self.protocol}:{self.object}" if self.location == location else str(self)

    @property
    def host(self) -> str | None:
        """The broker's host, if the URI names one."""
        return self.location.host if self.location else None

    @property
    def port(self) -> int | None:
        """The broker's port, if the URI names one."""
        return self.location.port if self.location else None

    def __str__(self) -> str:
        return f"{self.protocol}:{self.object}" + (f"@{self.location}" if self.location else "")

    def __repr__(self) -> str:
        return f"<URI {self}>"

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, (URI, str)) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    def __reduce__(self) -> tuple[type[URI], tuple[str]]:
        return URI, (str(self),)


def check_name(name: str) -> str:
    """Return `name` if it can name a service or an object, else raise `NamingError`."""
    if not isinstance(name, str) or not name or len(name.encode("utf-8", "replace")) > MAX_NAME_CHARS:
        raise NamingError(f"{str(name)[:40]!r} is no name; a name has 1 to {MAX_NAME_CHARS} bytes of text")
    if any(c.isspace() or c == "@" or not c.isprintable() for c in name):
        raise NamingError(f"{name!r} is no name; blanks, '@' and control characters are not allowed")
    return name


def new_object_id() -> str:
    """A fresh object id, `obj_` and 32 hexadecimal digits."""
    return f"obj_{uuid.uuid4().hex}"
