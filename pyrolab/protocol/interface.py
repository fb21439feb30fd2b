"""What a service offers, as data: methods with signatures, properties, events, streams, sub-objects.

An `Interface` is learned from a class by the worker, kept by the broker unread, and known to a client before
its first call. This file neither looks at classes nor makes proxies.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pyrolab.errors import ProtocolError

#: The type of sub-objects that are queues; they can be subscribed to, and nothing else.
QUEUE_TYPE = "queue:Queue"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a method; `kind` is the name of an `inspect.Parameter` kind.

    `annotation` is data as of `pyrolab.protocol.annotations`; None if there is none.
    """

    name: str
    kind: str
    #: `()` without a default, else data as of `pyrolab.protocol.shown_values`: `(value,)` for builtin ones.
    default: tuple[Any, ...] = ()
    annotation: Any = None


#: The parameter of most methods that takes the object itself.
SELF = Parameter("self", "POSITIONAL_OR_KEYWORD")


@dataclass(frozen=True, slots=True)
class Method:
    """One method; `parameters` is None where the class itself cannot say (a C function)."""

    doc: str = ""
    parameters: tuple[Parameter, ...] | None = None
    returns: Any = None
    oneway: bool = False
    readonly: bool = False
    #: What Python calls it in its errors: `Stage.move`; empty if these parameters are not what it checks.
    qualname: str = ""
    #: Whether Python counts the object itself among the arguments.
    bound: bool = True
    #: What takes the object itself if it is bound: `self`, `cls`, or `*args`, which `parameters` have too.
    receiver: Parameter = SELF
    #: Whether it may run beside another call.
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class Property:
    """One property or attribute; `access` is made of `r`, `w` and `d` (it can be deleted)."""

    doc: str = ""
    access: str = "r"
    annotation: Any = None
    #: The symbol of its unit, such as `nm`.
    unit: str = ""
    #: The name of the type, in `Interface.types`, of the sub-object that it always is; empty for a value.
    node: str = ""
    #: Whether it can be read beside whatever is running.
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class EventType:
    """One event; `parameters` are the names of the values that come with it."""

    doc: str = ""
    parameters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StreamType:
    """One stream of frames or values; `unit` is the symbol of the unit of its values."""

    doc: str = ""
    unit: str = ""
    #: Whether nothing is published while nobody has subscribed.
    on_demand: bool = False


@dataclass(frozen=True, slots=True)
class Interface:
    """Everything that a service, or a sub-object of one, offers.

    `types` holds the interfaces of sub-objects by the names of their types; in them it is empty.
    """

    type_name: str
    doc: str = ""
    methods: dict[str, Method] = field(default_factory=dict)
    properties: dict[str, Property] = field(default_factory=dict)
    events: dict[str, EventType] = field(default_factory=dict)
    types: dict[str, Interface] = field(default_factory=dict)
    streams: dict[str, StreamType] = field(default_factory=dict)
    #: Whether objects may have more attributes than these; the service is asked about them.
    is_open: bool = False

    def names(self) -> list[str]:
        """All members, in the order of the alphabet."""
        return sorted([*self.methods, *self.properties, *self.events, *self.streams])

    def to_data(self) -> dict[str, Any]:
        """As plain values, for the wire."""
        data: dict[str, Any] = {
            "type": self.type_name,
            "doc": self.doc,
            "methods": {name: _method_to_data(method) for name, method in self.methods.items()},
            "properties": {name: _property_to_data(each) for name, each in self.properties.items()},
        }
        if self.is_open:
            data["open"] = True
        if self.events:
            data["events"] = {name: [each.doc, list(each.parameters)] for name, each in self.events.items()}
        if self.streams:
            data["streams"] = {
                name: [each.doc, each.unit, each.on_demand] for name, each in self.streams.items()
            }
        if self.types:
            data["types"] = {name: each.to_data() for name, each in self.types.items()}
        return data

    @classmethod
    def from_data(cls, data: Any) -> Interface:
        """From plain values. Raises `ProtocolError` if they are no interface."""
        try:
            return _interface_from_data(data, 0)
        except (TypeError, ValueError, KeyError, AttributeError, IndexError) as error:
            raise ProtocolError(f"this is no description of a service: {error!r:.200}") from None


def _interface_from_data(data: Any, depth: int) -> Interface:
    if depth > 1:
        raise ValueError("types within types")
    return Interface(
        str(data["type"]),
        str(data["doc"]),
        {str(name): _method_from_data(each) for name, each in data["methods"].items()},
        {str(name): _property_from_data(each) for name, each in data["properties"].items()},
        {
            str(name): EventType(str(doc), tuple(map(str, parameters)))
            for name, (doc, parameters) in data.get("events", {}).items()
        },
        {str(name): _interface_from_data(each, depth + 1) for name, each in data.get("types", {}).items()},
        {
            str(name): StreamType(str(doc), str(unit), bool(on_demand))
            for name, (doc, unit, on_demand) in data.get("streams", {}).items()
        },
        bool(data.get("open", False)),
    )


def _method_to_data(method: Method) -> dict[str, Any]:
    parameters = None
    if method.parameters is not None:
        parameters = [_parameter_to_data(each) for each in method.parameters]
    data = {
        "doc": method.doc,
        "parameters": parameters,
        "returns": method.returns,
        "oneway": method.oneway,
        "readonly": method.readonly,
        "qualname": method.qualname,
        "bound": method.bound,
    }
    if method.receiver != SELF:
        data["receiver"] = _parameter_to_data(method.receiver)
    if method.urgent:
        data["urgent"] = True
    return data


def _method_from_data(data: Any) -> Method:
    parameters = data["parameters"]
    if parameters is not None:
        parameters = tuple(map(_parameter_from_data, parameters))
    return Method(
        str(data["doc"]),
        parameters,
        data["returns"],
        bool(data["oneway"]),
        bool(data["readonly"]),
        str(data.get("qualname", "")),
        bool(data.get("bound", True)),
        _parameter_from_data(data["receiver"]) if "receiver" in data else SELF,
        bool(data.get("urgent", False)),
    )


def _parameter_to_data(each: Parameter) -> list[Any]:
    return [each.name, each.kind, list(each.default), each.annotation]


def _parameter_from_data(data: Any) -> Parameter:
    name, kind, default, annotation = data
    return Parameter(str(name), str(kind), tuple(default[:3]), annotation)


def _property_to_data(each: Property) -> list[Any]:
    """Without what is empty at its end."""
    parts = [each.doc, each.access, each.annotation, each.unit, each.node, each.urgent]
    while len(parts) > 2 and not parts[-1]:
        del parts[-1]
    return parts


def _property_from_data(data: Any) -> Property:
    parts = list(data)
    doc, access, annotation, unit, node, urgent = parts + [None, "", "", False][len(parts) - 2 :]
    return Property(str(doc), str(access), annotation, str(unit), str(node), bool(urgent))
