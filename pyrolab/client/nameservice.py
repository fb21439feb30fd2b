"""The name service, seen by a client."""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterable
from typing import Any, Literal, overload

from pyrolab.client.emergency import emergency_stop
from pyrolab.client.proxy import Proxy
from pyrolab.errors import NamingError
from pyrolab.link.finding import broker_location
from pyrolab.link.link import login_name
from pyrolab.protocol.envelope import Flag
from pyrolab.protocol.names import NAME_SERVICE, URI, Location

Found = tuple[URI, set[str]]


def locate_ns(host: str | None = None, port: int | None = None) -> NameService:
    """The name service of a broker, connected.

    Without arguments the broker is looked for in `PYROLAB_NAMESERVER`, then the user's configuration, then at
    localhost:9090. Raises `CommunicationError` if none answers, `PoolFull` if it serves enough clients.
    """
    names = NameService(broker_location(host, port))
    names._pyroBind()
    return names


def resolve(uri: str | URI) -> URI:
    """The `PYRO:` URI that a `PYRONAME:` or `PYROMETA:` URI stands for now. Raises `NamingError`."""
    uri = URI(uri)
    if uri.protocol == "PYRO":
        return uri
    with NameService(uri.location or broker_location()) as names:
        if uri.protocol == "PYRONAME":
            return names.lookup(uri.object)
        found = names.yplookup(meta_all=uri.object.split(","))
        if not found:
            raise NamingError(f"no name has all the tags {uri.object}; `pyrolab nslist` shows the tags")
        return next(iter(found.values()))[0]


class NameService(Proxy):
    """Maps names to URIs. Names are text without blanks; each may carry metadata, a set of words."""

    def __init__(self, location: Location) -> None:
        super().__init__(URI.of_object(NAME_SERVICE, location))
        self._location = location

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._location,)

    @overload
    def lookup(self, name: str, return_metadata: Literal[False] = False) -> URI: ...
    @overload
    def lookup(self, name: str, return_metadata: Literal[True]) -> Found: ...
    def lookup(self, name: str, return_metadata: bool = False) -> URI | Found:
        """The URI of `name`, and on request its metadata. Raises `NamingError` with close names if unknown.

        A URI of this broker names it by the address at which this client reached it.
        """
        uri, metadata = self._ask("lookup", name, return_metadata=True)
        return (self._here(uri), metadata) if return_metadata else self._here(uri)

    def register(
        self, name: str, uri: str | URI, safe: bool = False, metadata: Iterable[str] | None = None
    ) -> None:
        """Let `name` stand for `uri`. A name in use is replaced, or, with `safe`, a `NamingError`."""
        uri = URI(uri)
        text = f"{uri.protocol}:{uri.object}" if uri.location == self._location else str(uri)
        self._tell("register", name, text, safe=safe, metadata=_words(metadata))

    def remove(self, name: str | None = None, prefix: str | None = None, regex: str | None = None) -> int:
        """Remove one name, or all with a prefix or pattern; returns how many there were."""
        names = [name] if name is not None else list(self.list(prefix, regex))
        return int(self._tell("remove", *names))

    @overload
    def list(
        self, prefix: str | None = None, regex: str | None = None, return_metadata: Literal[False] = False
    ) -> dict[str, URI]: ...
    @overload
    def list(
        self, prefix: str | None = None, regex: str | None = None, *, return_metadata: Literal[True]
    ) -> dict[str, Found]: ...
    def list(
        self, prefix: str | None = None, regex: str | None = None, return_metadata: bool = False
    ) -> dict[str, URI] | dict[str, Found]:
        """All names, those that start with `prefix`, or those that `regex` matches from their start."""
        if prefix is not None and regex is not None:
            raise NamingError("prefix= and regex= exclude each other; give one of them")
        pattern = _compiled(regex or "")
        found = self._ask("list", prefix or "", return_metadata=True)
        chosen = {name: entry for name, entry in found.items() if pattern.match(name)}
        if return_metadata:
            return self._entries(chosen)
        return {name: self._here(uri) for name, (uri, _) in chosen.items()}

    def yplookup(
        self, meta_all: Iterable[str] | None = None, meta_any: Iterable[str] | None = None
    ) -> dict[str, Found]:
        """The names with all of the words `meta_all`, or with any of `meta_any`: name → (URI, metadata)."""
        return self._entries(self._ask("yplookup", _words(meta_all), _words(meta_any)))

    def set_metadata(self, name: str, metadata: Iterable[str]) -> None:
        """Replace the metadata of `name`."""
        self._tell("set_metadata", name, _words(metadata))

    def count(self) -> int:
        """How many names there are, the name service's own included."""
        return int(self._ask("count"))

    def ping(self) -> None:
        """Return if the name service answers."""
        self._ask("ping")

    # -- the whole bus -------------------------------------------------------------------------------

    def load(self) -> dict[str, Any]:
        """How much there is to do: clients, workers, and for each service its queue, times and workers."""
        found: dict[str, Any] = self._ask("load")
        return found

    def reservations(self) -> builtins.list[dict[str, Any]]:
        """Who has which services for themselves: user, holder, since and until (Unix time in s), mode."""
        return builtins.list(self._ask("reservations"))

    def emergency_stop(self, reason: str = "", user: str = "") -> dict[str, Any]:
        """Stop everything: all stop hooks run now, and no call runs until `reset_emergency_stop`.

        `user` is by default whoever is logged in. Returns what became of the stop hook of each service, as
        `{"services": {object id: "begun", "ended", "failed", "no hook" or "no answer"}}`. Raises `NoBroker`
        if no broker could be told, `OutcomeUnknown` if it did not confirm: then use the hardware switch.
        """
        stopped: dict[str, Any] = emergency_stop(self._location, reason, user)
        return stopped

    def reset_emergency_stop(self, user: str = "") -> bool:
        """Let calls run again, when all is safe. Returns whether there was a stop."""
        return bool(self._tell("reset_emergency_stop", user or login_name()))

    def stopped(self) -> dict[str, Any] | None:
        """The emergency stop that is on (`reason`, `user`, `host`, `since` as Unix time in s), or None."""
        found: dict[str, Any] | None = self._ask("stopped")
        return found

    def _ask(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return self._invoke([method], "call", args, kwargs, Flag.READ)

    def _tell(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return self._invoke([method], "call", args, kwargs)

    def _entries(self, found: dict[str, Any]) -> dict[str, Found]:
        return {name: (self._here(uri), metadata) for name, (uri, metadata) in found.items()}

    def _here(self, uri: str) -> URI:
        parsed = URI(uri)
        return parsed if parsed.location is not None else parsed.at(self._location)


def _words(metadata: Iterable[str] | None) -> list[str]:
    if isinstance(metadata, (str, bytes)):
        raise NamingError("metadata is a set of words, not one string; write {'word'}")
    return sorted(metadata) if metadata is not None else []


def _compiled(regex: str) -> re.Pattern[str]:
    try:
        return re.compile(regex)
    except re.error as error:
        raise NamingError(f"{regex!r} is no regular expression: {error}") from None
