"""Learn what a class offers by looking at the class; touching an instance might move something."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from pyrolab.errors import SerializeError
from pyrolab.protocol import codec
from pyrolab.protocol.interface import Interface, Method, Parameter, Property
from pyrolab.worker import exposure


def interface_of(cls: type) -> Interface:
    """Everything that `cls` exposes."""
    methods: dict[str, Method] = {}
    properties: dict[str, Property] = {}
    for name, member in exposed_members(cls):
        if callable(member) or isinstance(member, (classmethod, staticmethod)):
            methods[name] = _describe_method(cls, name, member)
        else:
            properties[name] = _describe_property(member)
    return Interface(f"{cls.__module__}:{cls.__qualname__}", inspect.getdoc(cls) or "", methods, properties)


def exposed_members(cls: type) -> Iterator[tuple[str, Any]]:
    """Names and the raw members behind them, in the order of the alphabet; the nearest class decides."""
    for name in sorted({name for owner in cls.__mro__ for name in vars(owner)}):
        owner = next(each for each in cls.__mro__ if name in vars(each))
        member = vars(owner)[name]
        if exposure.is_exposed(owner, name, member):
            yield name, member


def _describe_method(cls: type, name: str, member: Any) -> Method:
    function = getattr(member, "__func__", member)
    marks = exposure.is_oneway(member), exposure.is_readonly(member)
    doc = inspect.getdoc(function) or ""
    try:
        # As a caller sees it: bound, without self or cls. Taken from the class, no instance needed.
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # a C function that does not tell
        return Method(doc, None, "", *marks)
    parameters = list(signature.parameters.values())
    if not isinstance(member, staticmethod):
        parameters = parameters[1:]
    described = tuple(_describe_parameter(each) for each in parameters)
    return Method(doc, described, _annotation(signature.return_annotation), *marks)


def _describe_parameter(parameter: inspect.Parameter) -> Parameter:
    default: tuple[Any, ...] = ()
    if parameter.default is not inspect.Parameter.empty:
        default = (_travelling(parameter.default),)
    return Parameter(parameter.name, parameter.kind.name, default, _annotation(parameter.annotation))


def _travelling(value: Any) -> Any:
    """A default as it is, or, if it can't travel, as text."""
    try:
        _, buffers = codec.encode(value)
    except SerializeError:
        return repr(value)
    return value if not buffers else repr(value)


def _annotation(annotation: Any) -> str:
    if annotation is inspect.Signature.empty:
        return ""
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def _describe_property(member: Any) -> Property:
    doc = inspect.getdoc(member) or ""
    if isinstance(member, property):
        access = ("r" if member.fget else "") + ("w" if member.fset else "")
        return Property(doc, access)
    return Property(doc, "rw" if hasattr(type(member), "__set__") else "r")
