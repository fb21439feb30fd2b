"""What a name such as `smu.ch1.voltage` stands for: a service's name, the way from it, and a member."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyrolab.client.nameservice import NameService
from pyrolab.client.node import Node
from pyrolab.client.proxy import Proxy
from pyrolab.errors import NamingError
from pyrolab.protocol.names import NAME_SERVICE, Location

if TYPE_CHECKING:
    from pyrolab.protocol.interface import Interface


@dataclass(frozen=True, slots=True)
class Found:
    """A member of an object of a service; `kind` is "stream" or "property"."""

    label: str
    service: Proxy
    node: Node
    member: str
    kind: str


def find(name: str, location: Location, alone: bool = True) -> Found:
    """What `name` stands for at a broker; the caller releases `service`.

    With `alone`, the name of a service that has just one stream stands for that one.
    Raises `NamingError` with the nearest valid names.
    """
    with NameService(location) as names:
        known = [each for each in names.list() if each != NAME_SERVICE]
    called, steps = split(name, known)
    service = Proxy(f"PYRONAME:{called}@{location}")
    try:
        interface = service._known_shape().interface
        if not steps and alone:
            steps = [only_stream(name, interface)]
        if not steps:
            raise NamingError(f"{name} is a service; {what_there_is(name, interface)}")
        *way, member = steps
        node = _walked(service, called, way)
        label = ".".join([called, *steps])
        interface = node._known_shape().interface
        kind = kind_of(".".join([called, *way]), interface, member)
        if kind == "property" and interface.properties[member].node:
            within = getattr(node, member)._known_shape().interface
            raise NamingError(f"{label} is an object; {what_there_is(label, within)}")
    except BaseException:
        service._pyroRelease()
        raise
    return Found(label, service, node, member, kind)


def split(name: str, known: Collection[str]) -> tuple[str, list[str]]:
    """The longest of the `known` names that `name` begins with, and the steps after it."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        called = ".".join(parts[:count])
        if called in known:
            return called, parts[count:]
    close = nearest(name, known) or nearest(parts[0], known)
    raise NamingError(f"no service is called {parts[0]!r}" + hint(close, known))


def _walked(service: Proxy, label: str, way: Sequence[str]) -> Node:
    """The sub-object at the end of a way of properties, and of keys where those are dictionaries or lists."""
    here: Any = service
    for step in way:
        here = _step(here, step, label)
        label = f"{label}.{step}"
    if not isinstance(here, Node):
        raise _no_parts(label)
    return here


def _step(here: Any, step: str, label: str) -> Any:
    if isinstance(here, Node):
        properties = here._known_shape().properties
        if step not in properties:
            raise unknown(label, step, properties)
        return getattr(here, step)
    items = here if isinstance(here, Mapping) else dict(enumerate(here)) if isinstance(here, list) else None
    if items is None:
        raise _no_parts(label)
    for key, item in items.items():
        if str(key) == step:
            return item
    raise unknown(label, step, [str(key) for key in items])


def _no_parts(label: str) -> NamingError:
    return NamingError(f"{label} is a value and has no parts; leave out what stands after it")


def only_stream(name: str, interface: Interface) -> str:
    """The stream of a service that has exactly one."""
    streams = list(interface.streams)
    if len(streams) == 1:
        return streams[0]
    if streams:
        raise NamingError(f"{name} has {len(streams)} streams; say which: {_listed(name, streams)}")
    raise NamingError(f"{name} has no stream; {what_there_is(name, interface)}")


def kind_of(label: str, interface: Interface, member: str) -> str:
    """Whether a member is a stream or a property. Raises `NamingError` if it is neither."""
    if member in interface.streams:
        return "stream"
    if member in interface.properties:
        return "property"
    if member in interface.methods or member in interface.events:
        kind = "a method" if member in interface.methods else "an event"
        raise NamingError(f"{label}.{member} is {kind}; {what_there_is(label, interface)}")
    raise unknown(label, member, [*interface.streams, *interface.properties])


def what_there_is(label: str, interface: Interface) -> str:
    """What of an object can be looked at."""
    values = [name for name, each in interface.properties.items() if "r" in each.access and not each.node]
    names = _listed(label, [*interface.streams, *values])
    return f"what can be watched: {names}" if names else "nothing of it can be watched"


def unknown(label: str, member: str, valid: Collection[str]) -> NamingError:
    """The error for a member that is not there; it names the nearest, or all."""
    close = [f"{label}.{each}" for each in nearest(member, valid)]
    return NamingError(f"{label} has no {member!r}" + hint(close, [f"{label}.{each}" for each in valid]))


def nearest(name: str, valid: Collection[str]) -> list[str]:
    """The valid names that look most like this one."""
    return difflib.get_close_matches(name, list(valid), n=3)


def hint(close: Sequence[str], valid: Collection[str], most: int = 12) -> str:
    """What to write instead."""
    if close:
        return f"; did you mean {' or '.join(close)}?"
    if not valid:
        return ", and there is nothing else"
    names = sorted(valid)
    return f"; there is {', '.join(names[:most])}" + (", …" if len(names) > most else "")


def _listed(label: str, names: Collection[str]) -> str:
    return ", ".join(f"{label}.{each}" for each in sorted(names))
