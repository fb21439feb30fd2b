"""Writes a `.pyi` for services: a class for each, with what type checkers and editors want to know.

It is made from descriptions alone; nothing is imported, and nothing that a peer has sent gets into the text
unless it is a name, or inside of a comment or docstring.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pyrolab.client.signatures import signature_of
from pyrolab.client.spelling import Spelling, is_name, printable
from pyrolab.errors import ProtocolError
from pyrolab.protocol import codec
from pyrolab.protocol.annotations import text_of
from pyrolab.protocol.interface import Interface, Method, Parameter, Property

_HEAD = '''\
# mypy: disable-error-code="type-arg, override"
"""The services {names}, as `pyrolab stubs` found them. Use it in a script as

    from typing import TYPE_CHECKING, cast
    from pyrolab.api import Proxy

    if TYPE_CHECKING:
        from {module} import {cls}

    {variable} = cast("{cls}", Proxy("PYRONAME:{name}"))
"""
'''
_BASE = "_Service"
_BASE_CLASS = '''\
class _Service:
    """What all proxies have."""

    _pyroTimeout: float | None
    _pyroMaxRetries: int
    _pyroWritable: bool
    def _pyroBind(self) -> bool: ...
    def _pyroRelease(self) -> None: ...
    def _pyroStatus(self, call: Any) -> str: ...
    def watch(self, name: str, every: float | None = None) -> Any: ...
    def reserve(
        self, user: str = "", wait: float | None = None, force: bool = False, for_s: float | None = None
    ) -> Any: ...
    def transaction(self, wait: float | None = None) -> Any: ...
    def lock(self, user: str = "") -> bool: ...
    def unlock(self) -> bool: ...
    def islocked(self) -> bool: ...
    def status(self, call: Any) -> str: ...
    def emergency_stop(self, reason: str = "", user: str = "") -> Any: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *reason: object) -> None: ...
'''
_LITERALS = (type(None), bool, int, float, str)
#: Characters of a docstring, and of a default, that are shown.
_MAX_DOC, _MAX_DEFAULT = 100, 40


def stub_of(services: Mapping[str, Interface], module: str = "services") -> str:
    """The text of `module`.pyi for services, given by their names."""
    plan = _planned(services)
    taken = {name for each in plan for name in (each.name, *each.interface.names())}
    spelling = Spelling(taken | {_BASE})
    classes = [line for each in plan for line in _class(each, spelling)]
    name = min(services)
    first = next(each for each in plan if name in each.services)
    head = _HEAD.format(
        names=", ".join(map(_quotable, sorted(services))),
        module=module,
        cls=first.name,
        variable=first.name.lower(),
        name=_quotable(name),
    )
    imports = spelling.imports({"from typing import Any", "from typing_extensions import Self"})
    return "\n".join([head, *imports, "", _BASE_CLASS, *classes])


# -- which classes there are -------------------------------------------------------------------------------


@dataclass
class _Class:
    """A class to be written; `scope` has the classes of its sub-objects, by the names of their types."""

    name: str
    interface: Interface
    scope: dict[str, str]
    services: list[str] = field(default_factory=list)


def _planned(services: Mapping[str, Interface]) -> list[_Class]:
    """The classes for some services; those that are the same are written once."""
    members = {name for each in services.values() for part in _with_types(each) for name in part.names()}
    names = _Names(members)
    known: dict[bytes, _Class] = {}
    for service, interface in sorted(services.items()):
        scope: dict[str, str] = {}
        for part in _with_types(interface):
            key = _key(part, interface)
            if key not in known:
                known[key] = _Class(names.new(part.type_name), part, scope)
            scope.setdefault(part.type_name, known[key].name)
        known[_key(interface, interface)].services.append(service)
    return list(known.values())


def _with_types(interface: Interface) -> Iterator[Interface]:
    yield replace(interface, types={})
    yield from (each for _, each in sorted(interface.types.items()) if each.type_name != interface.type_name)


def _key(part: Interface, whole: Interface) -> bytes:
    """Equal for what is to be one class: the same members, and the same sub-objects behind them."""
    types = {name: each.to_data() for name, each in sorted(whole.types.items())}
    return codec.encode([replace(part, types={}).to_data(), types])[0]


class _Names:
    """Names for classes: the last part of the type's, made unique."""

    def __init__(self, members: Iterable[str]) -> None:
        self._taken = {"Any", "Self", *members}

    def new(self, type_name: str) -> str:
        """A name that nothing has yet."""
        last = type_name.rpartition(":")[2].rpartition(".")[2].strip("_")
        base = last if is_name(last) else "Service"
        name, number = base, 2
        while name in self._taken:
            name, number = f"{base}{number}", number + 1
        self._taken.add(name)
        return name


# -- what they look like -----------------------------------------------------------------------------------


def _class(each: _Class, spelling: Spelling) -> Iterator[str]:
    spelling.scope = each.scope
    yield f"class {each.name}({_BASE}):" if each.services else f"class {each.name}:"
    where = f"Services: {', '.join(map(_quotable, each.services))}." if each.services else ""
    yield f'    """{" ".join(filter(None, [_doc(each.interface.doc), where])) or "Undocumented."}"""'
    yield ""
    for name, found in sorted(each.interface.properties.items()):
        yield from _property(name, found, spelling)
    for name, method in sorted(each.interface.methods.items()):
        if not (each.services and name in ("__enter__", "__exit__")):  # a proxy's own
            yield from _method(name, method, spelling)
    for name, event in sorted(each.interface.events.items()):
        if _can_be_member(name):
            yield f"    {name}: Any  # event({', '.join(map(printable, event.parameters))})"
    for name in sorted(filter(_can_be_member, each.interface.streams)):
        yield f"    {name}: {spelling.spell('pyrolab.client.streams', 'RemoteStream')}"
    yield ""


def _can_be_member(name: str) -> bool:
    return is_name(name) and name not in ("Any", "Self") and (not name.startswith("_") or name.endswith("__"))


def _property(name: str, found: Property, spelling: Spelling) -> Iterator[str]:
    if not _can_be_member(name):
        return
    kind, remark = spelling.written(lambda: _type_of(found, spelling))
    unit = f" [{_quotable(found.unit)}]" if found.unit else ""
    only = "" if "r" in found.access else " It can only be set."
    yield f"    @{spelling.spell('builtins', 'property')}"
    yield from _definition(f"def {name}(self) -> {kind}:", f"{_doc(found.doc)}{unit}{only}".strip(), remark)
    if "w" in found.access:
        yield f"    @{name}.setter"
        yield f"    def {name}(self, value: {kind}) -> None: ..."
    if "d" in found.access:
        yield f"    @{name}.deleter"
        yield f"    def {name}(self) -> None: ..."


def _type_of(found: Property, spelling: Spelling) -> str:
    return spelling.scope.get(found.node) or text_of(found.annotation, spelling.spell) or "Any"


def _method(name: str, method: Method, spelling: Spelling) -> Iterator[str]:
    if not _can_be_member(name):
        return
    text, remark = spelling.written(lambda: _signature(method, spelling))
    yield from _definition(f"def {name}{text}:", _doc(method.doc), remark)


def _signature(method: Method, spelling: Spelling) -> str:
    returned = "None" if method.oneway else text_of(method.returns, spelling.spell) or "Any"
    try:
        signature_of(method)
    except (ValueError, ProtocolError):  # nobody knows, or it is none
        return f"(self, *args: Any, **kwargs: Any) -> {returned}"
    assert method.parameters is not None
    names = [each.name for each in method.parameters]
    receiver = "self" if "self" not in names else "_self"
    return f"({', '.join([receiver, *_parameters(method.parameters, spelling)])}) -> {returned}"


def _parameters(parameters: Sequence[Parameter], spelling: Spelling) -> Iterator[str]:
    kinds = [each.kind for each in parameters]
    starred = "VAR_POSITIONAL" in kinds
    for index, each in enumerate(parameters):
        if each.kind == "KEYWORD_ONLY" and not starred:
            starred = True
            yield "*"
        yield _parameter(each, spelling)
        if each.kind == "POSITIONAL_ONLY" and "POSITIONAL_ONLY" not in kinds[index + 1 :]:
            yield "/"


_STARS = {"VAR_POSITIONAL": "*", "VAR_KEYWORD": "**"}


def _parameter(parameter: Parameter, spelling: Spelling) -> str:
    kind = text_of(parameter.annotation, spelling.spell) or "Any"
    default = f" = {_default(parameter)}" if parameter.default else ""
    return f"{_STARS.get(parameter.kind, '')}{parameter.name}: {kind}{default}"


def _default(parameter: Parameter) -> str:
    """A short literal as it is, anything else as `...`."""
    value = parameter.default[0]
    literal = len(parameter.default) == 1 and type(value) in _LITERALS
    text = repr(value) if literal else "..."
    return text if len(text) <= _MAX_DEFAULT and text not in ("inf", "-inf", "nan") else "..."


def _definition(heading: str, doc: str, remark: str) -> Iterator[str]:
    if doc:
        yield f"    {heading}{remark}"
        yield f'        """{doc}"""'
    else:
        yield f"    {heading} ...{remark}"


def _doc(doc: str) -> str:
    """The first line of a documentation."""
    first = doc.strip().partition("\n")[0].strip()
    return _quotable(first if len(first) <= _MAX_DOC else first[:_MAX_DOC] + "…")


def _quotable(text: str) -> str:
    """Text as it can stand within three quotes."""
    return printable(text).replace("\\", "\\\\").replace('"', "'")
