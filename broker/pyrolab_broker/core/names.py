"""The table of names: name → URI and metadata. It knows nothing of who is connected."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from pyrolab.errors import NamingError
from pyrolab.protocol.limits import MAX_NAME_CHARS
from pyrolab.protocol.names import NAME_SERVICE, URI, check_name

#: Words of metadata that one name may carry.
MAX_TAGS = 64
#: To find names that are spelt alike takes a moment for each candidate: so many are looked at, and only
#: those whose length differs by so little.
HINT_CANDIDATES = 200
HINT_CHARS = 4


class Entry(NamedTuple):
    """What a name stands for."""

    uri: str
    metadata: frozenset[str]


class NameTable:
    """Names in the order of the alphabet; every question about them is answered from here.

    `keep` is told of each change: a name, and what it stands for now, or None.
    """

    def __init__(self, capacity: int, keep: Callable[[str, Any], None] = lambda name, value: None) -> None:
        self._entries: dict[str, Entry] = {}
        self._capacity = capacity
        self._keep = keep

    def load(self, stored: Mapping[str, Any]) -> None:
        """Take in what was kept before."""
        for name, value in stored.items():
            self._entries[name] = Entry(str(value["uri"]), frozenset(map(str, value["metadata"])))

    def _set(self, name: str, entry: Entry) -> None:
        self._entries[name] = entry
        self._keep(name, {"uri": entry.uri, "metadata": sorted(entry.metadata)})

    def _forget(self, name: str) -> bool:
        known = self._entries.pop(name, None) is not None
        if known:
            self._keep(name, None)
        return known

    def all(self) -> Sequence[tuple[str, Entry]]:
        """All names but the name service's own, in no order."""
        return tuple(self._entries.items())

    def get(self, name: str) -> Entry | None:
        """What `name` stands for, if anything."""
        return self._entries.get(name)

    def __len__(self) -> int:
        return len(self._entries)

    def register(self, name: str, uri: str, metadata: Iterable[str] = (), safe: bool = False) -> None:
        """Let `name` stand for `uri`; a name in use is replaced unless `safe`. Raises `NamingError`."""
        check_name(name)
        uri = str(URI(uri))
        if name == NAME_SERVICE:
            raise NamingError(f"{name!r} is the name service itself; choose another name")
        if name in self._entries:
            if safe:
                raise NamingError(
                    f"the name {name!r} is taken; remove it first, or register without safe=True"
                )
        elif len(self._entries) >= self._capacity:
            raise NamingError(f"the name service holds {self._capacity} names, its limit; remove some")
        self._set(name, Entry(uri, _tags(metadata)))

    def set_metadata(self, name: str, metadata: Iterable[str]) -> None:
        """Replace the metadata of a name. Raises `NamingError` if there is no such name."""
        self._set(name, self.entry(name)._replace(metadata=_tags(metadata)))

    def entry(self, name: str) -> Entry:
        """What `name` stands for. Raises `NamingError` with close names if there is none."""
        try:
            return self._entries[name]
        except KeyError:
            check_name(name)
            raise NamingError(f"the name service knows no {name!r}{self._hint(name)}") from None

    def remove(self, *names: str) -> int:
        """Remove names; returns how many there were."""
        return sum(map(self._forget, names))

    def list(self, prefix: str = "") -> dict[str, Entry]:
        """All entries whose name starts with `prefix`, the name service's own among them.

        There is no search by pattern here: a hostile one would keep the broker busy. Clients filter.
        """
        itself = {NAME_SERVICE: Entry(f"PYRO:{NAME_SERVICE}", frozenset({"class:NameServer"}))}
        everything = itself | dict(sorted(self._entries.items()))
        return {name: entry for name, entry in everything.items() if name.startswith(prefix)}

    def of_object(self, object_id: str) -> Sequence[str]:
        """The names that stand for an object of this broker."""
        uri = f"PYRO:{object_id}"
        return [name for name, entry in self._entries.items() if entry.uri == uri]

    def with_metadata(self, every: Iterable[str] = (), any_of: Iterable[str] = ()) -> dict[str, Entry]:
        """The entries that carry all of `every`, or at least one of `any_of`."""
        wanted, some = _tags(every), _tags(any_of)
        if bool(wanted) == bool(some):
            raise NamingError("give either meta_all= or meta_any=, with at least one tag")
        return {
            name: entry
            for name, entry in self.list().items()
            if (wanted and wanted <= entry.metadata) or (some and some & entry.metadata)
        }

    def _hint(self, name: str) -> str:
        alike = (each for each in self._entries if abs(len(each) - len(name)) <= HINT_CHARS)
        close = difflib.get_close_matches(name, islice(alike, HINT_CANDIDATES), n=3)
        if close:
            return "; did you mean " + " or ".join(map(repr, close)) + "?"
        return "; `pyrolab nslist` shows the names that it knows"


def _tags(metadata: Iterable[str]) -> frozenset[str]:
    if isinstance(metadata, (str, bytes)):
        raise NamingError("metadata is a set of words, not one string; write {'word'}")
    tags = frozenset(metadata)
    if len(tags) > MAX_TAGS:
        raise NamingError(f"{len(tags)} words of metadata are too many; a name may carry {MAX_TAGS}")
    for tag in tags:
        _check_tag(tag)
    return tags


def _check_tag(tag: str) -> None:
    """Unlike a name, a tag may have blanks: descriptions of services are tags."""
    if not isinstance(tag, str) or not 0 < len(tag.encode("utf-8", "replace")) <= MAX_NAME_CHARS:
        raise NamingError(f"{str(tag)[:40]!r} is no metadata; a word has 1 to {MAX_NAME_CHARS} bytes of text")
    if not tag.isprintable():
        raise NamingError(f"{tag!r} is no metadata; control characters are not allowed")
