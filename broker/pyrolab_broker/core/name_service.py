"""The name service as a service: the methods that a call to `Pyro.NameServer` may name, and their answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pyrolab.errors import NamingError, ProtocolError
from pyrolab.protocol import codec, exceptions
from pyrolab.protocol.call_body import CallBody
from pyrolab.protocol.envelope import Kind
from pyrolab.protocol.interface import Interface, Method, Parameter
from pyrolab.protocol.limits import Limits
from pyrolab.protocol.names import URI
from pyrolab_broker.core.names import Entry, NameTable

Answer = tuple[Kind, bytes, list[Any]]

#: Names and metadata are short, even thousands of them; more would only keep the broker busy.
_LIMITS = Limits(body_bytes=1 << 22, depth=8, elements=1 << 16)


class NameService:
    """Answers calls from the table of names."""

    def __init__(self, names: NameTable, is_offered: Callable[[bytes], bool]) -> None:
        self._names = names
        self._is_offered = is_offered
        self._methods: Mapping[str, Callable[..., Any]] = {
            "count": lambda: len(names.list()),
            "list": self._list,
            "lookup": self._lookup,
            "ping": lambda: None,
            "register": self._register,
            "remove": self._remove,
            "set_metadata": names.set_metadata,
            "yplookup": self._yplookup,
        }

    def answer(self, body: Any, buffers: Sequence[Any]) -> Answer:
        """Carry out one call; what goes wrong is an answer too."""
        try:
            call = codec.decode_call(body, buffers, limits=_LIMITS, plain=True)
            value = self._method(call)(*call.args, **call.kwargs)
            return Kind.RESULT, *codec.encode(value)
        except (NamingError, ProtocolError, AttributeError, TypeError, ValueError) as error:
            return Kind.RAISED, *codec.encode(exceptions.pack_exception(error))

    def _method(self, call: CallBody) -> Callable[..., Any]:
        name = call.steps[0] if len(call.steps) == 1 else None
        if call.verb != "call" or not isinstance(name, str) or name not in self._methods:
            known = ", ".join(self._methods)
            raise AttributeError(
                f"the name service has no {call.steps!r:.100} to {call.verb}; it has {known}"
            )
        return self._methods[name]

    def _lookup(self, name: str, return_metadata: bool = False) -> Any:
        return _travelling(self._names.entry(name), return_metadata)

    def _register(self, name: str, uri: str, safe: bool = False, metadata: Sequence[str] = ()) -> None:
        parsed = URI(str(uri))
        if self._is_offered(parsed.object.encode()):  # ours, by whatever address its worker reached us
            uri = f"{parsed.protocol}:{parsed.object}"
        self._names.register(name, str(uri), metadata or (), safe)

    def _remove(self, *names: str) -> int:
        return self._names.remove(*names)

    def _list(self, prefix: str = "", return_metadata: bool = False) -> dict[str, Any]:
        return {name: _travelling(entry, return_metadata) for name, entry in self._names.list(prefix).items()}

    def _yplookup(
        self, meta_all: Sequence[str] = (), meta_any: Sequence[str] = (), return_metadata: bool = True
    ) -> dict[str, Any]:
        found = self._names.with_metadata(meta_all or (), meta_any or ())
        return {name: _travelling(entry, return_metadata) for name, entry in found.items()}


def _travelling(entry: Entry, with_metadata: bool) -> Any:
    return (entry.uri, set(entry.metadata)) if with_metadata else entry.uri


def _method(doc: str, **defaults: Any) -> Method:
    parameters = tuple(
        Parameter(name, "POSITIONAL_OR_KEYWORD", () if value is ... else (value,))
        for name, value in defaults.items()
    )
    return Method(doc, parameters)


INTERFACE = Interface(
    "pyrolab:NameService",
    "Maps names to URIs.",
    {
        "count": _method("How many names there are."),
        "list": _method("All names that start with `prefix`.", prefix="", return_metadata=False),
        "lookup": _method("The URI of a name.", name=..., return_metadata=False),
        "ping": _method("Do nothing, successfully."),
        "register": _method("Let a name stand for a URI.", name=..., uri=..., safe=False, metadata=()),
        "remove": Method(
            "Remove names; returns how many there were.", (Parameter("names", "VAR_POSITIONAL"),)
        ),
        "set_metadata": _method("Replace the metadata of a name.", name=..., metadata=...),
        "yplookup": _method(
            "The names with all, or with any, of these tags.",
            meta_all=(),
            meta_any=(),
            return_metadata=True,
        ),
    },
)
