"""The name service as a service: the methods that a call to `Pyro.NameServer` may name, and their answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pyrolab.errors import BusyError, NameInUse, NamingError, ProtocolError
from pyrolab.protocol import codec, exceptions
from pyrolab.protocol.call_body import CallBody
from pyrolab.protocol.envelope import Envelope, Kind
from pyrolab.protocol.interface import Interface, Method, Parameter
from pyrolab.protocol.limits import Limits
from pyrolab.protocol.names import URI
from pyrolab_broker.core.events import Frame
from pyrolab_broker.core.load import Load
from pyrolab_broker.core.names import Entry
from pyrolab_broker.core.news import EVENTS, News
from pyrolab_broker.core.peers import Peer
from pyrolab_broker.core.state import State, wants_answer
from pyrolab_broker.core.stops import Stops

#: Names and metadata are short, even thousands of them; more would only keep the broker busy.
_LIMITS = Limits(body_bytes=1 << 22, depth=8, elements=1 << 16)


class _Later(Exception):
    """The answer comes when others have spoken."""


class NameService:
    """Answers calls from the table of names, and for the other parts of the broker."""

    def __init__(self, state: State, news: News, stops: Stops, load: Load) -> None:
        names = state.names
        self._state = state
        self._names = names
        self._news = news
        self._stops = stops
        #: Whose call is being answered.
        self._asked: tuple[Peer, Envelope]
        self._methods: Mapping[str, Callable[..., Any]] = {
            "count": lambda: len(names.list()),
            "emergency_stop": self._emergency_stop,
            "list": self._list,
            "load": load.load,
            "lookup": self._lookup,
            "ping": lambda: None,
            "register": self._register,
            "remove": self._remove,
            "reservations": load.reservations,
            "reset_emergency_stop": lambda user="": stops.reset(self._asked[0], str(user)),
            "set_metadata": names.set_metadata,
            "stopped": stops.shown,
            "yplookup": self._yplookup,
        }

    def call(self, peer: Peer, envelope: Envelope, frames: list[Frame]) -> None:
        """Carry out one call; what goes wrong is an answer too."""
        self._asked = (peer, envelope)
        try:
            call = codec.decode_call(frames[0], frames[1:], limits=_LIMITS, plain=True)
            value = self._carry_out(call)
        except _Later:
            return
        except (BusyError, NamingError, ProtocolError, AttributeError, TypeError, ValueError) as error:
            self._answer(peer, envelope, Kind.RAISED, exceptions.pack_exception(error))
        else:
            self._answer(peer, envelope, Kind.RESULT, value)

    def _answer(self, peer: Peer, envelope: Envelope, kind: Kind, value: Any) -> None:
        if wants_answer(envelope.flags):
            body, buffers = codec.encode(value)
            self._state.send(
                peer.id,
                kind,
                [body, *buffers],
                buffers=len(buffers),
                session=peer.session,
                call=envelope.call,
                target=envelope.target,
            )

    def _carry_out(self, call: CallBody) -> Any:
        name = call.steps[0] if len(call.steps) == 1 else None
        if isinstance(name, str) and call.verb == "join":
            return self._news.join(self._asked[0], name)
        if isinstance(name, str) and call.verb == "part":
            return self._news.part(self._asked[0], name)
        return self._method(call)(*call.args, **call.kwargs)

    def _emergency_stop(self, reason: str = "", user: str = "") -> Any:
        peer, envelope = self._asked

        def tell(outcome: dict[str, Any]) -> None:
            if peer.id in self._state.peers:
                self._answer(peer, envelope, Kind.RESULT, outcome)

        self._stops.stop(peer, str(reason), str(user), tell)
        raise _Later

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
        if parsed.object.encode() in self._state.services:  # ours, by whatever address its worker reached us
            uri = f"{parsed.protocol}:{parsed.object}"
        self._refuse_if_in_use(str(name), parsed.object)
        self._names.register(name, str(uri), metadata or (), safe)

    def _refuse_if_in_use(self, name: str, object_id: str) -> None:
        """Raise `NameInUse` if a live service of another worker has this name."""
        entry = self._names.get(name)
        if entry is None or not entry.uri.startswith("PYRO:"):
            return
        services = self._state.services
        old, new = services.get(entry.uri[len("PYRO:") :].encode()), services.get(object_id.encode())
        if old is None or new is None or old is new:
            return
        if {host.worker.session for host in old.hosts}.isdisjoint(host.worker.session for host in new.hosts):
            raise NameInUse(
                f"the name {name!r} stands for a service of {old.hosts[0].worker}, which is alive. End that "
                "one first, remove the name, or give both one objectId and say that they are a pool"
            )

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
        "emergency_stop": _method(
            "Run the stop hooks of all services now, and let no call run until it is reset.",
            reason="",
            user="",
        ),
        "list": _method("All names that start with `prefix`.", prefix="", return_metadata=False),
        "load": _method("What all services have to do, who hosts them, and who has them for themselves."),
        "lookup": _method("The URI of a name.", name=..., return_metadata=False),
        "ping": _method("Do nothing, successfully."),
        "register": _method("Let a name stand for a URI.", name=..., uri=..., safe=False, metadata=()),
        "remove": Method(
            "Remove names; returns how many there were.", (Parameter("names", "VAR_POSITIONAL"),)
        ),
        "reservations": _method("Who has which services for themselves."),
        "reset_emergency_stop": _method("Let calls run again; returns whether there was a stop.", user=""),
        "set_metadata": _method("Replace the metadata of a name.", name=..., metadata=...),
        "stopped": _method("The emergency stop that is on, or None."),
        "yplookup": _method(
            "The names with all, or with any, of these tags.",
            meta_all=(),
            meta_any=(),
            return_metadata=True,
        ),
    },
    events=dict(EVENTS),
)
