"""What is hosted: workers offer services and withdraw them, clients ask what a service offers."""

from __future__ import annotations

import logging
from fnmatch import fnmatchcase

import msgpack

from pyrolab.errors import NamingError
from pyrolab.protocol import codec
from pyrolab.protocol.envelope import Envelope, Flag, Kind
from pyrolab.protocol.names import NAME_SERVICE, check_name
from pyrolab_broker.core.bodies import as_text
from pyrolab_broker.core.directory import nobody_offers, resolve
from pyrolab_broker.core.dispatch import Dispatch
from pyrolab_broker.core.endings import Endings
from pyrolab_broker.core.events import Frame
from pyrolab_broker.core.grants import Grants
from pyrolab_broker.core.name_service import INTERFACE
from pyrolab_broker.core.peers import Host, Peer, Role, Service
from pyrolab_broker.core.reservations import Reservations
from pyrolab_broker.core.state import State
from pyrolab_broker.core.topics import Topics
from pyrolab_broker.settings import ServiceLimits

MAX_CREDIT = 1024
#: Bytes of an interface, which the broker keeps for as long as the service is offered.
MAX_INTERFACE_BYTES = 1 << 20


class Offers:
    """The services of all workers."""

    def __init__(
        self,
        state: State,
        dispatch: Dispatch,
        endings: Endings,
        topics: Topics,
        grants: Grants,
        reservations: Reservations,
    ) -> None:
        self._state = state
        self._dispatch = dispatch
        self._endings = endings
        self._topics = topics
        self._grants = grants
        self._reservations = reservations
        self._own_interface, _ = codec.encode(INTERFACE.to_data())

    def offer(self, peer: Peer, envelope: Envelope, frames: list[Frame]) -> None:
        """A worker hosts an object from now on."""
        state = self._state
        interface = memoryview(frames[0])
        refused = self._refusal(peer, envelope, interface.nbytes)
        if refused is not None:
            state.refuse(peer.id, refused[0], refused[1], peer.session, envelope.call)
            return
        self._grants.rise_above(envelope.token)
        service = state.services.get(envelope.target)
        if service is None:
            service = self._new_service(envelope, bytes(interface))
        if peer.services.get(envelope.target) is service:  # offered again: what waits for it goes on waiting
            service.interface = bytes(interface)
        else:
            peer.services[envelope.target] = service
            service.hosts.append(Host(peer, self._credit(envelope)))
        state.note(logging.INFO, "%s offers %s", str(peer), envelope.target.decode())
        state.send(peer.id, Kind.RESULT, [msgpack.packb(None)], session=peer.session, call=envelope.call)
        self._dispatch.feed(service)

    def _new_service(self, envelope: Envelope, interface: bytes) -> Service:
        limits = self._limits(envelope.target)
        max_queue = self._state.settings.queue_per_service if limits.queue is None else limits.queue
        service = Service(envelope.target, [], interface, max_queue)
        service.is_pool = bool(envelope.flags & Flag.POOL)
        service.is_sticky = bool(envelope.flags & Flag.HELD)
        self._state.services[envelope.target] = service
        self._grants.adorn(service)
        return service

    def _credit(self, envelope: Envelope) -> int:
        limit = self._limits(envelope.target).credit
        return min(max(envelope.number, 1), MAX_CREDIT, *([] if limit is None else [limit]))

    def _limits(self, object_id: bytes) -> ServiceLimits:
        """What the settings say of a service: the first pattern that fits its id, or a name of it, counts."""
        called = as_text(object_id)
        names = [called, *self._state.names.of_object(called)]
        for pattern, limits in self._state.settings.services.items():
            if any(fnmatchcase(name, pattern) for name in names):
                return limits
        return ServiceLimits()

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
        if envelope.target == NAME_SERVICE.encode():
            return "naming", f"the object id {envelope.target.decode()!r} is hosted by the broker itself"
        if held is not None and held.host_of(peer) is None and not (held.is_pool and _is_pool(envelope)):
            owners = ", ".join(_shown(host.worker) for host in held.hosts)
            name = envelope.target.decode()
            text = (
                f"{name!r} is hosted by {owners} already. End that one first, give this one another "
                "name, or let both say that they are a pool: @behavior(pool=True)"
            )
            return "in-use", text
        if size > MAX_INTERFACE_BYTES:
            return "protocol", f"the interface has {size} bytes; {MAX_INTERFACE_BYTES} are allowed"
        if held is None and len(state.services) >= state.settings.max_services:
            return "busy", f"the broker knows {state.settings.max_services} services, its limit"
        return None

    def withdraw(self, peer: Peer, envelope: Envelope, frames: list[Frame]) -> None:
        """A worker hosts an object no longer."""
        service = peer.services.pop(envelope.target, None)
        if service is not None:
            self._host_left(service, peer, "was withdrawn by its worker")
            self._topics.host_left(service, peer)

    def _host_left(self, service: Service, worker: Peer, why: str) -> None:
        if not self._endings.host_left(service, worker, why):
            self._reservations.service_left(service)

    def worker_left(self, worker: Peer, why: str) -> None:
        """A worker has gone, and with it all that it hosted."""
        for service in worker.services.values():
            self._host_left(service, worker, why)
        self._endings.worker_left(worker, why)
        for service in worker.services.values():
            self._topics.host_left(service, worker)

    def describe(self, peer: Peer, envelope: Envelope, frames: list[Frame]) -> None:
        """A client asks for the interface of an object, or of whatever a name or tags stand for."""
        state = self._state
        try:
            object_id = resolve(state, envelope.target.decode())
        except (NamingError, UnicodeDecodeError) as error:
            state.refuse(peer.id, "naming", str(error), peer.session, envelope.call)
            return
        service = state.services.get(object_id)
        if object_id == NAME_SERVICE.encode():
            interface = self._own_interface
        elif service is not None:
            interface = service.interface
        else:
            state.refuse(peer.id, "gone", nobody_offers(state, object_id), peer.session, envelope.call)
            return
        state.send(
            peer.id, Kind.RESULT, [interface], session=peer.session, call=envelope.call, target=object_id
        )


def _is_pool(envelope: Envelope) -> bool:
    return bool(envelope.flags & Flag.POOL)


def _shown(worker: Peer) -> str:
    return f"{worker}{'' if worker.responsive else ', which is hung'}"
