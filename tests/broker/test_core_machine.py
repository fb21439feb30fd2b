"""The core under random histories, and what each peer may conclude from what it hears.

The peers keep the rules, but know little: they answer calls that they have had, ask whoever they like, and
lose their connections at any time. Each keeps book of what the protocol promises it.
"""

from __future__ import annotations

from typing import Any

import msgpack
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from core_table import Table
from pyrolab.protocol.envelope import NO_DEADLINE, Envelope, Flag, Kind, pack, parse
from pyrolab_broker.core.events import Event, Received, Send, Tick, Unreachable
from pyrolab_broker.core.peers import Grant

CLIENTS, WORKERS = ("ana", "ben", "cleo"), ("stages", "lasers")
#: Who may offer what; one id is wanted by both.
OBJECTS = {"stages": ("x", "y", "shared"), "lasers": ("red", "shared")}
clients, workers = st.sampled_from(CLIENTS), st.sampled_from(WORKERS)
owned = st.sampled_from([(worker, each) for worker in WORKERS for each in OBJECTS[worker]])
#: Mostly what is theirs, sometimes what is not.
claimed = owned | st.tuples(workers, st.sampled_from(["x", "y", "red", "shared"]))
objects = st.sampled_from(["x", "x", "y", "red", "shared"])
topics = st.integers(1, 2)


class Bus(RuleBasedStateMachine):
    """Everybody on one bus."""

    def __init__(self) -> None:
        super().__init__()
        self.table = Table(queue_per_service=3, calls_per_client=4, topics_per_client=3)
        #: A worker's calls that it has not answered, and the sessions that it has heard of.
        self.to_answer: dict[str, list[Envelope]] = {}
        self.begun: dict[str, set[int]] = {}
        #: A client's unanswered calls, and its questions.
        self.waits: dict[str, set[int]] = {}
        self.asked: dict[str, list[Envelope]] = {}
        #: The object ids and topics whose events a client should get.
        self.joined: dict[str, set[tuple[bytes, int]]] = {}
        self.offered: dict[str, set[str]] = {}
        #: What each client has for itself, by token; the highest token that was seen of an object.
        self.tokens: dict[str, set[int]] = {}
        self.fences: dict[bytes, int] = {}
        self.number = 0

    # -- carrying it out ---------------------------------------------------------------------------

    def happens(self, event: Event) -> list[tuple[str, Envelope]]:
        sent = []
        for action in self.table.raw(event):
            if isinstance(action, Send):
                peer, envelope = action.peer.decode(), parse(action.frames[0])
                assert not envelope.session or envelope.session in self._sessions_told_to(peer, envelope)
                (self._worker_hears if peer in WORKERS else self._client_hears)(peer, envelope)
                sent.append((peer, envelope))
        return sent

    def says(
        self, peer: str, kind: Kind, body: Any = None, *, own: bool = True, **fields: Any
    ) -> list[tuple[str, Envelope]]:
        if own and peer in self.table.sessions:
            fields = {"session": self.table.sessions[peer], **fields}
        frames = [] if body is None else [msgpack.packb(body)]
        if kind == Kind.CALL:
            fields = {"stamp": int(1000 * self.table.now), **fields}
        return self.happens(Received(peer.encode(), pack(kind, **fields), frames))

    def _sessions_told_to(self, peer: str, envelope: Envelope) -> set[int]:
        """A client hears its own session only; a worker those of clients, too."""
        if peer in WORKERS or envelope.kind == Kind.WELCOME:
            return {envelope.session}
        return {self.table.sessions[peer]}

    def _worker_hears(self, worker: str, envelope: Envelope) -> None:
        begun = self.begun[worker]
        match envelope.kind:
            case Kind.BEGUN:
                assert envelope.session not in begun, "told twice"
                begun.add(envelope.session)
            case Kind.CALL:
                assert envelope.session in begun, "a call of a session that was not announced"
                self.to_answer[worker].append(envelope)
                self._may_run(envelope)
            case Kind.ENDED:
                begun.remove(envelope.session)

    def _may_run(self, call: Envelope) -> None:
        """What reaches a worker is fenced, and controls nothing that is stopped, or somebody else's."""
        assert call.token >= self.fences.get(call.target, 0)
        self.fences[call.target] = call.token
        state = self.table.core.state
        if not call.flags & Flag.READ:
            assert state.stop is None
            self._is_its_owners(call, state.reserved.get(call.target))
        if not call.flags & Flag.URGENT:  # nothing keeps an urgent call waiting
            self._is_its_owners(call, state.transactions.get(call.target))

    def _is_its_owners(self, call: Envelope, grant: Grant | None) -> None:
        if grant is not None and call.token >= grant.token:  # otherwise it was sent before the grant
            assert call.session in grant.sessions

    def _client_hears(self, client: str, envelope: Envelope) -> None:
        match envelope.kind:
            case Kind.RESULT | Kind.RAISED | Kind.REFUSED if envelope.call:
                self.waits[client].remove(envelope.call)
                if envelope.token:
                    self.tokens[client].add(envelope.token)
            case Kind.ASK:
                self.asked[client].append(envelope)
            case Kind.EVENT:
                assert (envelope.target, envelope.number) in self.joined[client]
            case Kind.ENDED:
                of_it = {each for each in self.joined[client] if each[0] == envelope.target}
                assert of_it, "the end of what was never joined"
                self.joined[client] -= of_it

    def _forget(self, peer: str) -> None:
        if peer in WORKERS:
            self.to_answer[peer], self.begun[peer], self.offered[peer] = [], set(), set()
        else:
            self.waits[peer], self.asked[peer], self.joined[peer] = set(), [], set()
            self.tokens[peer] = set()

    def connected(self, peer: str) -> bool:
        return peer.encode() in self.table.core.state.peers

    # -- what happens --------------------------------------------------------------------------------

    @initialize()
    def opening(self) -> None:
        for peer in (*WORKERS, *CLIENTS):
            self._comes(peer)

    @rule()
    def all_come_back(self) -> None:
        for peer in (*WORKERS, *CLIENTS):
            if not self.connected(peer):
                self._comes(peer)

    def _comes(self, peer: str) -> None:
        self._forget(peer)
        self.table.join(peer, role="worker" if peer in WORKERS else "client")
        for object_id in OBJECTS.get(peer, ()):
            self.offers((peer, object_id), 1)
        if peer in CLIENTS[:2]:
            self.is_served(peer)

    @rule(peer=st.sampled_from([*CLIENTS, *WORKERS]), how=st.sampled_from(["bye", "lost", "", "", "", ""]))
    def leaves(self, peer: str, how: str) -> None:
        if how == "bye":
            self.says(peer, Kind.BYE)
        elif how == "lost":
            self.happens(Unreachable(peer.encode(), pack(Kind.PONG)))
        assert not how or not self.connected(peer)

    @rule(which=owned, credit=st.integers(1, 2))
    def offers(self, which: tuple[str, str], credit: int) -> None:
        worker, object_id = which
        for _, answer in self.says(worker, Kind.OFFER, {}, call=1, number=credit, target=object_id.encode()):
            if answer.kind == Kind.RESULT:
                self.offered[worker].add(object_id)

    @rule(which=owned)
    def withdraws(self, which: tuple[str, str]) -> None:
        worker, object_id = which
        self.says(worker, Kind.WITHDRAW, target=object_id.encode())
        self.offered[worker].discard(object_id)

    @rule(
        client=clients,
        object_id=objects,
        flags=st.sampled_from([0, 0, 0, Flag.ONEWAY, Flag.READ, Flag.URGENT]),
        budget=st.sampled_from([100, NO_DEADLINE]),
        data=st.data(),
    )
    def calls(self, client: str, object_id: str, flags: int, budget: int, data: st.DataObject) -> None:
        token = data.draw(st.sampled_from(sorted(self.tokens[client]))) if self.tokens[client] else 0
        self._call(client, object_id, flags, budget, token)

    def _call(
        self, client: str, object_id: str, flags: int = 0, budget: int = NO_DEADLINE, token: int = 0
    ) -> list[tuple[str, Envelope]]:
        oneway = flags & Flag.ONEWAY
        self.number += 1
        self.waits[client].add(self.number)
        fields: dict[str, Any] = {
            "flags": flags,
            "budget_ms": budget,
            "target": object_id.encode(),
            "token": token,
        }
        sent = self.says(client, Kind.CALL, [], call=self.number, **fields)
        if oneway:
            self.waits[client].discard(self.number)
        return sent

    @rule(client=clients, data=st.data())
    def cancels(self, client: str, data: st.DataObject) -> None:
        if self.waits[client]:
            self.says(client, Kind.CANCEL, call=data.draw(st.sampled_from(sorted(self.waits[client]))))

    @rule(
        client=clients,
        wanted=st.lists(objects, min_size=1, max_size=3),
        mode=st.sampled_from(["reservation", "transaction"]),
        wait_ms=st.sampled_from([0, 100, NO_DEADLINE]),
        force=st.sampled_from([False, False, False, True]),
    )
    def reserves(self, client: str, wanted: list[str], mode: str, wait_ms: int, force: bool) -> None:
        if not self.connected(client):
            return
        self.number += 1
        self.waits[client].add(self.number)
        body = {"services": wanted, "mode": mode, "force": force}
        self.says(client, Kind.RESERVE, body, call=self.number, budget_ms=wait_ms)

    @rule(client=clients, data=st.data())
    def releases(self, client: str, data: st.DataObject) -> None:
        if self.connected(client) and self.tokens[client]:
            token = data.draw(st.sampled_from(sorted(self.tokens[client])))
            self.tokens[client].discard(token)
            self.number += 1
            self.waits[client].add(self.number)
            self.says(client, Kind.RELEASE, call=self.number, token=token)

    @rule(client=clients, what=st.sampled_from(["emergency_stop", "reset_emergency_stop"]))
    def stops_and_resets(self, client: str, what: str) -> None:
        if self.connected(client):
            for method in (what, "reset_emergency_stop"):  # a stop that stays on would hide everything else
                self.number += 1
                self.waits[client].add(self.number)
                frames = [[method], "call", [], {}]
                self.says(client, Kind.CALL, frames, call=self.number, target=b"Pyro.NameServer")

    @rule(client=clients)
    def is_served(self, client: str) -> None:
        """Calls both workers, which answer everything that they have got."""
        for worker, object_id in (("stages", "x"), ("lasers", "red")):
            self._call(client, object_id)
            while self.connected(worker) and self.to_answer[worker]:
                self._answer(worker, self.to_answer[worker][0], Kind.RESULT)

    @rule(worker=workers, data=st.data(), kind=st.sampled_from([Kind.RESULT, Kind.RAISED, Kind.REFUSED]))
    def answers(self, worker: str, data: st.DataObject, kind: Kind) -> None:
        if self.connected(worker) and self.to_answer[worker]:
            self._answer(worker, data.draw(st.sampled_from(self.to_answer[worker])), kind)

    def _answer(self, worker: str, call: Envelope, kind: Kind) -> None:
        self.to_answer[worker].remove(call)
        sent = self.says(worker, kind, {}, session=call.session, call=call.call, flags=call.flags)
        assert worker not in {to for to, envelope in sent if envelope.kind == Kind.REFUSED}

    @rule(worker=workers, client=clients)
    def asks(self, worker: str, client: str) -> None:
        self.number += 1
        session = self.table.sessions[client]
        sent = self.says(worker, Kind.ASK, [], session=session, call=self.number)
        if self.connected(worker) and session in self.begun[worker]:
            assert [(to, e.kind, e.call) for to, e in sent] == [(client, Kind.ASK, self.number)]
        else:
            assert [(to, e.kind) for to, e in sent] == [(worker, Kind.REFUSED)]

    @rule(client=clients, data=st.data(), kind=st.sampled_from([Kind.RESULT, Kind.RAISED, Kind.REFUSED]))
    def replies(self, client: str, data: st.DataObject, kind: Kind) -> None:
        if self.connected(client) and self.asked[client]:
            question = data.draw(st.sampled_from(self.asked[client]))
            self.asked[client].remove(question)
            sent = self.says(client, kind, {}, call=question.call, target=question.target)
            asker = [w for w in WORKERS if b"%016x" % self.table.sessions[w] == question.target]
            expected = [w for w in asker if self.connected(w)]
            assert [(to, e.kind, e.call) for to, e in sent] == [(w, kind, question.call) for w in expected]

    @rule(which=claimed, client=clients, topic=topics)
    def joins(self, which: tuple[str, str], client: str, topic: int) -> None:
        worker, object_id = which
        session, key = self.table.sessions[client], (object_id.encode(), topic)
        sent = self.says(worker, Kind.JOIN, session=session, number=topic, target=key[0])
        may = self.connected(worker) and session in self.begun[worker] and object_id in self.offered[worker]
        if may and (key in self.joined[client] or len(self.joined[client]) < 3):
            assert sent == []
            self.joined[client].add(key)
        else:
            assert [(to, e.kind) for to, e in sent] == [(worker, Kind.REFUSED)]

    @rule(which=claimed, client=clients, topic=topics)
    def parts(self, which: tuple[str, str], client: str, topic: int) -> None:
        worker, object_id = which
        session, key = self.table.sessions[client], (object_id.encode(), topic)
        self.says(worker, Kind.PART, session=session, number=topic, target=key[0])
        if self.connected(worker) and object_id in self.offered[worker]:
            self.joined[client].discard(key)

    @rule(which=owned, data=st.data())
    def tells_all(self, which: tuple[str, str], data: st.DataObject) -> None:
        """Some join a topic, and something happens."""
        for client in data.draw(st.lists(clients, min_size=1, max_size=3)):
            self.joins(which, client, 1)
        self.publishes(which, 1)

    @rule(which=claimed, topic=topics)
    def publishes(self, which: tuple[str, str], topic: int) -> None:
        worker, object_id = which
        key = (object_id.encode(), topic)
        sent = self.says(worker, Kind.EVENT, [], number=topic, target=key[0])
        if self.connected(worker) and object_id in self.offered[worker]:
            audience = [each for each in CLIENTS if self.connected(each) and key in self.joined[each]]
            assert sorted(to for to, _ in sent) == audience
        else:
            assert [(to, e.kind) for to, e in sent] == [(worker, Kind.REFUSED)]

    @rule(client=clients, object_id=objects)
    def calls_who_does_not_read(self, client: str, object_id: str) -> None:
        """Nothing of it finds room in the worker's queue; BEGUN has to come again."""
        for worker, envelope in self._call(client, object_id):
            if worker not in WORKERS:
                continue
            if envelope.kind == Kind.BEGUN:
                self.begun[worker].remove(envelope.session)
            else:
                self.to_answer[worker].remove(envelope)
            self.happens(Unreachable(worker.encode(), envelope.pack(), slow=True))

    @rule(seconds=st.sampled_from([0.0, 0.05, 0.2]))
    def time_passes(self, seconds: float) -> None:
        self.table.now += seconds
        self.happens(Tick())

    @invariant()
    def all_is_well(self) -> None:
        self.table.check()
        self._nothing_has_two_owners()

    def _nothing_has_two_owners(self) -> None:
        core = self.table.core
        for transactions, held in ((False, core.state.reserved), (True, core.state.transactions)):
            grants = [each for each in core.grants.by_token.values() if each.is_transaction is transactions]
            owned = [object_id for grant in grants for object_id in grant.services]
            assert sorted(owned) == sorted(held), "an object with two owners, or one that nobody knows of"
        for service in core.state.services.values():
            assert service.grant is core.state.reserved.get(service.object_id)
            assert service.transaction is core.state.transactions.get(service.object_id)
            waiting = sum(service in wanted.awaits for wanted in core.reservations._waiting)
            assert service.awaited == waiting, "a service waits for a transaction that nobody wants"


Bus.TestCase.settings = settings(max_examples=100, stateful_step_count=60, deadline=None)
TestBus = pytest.mark.timeout(300)(Bus.TestCase)  # to make a failing example short takes its time
