"""What is hosted: workers offer services and withdraw them, clients ask what a service offers."""

from __future__ import annotations

import logging
from typing import Any

import msgpack

from pyrolab.errors import NamingError
from pyrolab.protocol import codec
from pyrolab.protocol.envelope import Envelope, Kind
from pyrolab.protocol.names import NAME_SERVICE, URI, check_name
from pyrolab_broker.core.calls import Calls
from pyrolab_broker.core.events import Frame, Note
from pyrolab_broker.core.name_service import INTERFACE
from pyrolab_broker.core.peers import Peer, Role, Service
from pyrolab_broker.core.state import State
from pyrolab_broker.core.topics import Topics

MAX_CREDIT = 1024
#: Bytes of an interface, which the broker keeps for as long as the service is offered.
MAX_INTERFACE_BYTES = 1 << 20


class Offers:
    """The services of all workers."""

    def __init__(self, state: State, calls: Calls, topics: Topics) -> None:
        self._state = state
        self._calls = calls
        self._topics = topics
        self._own_interface, _ = codec.encode(INTERFACE.to_data())

    def offer(self, peer: Peer, envelope: Envelope, frames: list[Frame]) -> None:
        """A worker hosts an object from now on."""
        state = self._state
        interface = memoryview(frames[0])
        refused = self._refusal(peer, envelope, interface.nbytes)
        if refused is not None:
            state.refuse(peer.id, refused[0], refused[1], peer.session, envelope.call)
            return
        credit = min(max(envelope.number, 1), MAX_CREDIT)
        service = peer.services.get(envelope.target)
        if service is None:
            service = Service(envelope.target, peer, credit, bytes(interface))
            state.services[envelope.target] = peer.services[envelope.target] = service
        else:  # offered again: what waits for it goes on waiting, who has joined its topics stays
            service.interface = bytes(interface)
        state.actions.append(Note(logging.INFO, "%s offers %s", (str(peer), envelope.target.decode())))
        state.send(peer.id, Kind.RESULT, [msgpack.packb(None)], session=peer.session, call=envelope.call)

    def _refusal(self, peer: Peer, envelope: Envelope, size: int) -> tuple[str, str] | None:
        """Why this offer cannot be taken: a code and a text."""
        state = self._state
        if peer.role is not Role.WORKER:
            return "denied", "only a worker may offer services; this session said that it is a client"
        try:
            check_name(envelope.target.decode())
        except (UnicodeDecodeError, NamingError):
            return "protocol", "an object id is 1 to 255 bytes of UTF-8 without blanks and '@'"
        held = state.services.get(envelope.target)
        if envelope.target == NAME_SERVICE.encode() or (held is not None and held.worker is not peer):
            owner = held.worker if held is not None else "the broker"
            return "naming", f"the object id {envelope.target.decode()!r} is hosted by {owner} already"
        if size > MAX_INTERFACE_BYTES:
            return "protocol", f"the interface has {size} bytes; {MAX_INTERFACE_BYTES} are allowed"
        if held is None and len(state.services) >= state.settings.max_services:
            return "busy", f"the broker knows {state.settings.max_services} services, its limit"
        return None

    def withdraw(self, peer: Peer, envelope: Envelope, frames: list[Frame]) -> None:
        """A worker hosts an object no longer."""
        service = peer.services.pop(envelope.target, None)
        if service is not None:
            self._calls.service_left(service, "was withdrawn by its worker")
            self._topics.service_left(service)

    def describe(self, peer: Peer, envelope: Envelope, frames: list[Frame]) -> None:
        """A client asks for the interface of an object, or of whatever a name or tags stand for."""
        state = self._state
        try:
            object_id = self._resolve(envelope.target.decode())
        except (NamingError, UnicodeDecodeError) as error:
            state.refuse(peer.id, "naming", str(error), peer.session, envelope.call)
            return
        service = state.services.get(object_id)
        if object_id == NAME_SERVICE.encode():
            interface = self._own_interface
        elif service is not None:
            interface = service.interface
        else:
            state.refuse(peer.id, "gone", self._calls.nobody_offers(object_id), peer.session, envelope.call)
            return
        state.send(
            peer.id, Kind.RESULT, [interface], session=peer.session, call=envelope.call, target=object_id
        )

    def _resolve(self, target: str) -> bytes:
        """The object id that a target stands for: `PYRONAME:name`, `PYROMETA:tag,tag`, or the id itself."""
        if target.startswith("PYRONAME:"):
            return _object_of(self._state.names.entry(target[len("PYRONAME:") :]).uri)
        if target.startswith("PYROMETA:"):
            return self._by_tags(target[len("PYROMETA:") :].split(","))
        return target.encode()

    def _by_tags(self, tags: list[str]) -> bytes:
        found = self._state.names.with_metadata(tags)
        offered = [id for entry in found.values() if self._is_here(id := _object_of(entry.uri))]
        if not offered:
            raise NamingError(
                f"no live service has the tags {', '.join(tags)}; `pyrolab nslist` shows them all"
            )
        return offered[0]

    def _is_here(self, object_id: bytes) -> bool:
        return object_id in self._state.services or object_id == NAME_SERVICE.encode()


def _object_of(uri: str) -> bytes:
    parsed = URI(uri)
    if parsed.location is not None:
        raise NamingError(f"this name stands for {uri}, a service of another broker; use that URI")
    return parsed.object.encode()


def as_text(value: Any) -> str:
    """Bytes of a peer as text that can be shown."""
    return bytes(value).decode("utf-8", "backslashreplace")
