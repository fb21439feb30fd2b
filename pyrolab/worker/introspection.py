"""Learn what a class offers by looking at the class; touching an instance might move something."""

from __future__ import annotations

import functools
import inspect
import sys
import types
from collections import deque
from collections.abc import Iterator
from typing import Any

from pyrolab.errors import SerializeError
from pyrolab.protocol import classes
from pyrolab.protocol.annotations import to_data
from pyrolab.protocol.codec import CODEC
from pyrolab.protocol.interface import SELF, Interface, Method, Parameter, Property
from pyrolab.protocol.shown_values import value_to_data
from pyrolab.worker import exposure, hints

#: Types of sub-objects that are described along with a service; a client asks about further ones.
MAX_TYPES = 64

_EXPOSED_BY = {"marked": exposure.is_exposed, "public": exposure.is_public}


def interface_of(cls: type, policy: str = "marked") -> Interface:
    """Everything that `cls` exposes: what is "marked", or all that is "public".

    With it go the interfaces of its sub-objects, which are known by the annotations of properties.
    """
    types_of = _SubObjects(policy)
    interface = _describe(cls, policy, types_of)
    while types_of.waiting:
        described = _describe(types_of.waiting.popleft(), policy, types_of)
        interface.types[described.type_name] = described
    return interface


def exposed_members(cls: type, policy: str = "marked") -> Iterator[tuple[str, Any]]:
    """Names and the raw members behind them, in the order of the alphabet; the nearest class decides."""
    return ((name, member) for _, name, member in _exposed(cls, policy))


def _exposed(cls: type, policy: str) -> Iterator[tuple[type, str, Any]]:
    is_exposed = _EXPOSED_BY[policy]
    owners = {name: owner for owner in reversed(cls.__mro__) for name in vars(owner)}
    for name in sorted(owners):
        owner = owners[name]
        member = vars(owner)[name]
        if is_exposed(owner, name, member):
            yield owner, name, member


class _SubObjects:
    """The classes of sub-objects that have been met, and those still to be described."""

    def __init__(self, policy: str) -> None:
        self._policy = policy
        self._met: dict[type, str] = {}
        self.waiting: deque[type] = deque()
        self.hints = hints.Hints()

    def name_of(self, cls: type | None) -> str:
        """The name of a class under which its interface will be found; empty for the class of a value."""
        if cls is None:
            return ""
        if cls not in self._met:
            self._met[cls] = self._admitted(cls)
        return self._met[cls]

    def _admitted(self, cls: type) -> str:
        name = classes.name_of(cls)
        if not _is_node(cls, self._policy) or name in self._met.values():
            return ""
        if sum(map(bool, self._met.values())) >= MAX_TYPES:
            return ""
        self.waiting.append(cls)
        return name


def _is_node(cls: type, policy: str) -> bool:
    """Whether objects of a class stay here, and can be used from outside."""
    if cls.__module__.partition(".")[0] in sys.stdlib_module_names or not any(_exposed(cls, policy)):
        return False
    return policy == "marked" or not _travels(cls)


def _travels(cls: type) -> bool:
    try:
        CODEC.packing_of(cls)
    except SerializeError:
        return False
    return True


def _describe(cls: type, policy: str, types_of: _SubObjects) -> Interface:
    interface = Interface(classes.name_of(cls), inspect.getdoc(cls) or "", is_open=policy == "public")
    for owner, name, member in _exposed(cls, policy):
        if exposure.is_event(member):
            interface.events[name] = member.described
        elif exposure.is_stream(member):
            interface.streams[name] = member.described
        elif exposure.is_method(member):
            interface.methods[name] = _describe_method(owner, member, types_of.hints)
        else:
            interface.properties[name] = _describe_property(owner, name, member, types_of)
    return interface


# -- methods ---------------------------------------------------------------------------------------------


def _describe_method(owner: type, member: Any, known: hints.Hints) -> Method:
    function = _function_behind(owner, member)
    marks = exposure.is_oneway(member), exposure.is_readonly(member)
    urgent = exposure.is_urgent(member)
    doc = inspect.getdoc(function) or ""
    bound = _is_bound(member)
    try:
        # Taken from the class, no instance needed.
        signature = inspect.signature(function)
        receiver, parameters = _split_receiver(list(signature.parameters.values()), bound)
    except Exception:  # noqa: BLE001 - a C function that does not tell, or a `__signature__` that is none
        return Method(doc, None, None, *marks, bound=bound, urgent=urgent)

    written = member.func if isinstance(member, functools.partialmethod) else function

    def data_of(annotation: Any) -> Any:
        return to_data(annotation, known.meaning(annotation, written, owner))

    described = tuple(
        Parameter(each.name, each.kind.name, _default(each), data_of(each.annotation)) for each in parameters
    )
    returns = data_of(signature.return_annotation)
    return Method(doc, described, returns, *marks, _checked_as(member), bound, receiver, urgent)


def needs_no_arguments(owner: type, member: Any) -> bool:
    """Whether a method can be called without any, as far as it tells."""
    try:
        signature = inspect.signature(_function_behind(owner, member))
        _, parameters = _split_receiver(list(signature.parameters.values()), _is_bound(member))
    except Exception:  # noqa: BLE001 - a C function that does not tell: calling it will
        return True
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return all(each.default is not each.empty or each.kind in optional for each in parameters)


def _function_behind(owner: type, member: Any) -> Any:
    if isinstance(member, functools.partialmethod):
        return member.__get__(None, owner)
    if isinstance(member, functools.singledispatchmethod):
        return member.func
    return exposure.function_of(member)


def _is_bound(member: Any) -> bool:
    """Whether the object, or its class, is the first argument of a call."""
    if isinstance(member, (staticmethod, functools.partial)):
        return False
    return hasattr(type(member), "__get__")


def _split_receiver(
    parameters: list[inspect.Parameter], bound: bool
) -> tuple[Parameter, list[inspect.Parameter]]:
    """What takes the object itself, and what is left. Raises `ValueError` if nothing takes it."""
    if not bound:
        return SELF, parameters
    first = parameters[0] if parameters else None
    if first is None or first.kind in (first.KEYWORD_ONLY, first.VAR_KEYWORD):
        raise ValueError("nothing takes the object")
    receiver = Parameter(first.name, first.kind.name, (None,) if first.default is not first.empty else ())
    return receiver, parameters if first.kind is first.VAR_POSITIONAL else parameters[1:]


def _checked_as(member: Any) -> str:
    """What Python calls a function in its errors; empty if it does not check by the signature shown."""
    function = exposure.function_of(member)
    plain = type(function) is types.FunctionType and not hasattr(function, "__wrapped__")
    name: str = function.__qualname__ if plain and not hasattr(function, "__signature__") else ""
    return name if len(name) <= classes.MAX_CLASS_NAME_CHARS and name.isprintable() else ""


def _default(parameter: inspect.Parameter) -> tuple[Any, ...]:
    value = parameter.default
    return () if value is inspect.Parameter.empty else tuple(value_to_data(value))


# -- properties ------------------------------------------------------------------------------------------


def _describe_property(owner: type, name: str, member: Any, types_of: _SubObjects) -> Property:
    annotation, function = hints.of_property(owner, name, member)
    meaning = types_of.hints.meaning(annotation, function, owner)
    return Property(
        _doc_of_property(member),
        _access(member),
        to_data(annotation, meaning),
        hints.unit_of(meaning),
        types_of.name_of(hints.class_of(meaning)),
        exposure.is_urgent(member),
    )


def _doc_of_property(member: Any) -> str:
    """Its own text; what a kind of property says about itself is of no use here."""
    own = getattr(member, "__doc__", None)
    return "" if own is not None and own is type(member).__doc__ else inspect.getdoc(member) or ""


def _access(member: Any) -> str:
    if isinstance(member, property):
        ways: tuple[Any, ...] = (member.fget, member.fset, member.fdel)
    else:
        ways = (True, hasattr(type(member), "__set__"), hasattr(type(member), "__delete__"))
    return "".join(letter for letter, way in zip("rwd", ways, strict=True) if way)
