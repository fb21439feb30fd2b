"""A core with named peers: tests say what comes in and compare everything that goes out."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgpack

from pyrolab.protocol import codec
from pyrolab.protocol.envelope import NO_DEADLINE, Envelope, Kind, pack, parse
from pyrolab.protocol.interface import Interface
from pyrolab_broker.core.core import Core
from pyrolab_broker.core.events import Action, Event, Received, Send, Suspected, Tick, Unreachable
from pyrolab_broker.core.peers import Role
from pyrolab_broker.settings import BrokerSettings


class Sent(NamedTuple):
    """A message that the core sends, without what changes from run to run."""

    to: str
    kind: Kind
    call: int = 0
    body: Any = None


class Table:
    """Feeds events to a core; the time is set by hand."""

    def __init__(self, stored: Any = None, **settings: Any) -> None:
        self.core = Core(BrokerSettings(**settings), "test-broker", stored)
        self.now = 1000.0
        self.sessions: dict[str, int] = {}
        #: The newest token of each client.
        self.tokens: dict[str, int] = {}
        self._grants: dict[str, Any] = {}

    def handle(self, event: Event) -> list[Sent]:
        return [_sent(action) for action in self.raw(event) if isinstance(action, Send)]

    def raw(self, event: Event) -> list[Action]:
        actions = self.core.handle(event, self.now)
        for action in actions:
            if isinstance(action, Send) and (envelope := parse(bytes(action.frames[0]))).token:
                self._note_grant(action.peer.decode(), envelope, action.frames)
        return actions

    def _note_grant(self, peer: str, envelope: Envelope, frames: Any) -> None:
        if envelope.kind == Kind.RESULT:
            self.tokens[peer] = envelope.token
            self._grants[peer] = msgpack.unpackb(frames[1])

    def message(self, peer: str, kind: int, body: Any = None, **fields: Any) -> list[Sent]:
        return self.handle(_received(peer, kind, body, **self._with_stamp(kind, fields)))

    def _with_stamp(self, kind: int, fields: dict[str, Any]) -> dict[str, Any]:
        """As a client that has just heard of the broker."""
        return {"stamp": int(1000 * self.now), **fields} if kind == Kind.CALL else fields

    def envelopes(
        self, peer: str, kind: int, body: Any = None, **fields: Any
    ) -> list[tuple[str, Envelope, list[Any]]]:
        """What a message leads to in full: to whom, which header, which other frames."""
        actions = self.raw(_received(peer, kind, body, **self._with_stamp(kind, fields)))
        sent = [action for action in actions if isinstance(action, Send)]
        return [(each.peer.decode(), parse(each.frames[0]), list(each.frames[1:])) for each in sent]

    def join(self, *peers: str, role: str = "client", stamp: int = 7, **said: Any) -> None:
        for peer in peers:
            header = pack(Kind.HELLO, stamp=stamp)
            actions = self.raw(Received(peer.encode(), header, [msgpack.packb({"role": role, **said})]))
            sent = [(a.peer, parse(a.frames[0])) for a in actions if isinstance(a, Send)]
            (welcome,) = [each for to, each in sent if to == peer.encode() and each.kind == Kind.WELCOME]
            self.sessions[peer] = welcome.session

    def offer(self, worker: str, object_id: str = "stage", credit: int = 1) -> list[Sent]:
        interface, _ = codec.encode(Interface("tests:Stage").to_data())
        return self.message(worker, Kind.OFFER, interface, call=1, number=credit, target=object_id.encode())

    def call(
        self, client: str, number: int, target: str = "stage", budget_ms: int = NO_DEADLINE, **fields: Any
    ) -> list[Sent]:
        body, _ = codec.encode_call(["move"], (number,), {})
        return self.message(
            client, Kind.CALL, body, call=number, target=target.encode(), budget_ms=budget_ms, **fields
        )

    def answer(self, worker: str, client: str, number: int, value: Any = None) -> list[Sent]:
        return self.message(worker, Kind.RESULT, [value], session=self.sessions[client], call=number)

    def introduce(self, client: str, worker: str, target: str = "stage") -> None:
        """Have the client call the worker once."""
        number = self.core.state.peers[client.encode()].newest_call + 1
        self.call(client, number, target)
        self.answer(worker, client, number)

    def ask(self, worker: str, client: str, number: int, body: Any = None, **fields: Any) -> list[Sent]:
        body = b"\xc0" if body is None else body
        return self.message(worker, Kind.ASK, body, session=self.sessions[client], call=number, **fields)

    def joins(self, client: str, worker: str, topic: int, target: str = "stage") -> list[Sent]:
        """The worker says that the client gets the events of a topic."""
        return self._of_topic(Kind.JOIN, client, worker, topic, target)

    def parts(self, client: str, worker: str, topic: int, target: str = "stage") -> list[Sent]:
        return self._of_topic(Kind.PART, client, worker, topic, target)

    def _of_topic(self, kind: Kind, client: str, worker: str, topic: int, target: str) -> list[Sent]:
        session = self.sessions[client]
        return self.message(worker, kind, session=session, number=topic, target=target.encode())

    def publish(self, worker: str, topic: int, value: Any = "news", target: str = "stage") -> list[Sent]:
        return self.message(worker, Kind.EVENT, [value], number=topic, target=target.encode())

    def reserve(
        self, client: str, number: int, *targets: str, wait_ms: int = 0, token: int = 0, **said: Any
    ) -> list[Sent]:
        body = {"services": list(targets or ("stage",)), "user": client, **said}
        session = self.sessions[client]
        fields = {"call": number, "session": session, "budget_ms": wait_ms, "token": token}
        return self.message(client, Kind.RESERVE, body, **fields)

    def release(self, client: str, number: int) -> list[Sent]:
        session, token = self.sessions[client], self.tokens[client]
        return self.message(client, Kind.RELEASE, call=number, session=session, token=token)

    def body_of_grant(self, client: str) -> Any:
        """What the client was told of its newest reservation."""
        return self._grants[client]

    def refusal(self, client: str, number: int) -> dict[str, Any]:
        """The body of the refusal of a call."""
        (sent,) = self.envelopes(client, Kind.CALL, b"\x90", call=number, target=b"stage")
        assert sent[1].kind == Kind.REFUSED
        body: dict[str, Any] = msgpack.unpackb(sent[2][0])
        return body

    def ask_names(self, client: str, number: int, method: str, *args: Any, **kwargs: Any) -> Any:
        body, _ = codec.encode_call([method], args, kwargs)
        actions = self.raw(
            Received(client.encode(), pack(Kind.CALL, call=number, target=b"Pyro.NameServer"), [body])
        )
        (send,) = [action for action in actions if isinstance(action, Send)]
        return Kind(parse(send.frames[0]).kind), codec.decode(send.frames[1])

    def tick(self, seconds: float = 0.0) -> list[Sent]:
        self.now += seconds
        return self.handle(Tick())

    def suspect(self, peer: str) -> list[Sent]:
        return self.handle(Suspected(peer.encode()))

    def unreachable(self, peer: str, header: bytes = b"", slow: bool = False) -> list[Sent]:
        return self.handle(Unreachable(peer.encode(), header or pack(Kind.PONG), slow))

    def check(self) -> None:
        """What must hold between any two events."""
        state = self.core.state
        waiting = running = 0
        for service in state.services.values():
            assert service.hosts
            for host in service.hosts:
                assert host.running <= host.credit
                assert state.peers[host.worker.id] is host.worker
            waiting += len(service.queue)
            idle = service.running < service.credit and not (service.transaction or service.awaited)
            assert not (service.queue and idle), "credit and queue, but no dispatch"
            for call in service.queue:
                assert call.state.value == "waiting"
                assert call.client.id in state.peers
        for worker in state.workers.values():
            running += len(worker.running)
        assert state.queued_bytes >= 0
        assert waiting or state.queued_bytes == 0
        assert len(state.peers) == sum(len(state.sessions(role)) for role in Role)
        self._check_topics()
        self._check_relay()

    def _check_topics(self) -> None:
        state = self.core.state
        workers = {worker.id for worker in state.workers.values()}
        joined = set()
        for client in state.clients.values():
            assert client.touched <= workers
            assert len(client.topics) <= state.settings.topics_per_client
            joined |= {(client.id, *each) for each in client.topics}
        held = set()
        for service in state.services.values():
            for topic, members in service.topics.items():
                assert members, "an empty topic is kept"
                for peer_id, client in members.items():
                    assert state.peers[peer_id] is state.clients[client.session] is client
                    held.add((peer_id, service.object_id, topic))
        assert joined == held

    def _check_relay(self) -> None:
        state = self.core.state
        for source in state.sources.values():
            assert source.main is not None
            assert state.workers[source.main.session].source is source
        watched = {(v, s) for s, source in state.sources.items() for v in source.attached}
        watching = {(v, s) for v, viewer in state.viewers.items() for s in viewer.attached}
        assert watched == watching
        for v, s in watched:
            assert state.sources[s].attached[v] is state.viewers[v]
            assert state.viewers[v].attached[s] is state.sources[s]
        others = [peer for peer in state.peers.values() if peer.role not in (Role.VIEWER, Role.SOURCE)]
        assert not any(peer.attached for peer in others)


def _received(peer: str, kind: int, body: Any = None, **fields: Any) -> Received:
    frames = [] if body is None else [body if isinstance(body, bytes) else msgpack.packb(body)]
    return Received(peer.encode(), pack(kind, **fields), frames)


def _sent(send: Send) -> Sent:
    envelope = parse(bytes(send.frames[0]))
    body = None
    if envelope.kind == Kind.REFUSED:
        body = msgpack.unpackb(send.frames[1])["code"]
    elif len(send.frames) > 1 and envelope.kind in (Kind.RESULT, Kind.RAISED, Kind.ASK, Kind.EVENT):
        body = msgpack.unpackb(send.frames[1], strict_map_key=False)
    return Sent(send.peer.decode(), Kind(envelope.kind), envelope.call, body)
