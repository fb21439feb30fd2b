"""Configuration text to plain data, with the line of every key. It builds nothing but plain data.

YAML by the rules of the pure Python `SafeLoader` (the C one can be crashed by its input), and stricter:
bounded size and depth, no aliases, no repeated key, no tag that is not plain data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from pyrolab.config.auto_names import is_auto, make_name
from pyrolab.errors import ConfigurationError

MAX_BYTES = 256 * 1024
MAX_NESTING = 32

#: The sections whose keys are names, where `auto` stands for a made-up one.
NAMED_SECTIONS = ("nameservers", "daemons", "services")

_PLAIN = "tag:yaml.org,2002:"
_PLAIN_SCALARS = {_PLAIN + kind for kind in ("null", "bool", "int", "float", "str", "timestamp", "binary")}
_PLAIN_NODES = {_PLAIN + "map", _PLAIN + "seq"}

KeyPath = tuple[str | int, ...]


class Place(NamedTuple):
    """Where something stands in its file; both count from 1."""

    line: int
    column: int


@dataclass(frozen=True)
class Document:
    """A configuration as it was written: plain data, and the place of each key."""

    source: str
    data: Any
    places: Mapping[KeyPath, Place]

    def place(self, path: KeyPath) -> Place | None:
        """The place of `path`, or of the nearest entry around it."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path)


def read_file(filename: str | Path) -> Document:
    """Read a configuration file; raises `FileNotFoundError`, or `ConfigurationError` if it is too large."""
    path = Path(filename)
    if not path.exists():
        raise FileNotFoundError(f"there is no configuration file {str(path)!r}")
    if path.is_dir():
        raise ConfigurationError(f"{str(path)!r} is a directory; name a file, for example config.yaml")
    with path.open("rb") as file:
        return read_text(file.read(MAX_BYTES + 1), source=str(path))


def read_text(text: str | bytes, source: str = "<text>") -> Document:
    """Read a configuration; raises `ConfigurationError` naming the line of what is wrong."""
    if len(text) > MAX_BYTES:
        raise _refusal(source, None, f"a configuration has at most {MAX_BYTES // 1024} KiB; this is larger")
    try:
        return _compose(text.decode("utf-8-sig") if isinstance(text, bytes) else text, source)
    except UnicodeDecodeError as error:
        raise _refusal(
            source, None, f"this is no UTF-8 text (byte {error.start}); save it as UTF-8"
        ) from None
    except yaml.MarkedYAMLError as error:
        problem = f"{error.problem or 'this is no YAML'}{f' {error.context}' if error.context else ''}"
        raise _refusal(source, error.problem_mark, problem) from None
    except yaml.YAMLError as error:
        raise _refusal(source, None, f"this is no YAML: {error}") from None


def _compose(text: str, source: str) -> Document:
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        reader = _Reader(source, loader)
        return Document(source, {} if node is None else reader.value(node, ()), reader.places)
    finally:
        loader.dispose()


class _Loader(yaml.SafeLoader):
    """Refuses, before a node is built, what could make it large."""

    nesting = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        mark: Any = event.start_mark
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise yaml.MarkedYAMLError(
                problem="anchors (&) and aliases (*) are not allowed; write the value out",
                problem_mark=mark,
            )
        if self.nesting >= MAX_NESTING:
            problem = f"more than {MAX_NESTING} levels are nested here"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=mark)
        self.nesting += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.nesting -= 1


class _Reader:
    """Turns nodes into plain data and notes where each entry stands."""

    def __init__(self, source: str, loader: _Loader) -> None:
        self.source = source
        self.places: dict[KeyPath, Place] = {}
        self._loader = loader

    def value(self, node: yaml.Node, path: KeyPath) -> Any:
        self.places.setdefault(path, Place(node.start_mark.line + 1, node.start_mark.column + 1))
        if isinstance(node, yaml.MappingNode) and node.tag in _PLAIN_NODES:
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode) and node.tag in _PLAIN_NODES:
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode) and node.tag in _PLAIN_SCALARS:
            return self._scalar(node)
        raise self._refuse_tag(node)

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        written = {str(key_node.value) for key_node, _ in node.value}
        for key_node, value_node in node.value:
            key = self._key(key_node, path, mapping, written)
            place = (*path, key)
            self.places[place] = Place(key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            mapping[key] = self.value(value_node, place)
        return mapping

    def _key(self, node: yaml.Node, path: KeyPath, taken: dict[str, Any], written: set[str]) -> str:
        if not isinstance(node, yaml.ScalarNode) or node.tag not in _PLAIN_SCALARS:
            if node.tag == _PLAIN + "merge":
                raise _refusal(self.source, node.start_mark, "merge keys (<<) are not allowed; write it out")
            raise _refusal(self.source, node.start_mark, "a key must be a name")
        key = str(node.value)
        if len(path) == 1 and path[0] in NAMED_SECTIONS and is_auto(key):
            return self._auto_name(key, node, written | taken.keys())
        if key in taken:
            first = self.places[(*path, key)].line
            raise _refusal(self.source, node.start_mark, f"the key {key!r} is already in line {first}")
        return key

    def _auto_name(self, key: str, node: yaml.Node, taken: set[str]) -> str:
        try:
            return make_name(key, taken)
        except ValueError as error:
            raise _refusal(self.source, node.start_mark, str(error)) from None

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        try:
            return self._loader.construct_object(node)
        except (ValueError, OverflowError) as error:
            raise _refusal(self.source, node.start_mark, f"this value cannot be read: {error}") from None

    def _refuse_tag(self, node: yaml.Node) -> ConfigurationError:
        tag = node.tag.replace(_PLAIN, "!!")
        problem = f"the YAML tag {tag!r} is refused: a configuration holds plain data and runs nothing"
        return _refusal(self.source, node.start_mark, problem)


def _refusal(source: str, mark: yaml.Mark | None, problem: str) -> ConfigurationError:
    line = None if mark is None else mark.line + 1
    where = source if line is None else f"{source}:{line}"
    return ConfigurationError(f"{where}: {problem}", file=source, line=line)
