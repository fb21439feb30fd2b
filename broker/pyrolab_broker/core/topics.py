"""Topics: which clients get the events of a service. Workers say who joins; the broker copies to all of them.

A worker lets in only those clients that have called it, and a topic lives as long as its service is offered.
Both sides, `Peer.topics` and `Service.topics`, are changed here alone.
"""

from __future__ import annotations

from pyrolab.protocol.envelope import NO_DEADLINE, Envelope, Kind, pack
from pyrolab_broker.core.events import Frame, make_send
from pyrolab_broker.core.peers import Peer, Service
from pyrolab_broker.core.state import State


class Topics:
    """The topics of all services."""

    def __init__(self, state: State) -> None:
        self._state = state

    def join(self, worker: Peer, envelope: Envelope, frames: list[Frame]) -> None:
        """From now on a client gets the events of this topic."""
        client = self._state.caller(worker, envelope)
        if client is None:
            return
        service = worker.services.get(envelope.target)
        if service is None:
            self._not_offered(worker, envelope)
            return
        joined = (service.object_id, envelope.number)
        if joined not in client.topics and self._has_room(client, worker, envelope):
            client.topics.add(joined)
            service.topics.setdefault(envelope.number, {})[client.id] = client

    def _has_room(self, client: Peer, worker: Peer, envelope: Envelope) -> bool:
        current, limit = len(client.topics), self._state.settings.topics_per_client
        if current < limit:
            return True
        text = f"topics_per_client is {limit} and this client has joined {current}; let it part from others"
        numbers = {"limit": limit, "current": current}
        self._state.refuse(worker.id, "busy", text, envelope.session, envelope.call, **numbers)
        return False

    def _not_offered(self, worker: Peer, envelope: Envelope) -> None:
        text = f"this worker does not offer {envelope.target.decode('utf-8', 'backslashreplace')}"
        self._state.refuse(worker.id, "denied", text, envelope.session, envelope.call)

    def part(self, worker: Peer, envelope: Envelope, frames: list[Frame]) -> None:
        """A client gets the events of this topic no longer."""
        service = worker.services.get(envelope.target)
        client = self._state.clients.get(envelope.session)
        if service is not None and client is not None:
            client.topics.discard((service.object_id, envelope.number))
            _leave(service, envelope.number, client)

    def publish(self, worker: Peer, envelope: Envelope, frames: list[Frame]) -> None:
        """Something has happened: everybody who has joined gets the same frames."""
        service = worker.services.get(envelope.target)
        if service is None:
            self._not_offered(worker, envelope)
            return
        clock = self._state.clock
        for client in service.topics.get(envelope.number, {}).values():
            header = pack(
                Kind.EVENT,
                envelope.flags,
                envelope.buffers,
                client.session,
                0,
                clock,
                NO_DEADLINE,
                envelope.number,
                0,
                service.object_id,
            )
            self._state.actions.append(make_send((client.id, [header, *frames])))

    def client_left(self, client: Peer) -> None:
        """A client has gone: it is in no topic any longer."""
        for object_id, topic in client.topics:
            _leave(self._state.services[object_id], topic, client)
        client.topics.clear()

    def service_left(self, service: Service) -> None:
        """A service is no longer offered: who got its events may look for its successor."""
        listeners: dict[int, Peer] = {}
        for topic, members in service.topics.items():
            for client in members.values():
                client.topics.discard((service.object_id, topic))
                listeners[client.session] = client
        service.topics.clear()
        for client in listeners.values():
            self._state.send(client.id, Kind.ENDED, session=client.session, target=service.object_id)


def _leave(service: Service, topic: int, client: Peer) -> None:
    members = service.topics.get(topic, {})
    members.pop(client.id, None)
    if not members:
        service.topics.pop(topic, None)
