"""Reservations: who asks for services, and who waits for them, in which order.

Several services are granted at once or not at all, so nobody can hold one and wait for another.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgpack

from pyrolab.errors import NamingError
from pyrolab.protocol.envelope import NO_DEADLINE, Envelope, Kind
from pyrolab_broker.core.bodies import read_map
from pyrolab_broker.core.directory import nobody_offers, resolve
from pyrolab_broker.core.dispatch import Dispatch
from pyrolab_broker.core.events import Frame
from pyrolab_broker.core.gate import Gate, Refusal
from pyrolab_broker.core.grants import Grants
from pyrolab_broker.core.peers import Grant, Peer, Service
from pyrolab_broker.core.state import State

#: Services that one reservation may hold, and requests of one client that may wait.
MAX_RESERVED = 64
MAX_WAITING = 64


@dataclass(slots=True, eq=False)
class Wanted:
    """A request that waits."""

    client: Peer
    number: int
    services: tuple[bytes, ...]
    user: str
    is_transaction: bool
    lasts_s: float
    expires: float
    #: The services that run nothing new until this transaction has begun.
    awaits: list[Service] = field(default_factory=list)


class Reservations:
    """The queue for what can be had by one client alone."""

    def __init__(self, state: State, gate: Gate, dispatch: Dispatch, grants: Grants) -> None:
        self._state = state
        self._gate = gate
        self._dispatch = dispatch
        self._grants = grants
        self._waiting: list[Wanted] = []
        dispatch.on_idle = grants.on_free = self._grant_what_is_free

    def reserve(self, peer: Peer, envelope: Envelope, frames: list[Frame]) -> None:
        """A client wants services for itself, or shows that it still has them."""
        if not self._dispatch.is_next(peer, envelope.call):
            return
        if envelope.token:
            self._return(peer, envelope)
            return
        try:
            wanted, force = self._read(peer, envelope, frames)
        except (ValueError, TypeError, NamingError) as error:
            code = "naming" if isinstance(error, NamingError) else "protocol"
            self._refuse(peer, envelope.call, Refusal(code, str(error), {}))
            return
        missing = [each for each in wanted.services if each not in self._state.services]
        if missing:
            self._refuse(peer, envelope.call, Refusal("gone", nobody_offers(self._state, missing[0]), {}))
            return
        if sum(each.client is peer for each in self._waiting) >= MAX_WAITING:
            numbers = {"limit": MAX_WAITING, "current": MAX_WAITING, "retry_after_s": 1.0}
            text = f"this client waits for {MAX_WAITING} reservations already; that is the limit"
            self._refuse(peer, envelope.call, Refusal("busy", text, numbers))
            return
        self._waiting.insert(0 if force else len(self._waiting), wanted)
        if force:  # already at the head of the queue, so that what it takes goes to nobody else
            self._take_over(wanted)
        self._grant_what_is_free()
        if wanted in self._waiting:
            if envelope.budget_ms == 0:
                self._give_up(wanted)
            elif wanted.expires < math.inf:
                self._state.wake_by(wanted.expires)

    def _read(self, peer: Peer, envelope: Envelope, frames: list[Frame]) -> tuple[Wanted, bool]:
        """The request in a message. Raises `ValueError`, `TypeError` or `NamingError`."""
        said = read_map(frames[0])
        targets = said.get("services")
        if not isinstance(targets, list) or not 0 < len(targets) <= MAX_RESERVED:
            raise ValueError(f"a RESERVE names 1 to {MAX_RESERVED} services")
        services = tuple(dict.fromkeys(resolve(self._state, str(each)) for each in targets))
        mode = said.get("mode", "reservation")
        if mode not in ("reservation", "transaction"):
            raise ValueError("the mode of a RESERVE is 'reservation' or 'transaction'")
        lasts_s = said.get("for_s")
        if lasts_s is not None and not (isinstance(lasts_s, (int, float)) and lasts_s > 0):
            raise ValueError("for_s is a positive number of seconds, or missing")
        user = str(said.get("user") or peer.about.get("user", ""))[:200]
        wait_ms = math.inf if envelope.budget_ms == NO_DEADLINE else envelope.budget_ms
        expires = self._state.now + wait_ms / 1000
        lasts_s = math.inf if lasts_s is None else float(lasts_s)
        wanted = Wanted(peer, envelope.call, services, user, mode == "transaction", lasts_s, expires)
        return wanted, said.get("force") is True

    def _return(self, peer: Peer, envelope: Envelope) -> None:
        """A client shows a token after it has connected again."""
        grant = self._grants.by_token.get(envelope.token)
        if grant is None:
            text = "this reservation has ended while its owner was away; reserve again"
            self._refuse(peer, envelope.call, Refusal("fenced", text, {}))
            return
        self._grants.bind(grant, peer)
        self._grants.tell(grant, peer, envelope.call)

    def _take_over(self, wanted: Wanted) -> None:
        why = f"taken over by {wanted.user or 'somebody'} ({_holder(wanted.client)})"
        for _, grant in self._grants_of(wanted):
            if wanted.client.session not in grant.sessions:
                self._grants.end(grant, why)

    def _grants_of(self, wanted: Wanted) -> Iterator[tuple[bytes, Grant]]:
        """Who has any of these services now."""
        for object_id in wanted.services:
            for held in (self._state.transactions, self._state.reserved):
                if object_id in held:
                    yield object_id, held[object_id]

    def _grant_what_is_free(self) -> None:
        """Grant, in the order of asking; nobody gets what somebody before them waits for."""
        claimed: set[bytes] = set()
        for wanted in list(self._waiting):
            if claimed.isdisjoint(wanted.services) and self._is_free(wanted):
                self._waiting.remove(wanted)
                self._grant(wanted)
            claimed.update(wanted.services)

    def _is_free(self, wanted: Wanted) -> bool:
        """Whether nobody else has any of them, and nothing runs where it must not."""
        state = self._state
        for object_id in wanted.services:
            held = state.reserved.get(object_id)
            if object_id in state.transactions or (held is not None and not self._is_inside(wanted, held)):
                self._let_go(wanted)
                return False
        services = self._must_be_idle(wanted)
        if not wanted.awaits:
            wanted.awaits = services
            for service in services:
                service.awaited += 1
        return not any(service.running for service in services)

    def _must_be_idle(self, wanted: Wanted) -> list[Service]:
        """Those of its services that nothing may run in when it begins.

        All of a transaction's; of a reservation's only pools, where one worker does not know what fence
        another one has seen.
        """
        services = [self._state.services[each] for each in wanted.services if each in self._state.services]
        return [each for each in services if wanted.is_transaction or each.is_pool]

    def _is_inside(self, wanted: Wanted, held: Grant) -> bool:
        return wanted.is_transaction and wanted.client.session in held.sessions

    def _grant(self, wanted: Wanted) -> None:
        state, client = self._state, wanted.client
        token = self._grants.new_token()
        grant = Grant(token, wanted.services, wanted.user, _holder(client), state.wall, wanted.is_transaction)
        grant.ends = state.now + wanted.lasts_s
        grant.renewed, grant.asked = state.now, (client.session, wanted.number)
        self._let_go(wanted)
        self._grants.bind(grant, client)
        self._grants.enter(grant)
        if not grant.is_transaction:
            self._grants.keep(grant)
        self._grants.tell(grant, client, wanted.number)

    def release(self, peer: Peer, envelope: Envelope, frames: list[Frame]) -> None:
        """The owner gives something back."""
        peer.newest_call = max(peer.newest_call, envelope.call)
        grant = self._grants.by_token.get(envelope.token)
        if grant is not None:
            self._grants.end(grant, "released", politely=True)
        self._state.send(
            peer.id, Kind.RESULT, [msgpack.packb(None)], session=peer.session, call=envelope.call
        )

    def cancel(self, peer: Peer, number: int) -> None:
        """A client no longer wants what it has asked for; the answer may be on its way already."""
        for wanted in [each for each in self._waiting if each.client is peer and each.number == number]:
            self._waiting.remove(wanted)
            self._resume(wanted)
        for grant in [
            each for each in self._grants.by_token.values() if each.asked == (peer.session, number)
        ]:
            self._grants.end(grant, "its owner has given up waiting", politely=True)

    def client_left(self, client: Peer, politely: bool) -> None:
        """A client has gone: it waits for nothing any longer."""
        gone = [each for each in self._waiting if each.client is client]
        self._waiting = [each for each in self._waiting if each.client is not client]
        self._grants.client_left(client, politely)
        for wanted in gone:
            self._resume(wanted)

    def check(self) -> None:
        """End what nobody has renewed, and requests that have waited long enough."""
        self._grants.check()
        for wanted in list(self._waiting):
            if wanted not in self._waiting:
                continue  # what ended another's waiting has ended this one's
            if wanted.expires <= self._state.now:
                self._give_up(wanted)
            elif wanted.expires < math.inf:
                self._state.wake_by(wanted.expires)

    def service_left(self, service: Service) -> None:
        """A service has gone: a transaction need not wait for it."""
        for wanted in self._waiting:
            if service in wanted.awaits:
                wanted.awaits.remove(service)

    def _give_up(self, wanted: Wanted) -> None:
        """Say that it was in vain, and because of whom."""
        self._waiting.remove(wanted)
        for object_id, grant in self._grants_of(wanted):
            if not self._is_inside(wanted, grant):
                self._refuse(wanted.client, wanted.number, self._gate.reserved(object_id, grant))
                self._resume(wanted)
                return
        text = "not reserved: others wait for it, or a call of somebody else still runs; wait longer"
        nobody = {"user": "", "since": self._state.wall, "until": self._state.wall}
        self._refuse(wanted.client, wanted.number, Refusal("reserved", text, nobody))
        self._resume(wanted)

    def _let_go(self, wanted: Wanted) -> None:
        for service in wanted.awaits:
            service.awaited -= 1
        wanted.awaits = []

    def _resume(self, wanted: Wanted) -> None:
        """A transaction is not to be: what has waited for it goes on."""
        services = wanted.awaits
        self._let_go(wanted)
        self._grant_what_is_free()
        for service in services:
            self._dispatch.feed(service)

    def _refuse(self, peer: Peer, number: int, refused: Refusal) -> None:
        self._state.refuse(peer.id, refused.code, refused.text, peer.session, number, **refused.numbers)


def _holder(client: Peer) -> str:
    """A client as people know it."""
    about = client.about
    return f"{about.get('user', '?')}@{about.get('host', '?')}, process {about.get('pid', '?')}"
