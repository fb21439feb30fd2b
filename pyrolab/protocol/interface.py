"""What a service offers, as data: methods with signatures and docstrings, and properties.

An `Interface` is learned from a class by the worker, kept by the broker unread, and known to a client before
its first call. This file neither looks at classes nor makes proxies.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pyrolab.errors import ProtocolError


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a method; `kind` is the name of an `inspect.Parameter` kind."""

    name: str
    kind: str
    #: `()` without a default, else a tuple of the one value.
    default: tuple[Any, ...] = ()
    annotation: str = ""


@dataclass(frozen=True, slots=True)
class Method:
    """One method; `parameters` is None where the class itself cannot say (a C function)."""

    doc: str = ""
    parameters: tuple[Parameter, ...] | None = None
    returns: str = ""
    oneway: bool = False
    readonly: bool = False


@dataclass(frozen=True, slots=True)
class Property:
    """One property or attribute; `access` is `r`, `w` or `rw`."""

    doc: str = ""
    access: str = "r"


@dataclass(frozen=True, slots=True)
class Interface:
    """Everything that a service offers."""

    type_name: str
    doc: str = ""
    methods: dict[str, Method] = field(default_factory=dict)
    properties: dict[str, Property] = field(default_factory=dict)

    def names(self) -> list[str]:
        """All members, in the order of the alphabet."""
        return sorted([*self.methods, *self.properties])

    def to_data(self) -> dict[str, Any]:
        """As plain values, for the wire."""
        return {
            "type": self.type_name,
            "doc": self.doc,
            "methods": {name: _method_to_data(method) for name, method in self.methods.items()},
            "properties": {name: [p.doc, p.access] for name, p in self.properties.items()},
        }

    @classmethod
    def from_data(cls, data: Any) -> Interface:
        """From plain values. Raises `ProtocolError` if they are no interface."""
        try:
            return cls(
                str(data["type"]),
                str(data["doc"]),
                {str(name): _method_from_data(each) for name, each in data["methods"].items()},
                {str(name): Property(str(doc), str(r)) for name, (doc, r) in data["properties"].items()},
            )
        except (TypeError, ValueError, KeyError, AttributeError, IndexError) as error:
            raise ProtocolError(f"this is no description of a service: {error!r}") from None


def _method_to_data(method: Method) -> dict[str, Any]:
    parameters = None
    if method.parameters is not None:
        parameters = [[p.name, p.kind, list(p.default), p.annotation] for p in method.parameters]
    return {
        "doc": method.doc,
        "parameters": parameters,
        "returns": method.returns,
        "oneway": method.oneway,
        "readonly": method.readonly,
    }


def _method_from_data(data: Any) -> Method:
    parameters = data["parameters"]
    if parameters is not None:
        parameters = tuple(
            Parameter(str(name), str(kind), tuple(default), str(annotation))
            for name, kind, default, annotation in parameters
        )
    return Method(
        str(data["doc"]), parameters, str(data["returns"]), bool(data["oneway"]), bool(data["readonly"])
    )
