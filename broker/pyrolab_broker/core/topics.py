"""Topics: which clients get the events of a service. Workers say who joins; the broker copies to all of them.

A worker lets in only those clients that have called it, and a topic lives as long as its service is offered.
Both sides, `Peer.topics` and `Service.topics`, are changed here alone.
"""

from __future__ import annotations

from pyrolab.protocol.envelope import NO_DEADLINE, Envelope, Kind, pack
from pyrolab_broker.core.bodies import as_text
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
        topic = (worker.session, envelope.number)
        joined = (service.object_id, topic)
        if joined not in client.topics and self._has_room(client, worker, envelope):
            client.topics.add(joined)
            service.topics.setdefault(topic, {})[client.id] = client
            self._keep_together(service, client, worker)

    def _keep_together(self, service: Service, client: Peer, worker: Peer) -> None:
        """In a pool, whoever hears one worker's events also calls that one."""
        host = service.host_of(worker)
        if service.is_pool and host is not None:
            service.pinned[client.session] = host

    def _has_room(self, client: Peer, worker: Peer, envelope: Envelope) -> bool:
        current, limit = len(client.topics), self._state.settings.topics_per_client
        if current < limit:
            return True
        text = f"topics_per_client is {limit} and this client has joined {current}; let it part from others"
        numbers = {"limit": limit, "current": current}
        self._state.refuse(worker.id, "busy", text, envelope.session, envelope.call, **numbers)
        return False

    def _not_offered(self, worker: Peer, envelope: Envelope) -> None:
        text = f"this worker does not offer {as_text(envelope.target)}"
        self._state.refuse(worker.id, "denied", text, envelope.session, envelope.call)

    def part(self, worker: Peer, envelope: Envelope, frames: list[Frame]) -> None:
        """A client gets the events of this topic no longer."""
        service = worker.services.get(envelope.target)
        client = self._state.clients.get(envelope.session)
        if service is not None and client is not None:
            topic = (worker.session, envelope.number)
            client.topics.discard((service.object_id, topic))
            _leave(service, topic, client)

    def publish(self, worker: Peer, envelope: Envelope, frames: list[Frame]) -> None:
        """Something has happened: everybody who has joined gets the same frames."""
        service = worker.services.get(envelope.target)
        if service is None:
            self._not_offered(worker, envelope)
            return
        clock = self._state.clock
        for client in service.topics.get((worker.session, envelope.number), {}).values():
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

    def host_left(self, service: Service, worker: Peer) -> None:
        """A worker hosts a service no longer: who got its events may look for its successor."""
        listeners: dict[int, Peer] = {}
        for topic in [each for each in service.topics if each[0] == worker.session]:
            for client in service.topics.pop(topic).values():
                client.topics.discard((service.object_id, topic))
                listeners[client.session] = client
        for client in listeners.values():
            self._state.send(client.id, Kind.ENDED, session=client.session, target=service.object_id)


def _leave(service: Service, topic: tuple[int, int], client: Peer) -> None:
    members = service.topics.get(topic, {})
    members.pop(client.id, None)
    if not members:
        service.topics.pop(topic, None)
