"""Grants: who has which services for itself, and when that ends.

A grant is a lease that its owner renews by living: it is free when the owner gives it back, leaves, or has
been silent for the grace time. Its token, which only grows, is what opens a service; whoever shows it is its
owner.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import Any

import msgpack

from pyrolab.protocol.envelope import Kind
from pyrolab_broker.core.bodies import as_text
from pyrolab_broker.core.dispatch import Dispatch
from pyrolab_broker.core.endings import Endings
from pyrolab_broker.core.events import Store
from pyrolab_broker.core.gate import Gate, Refusal
from pyrolab_broker.core.news import News
from pyrolab_broker.core.peers import Call, Grant, Peer, Service
from pyrolab_broker.core.state import State

#: A token: when its broker started (s), a counter, and a number that nobody can guess.
_STARTED_AT, _COUNTER_AT = 33, 16
#: What a worker says of tokens is believed up to here, so that nobody can use them all up.
MAX_CLAIMED = 1 << 63


class Grants:
    """All grants. `random_bits(n)` gives numbers that nobody can guess."""

    def __init__(
        self,
        state: State,
        gate: Gate,
        dispatch: Dispatch,
        endings: Endings,
        news: News,
        random_bits: Callable[[int], int],
    ) -> None:
        self._state = state
        self._gate = gate
        self._dispatch = dispatch
        self._endings = endings
        self._news = news
        self._random_bits = random_bits
        self.by_token: dict[int, Grant] = {}
        #: Called when something may have become free.
        self.on_free: Callable[[], None] = lambda: None
        self._newest = 0

    def load(self) -> None:
        """Take in what was kept before a restart; each owner has the grace time to come back."""
        state = self._state
        started = int(state.stored.get("facts", {}).get("started", 0))
        started = max(started + 1, int(state.wall))
        self._newest = started << _STARTED_AT
        state.actions.append(Store("facts", "started", started))
        for key, kept in state.stored.get("reservations", {}).items():
            services = tuple(bytes(each) for each in kept["services"])
            ends = kept["ends"] - state.epoch if kept["ends"] else math.inf
            grant = Grant(int(key), services, kept["user"], kept["holder"], kept["since"], ends=ends)
            grant.renewed = state.now
            self.enter(grant)

    def rise_above(self, token: int) -> None:
        """A worker has seen this token: with no file, and a clock put back, it may be above all ours."""
        if self._newest < token < MAX_CLAIMED:
            self._newest = token

    def new_token(self) -> int:
        """A token above all others, of earlier runs, too."""
        counter = (self._newest >> _COUNTER_AT) + 1
        self._newest = (counter << _COUNTER_AT) + self._random_bits(_COUNTER_AT)
        return self._newest

    def keep(self, grant: Grant) -> None:
        """Let a reservation outlive the broker."""
        kept = {
            "services": list(grant.services),
            "user": grant.user,
            "holder": grant.holder,
            "since": grant.since,
            "ends": self._state.epoch + grant.ends if grant.ends < math.inf else 0.0,
        }
        self._state.actions.append(Store("reservations", str(grant.token), kept))
        self._note(_TAKEN, grant)

    def enter(self, grant: Grant) -> None:
        """From now on its owner has the services."""
        state = self._state
        self.by_token[grant.token] = grant
        for object_id in grant.services:
            (state.transactions if grant.is_transaction else state.reserved)[object_id] = grant
            service = state.services.get(object_id)
            if service is not None:
                self.adorn(service)
                self._purge(service, grant)
        state.wake_by(min(grant.ends, state.now + state.settings.grace_s))

    def adorn(self, service: Service) -> None:
        """Let a service know who has it."""
        service.grant = self._state.reserved.get(service.object_id)
        service.transaction = self._state.transactions.get(service.object_id)
        service.fence = self._newest

    def _purge(self, service: Service, grant: Grant) -> None:
        """Nothing that others have sent may run in a reservation any more; a transaction lets it wait."""
        if not grant.is_transaction:
            unwanted = _controls_of_others(grant)
            self._endings.purge(service, unwanted, self._gate.reserved(service.object_id, grant))

    def bind(self, grant: Grant, client: Peer) -> None:
        """This client renews it by living."""
        grant.sessions.add(client.session)
        client.tokens.add(grant.token)

    def tell(self, grant: Grant, client: Peer, number: int) -> None:
        """Answer a request with it."""
        grace_s = self._state.settings.grace_s
        packed = msgpack.packb({"token": grant.token, **self._facts(grant), "grace_s": grace_s})
        self._state.send(
            client.id, Kind.RESULT, [packed], session=client.session, call=number, token=grant.token
        )

    def end(self, grant: Grant, why: str, politely: bool = False) -> None:
        """Somebody has these services for themselves no longer."""
        state = self._state
        del self.by_token[grant.token]
        for object_id in grant.services:
            (state.transactions if grant.is_transaction else state.reserved).pop(object_id, None)
        for session in grant.sessions:
            if session in state.clients:
                state.clients[session].tokens.discard(grant.token)
        if not grant.is_transaction:
            state.actions.append(Store("reservations", str(grant.token), None))
            self._note("free again", grant, why)
        if not politely:
            self.new_token()  # the fence rises above what its owner may still send
        for object_id in grant.services:
            service = state.services.get(object_id)
            if service is not None:
                self.adorn(service)
                if not politely:
                    text = f"not executed: the reservation has ended ({why}) while the call waited"
                    unwanted = _controls_with(grant.token)
                    self._endings.purge(service, unwanted, Refusal("fenced", text, {}))
        self.on_free()
        for object_id in grant.services:
            if object_id in state.services:
                self._dispatch.feed(state.services[object_id])

    def check(self) -> None:
        """End what nobody has renewed."""
        state = self._state
        for grant in list(self.by_token.values()):
            alive = [state.clients[each].heard for each in grant.sessions if each in state.clients]
            grant.renewed = max(grant.renewed, *alive, 0.0)
            if state.now >= grant.ends:
                self.end(grant, "its time is over")
            elif state.now - grant.renewed >= state.settings.grace_s:
                self.end(grant, f"nothing was heard of its owner for {state.settings.grace_s:g} s")
            else:
                state.wake_by(min(grant.ends, grant.renewed + state.settings.grace_s))

    def client_left(self, client: Peer, politely: bool) -> None:
        """A client has gone: what it has is free at once, or after the grace time."""
        for token in list(client.tokens):
            grant = self.by_token.get(token)
            if grant is None:
                continue
            grant.sessions.discard(client.session)
            grant.renewed = max(grant.renewed, client.heard)
            if politely and not grant.sessions:
                self.end(grant, "its owner has left", politely=True)
        self.on_free()

    def listed(self) -> list[dict[str, Any]]:
        """All grants, for people."""
        return [self.shown(grant) for grant in self.by_token.values()]

    def shown(self, grant: Grant) -> dict[str, Any]:
        """One grant, for people; its token is for its owner alone."""
        return {
            **self._facts(grant),
            "holder": grant.holder,
            "mode": "transaction" if grant.is_transaction else "reservation",
        }

    def _facts(self, grant: Grant) -> dict[str, Any]:
        return {
            "services": [each.decode() for each in grant.services],
            "user": grant.user,
            "since": grant.since,
            "until": self._gate.until(grant),
        }

    def _note(self, what: str, grant: Grant, why: str = "") -> None:
        names = ", ".join(map(self._state.called, grant.services))
        text = "%s %s: %s (%s)%s"
        self._state.note(
            logging.INFO, text, names, what, grant.user, grant.holder, f" because: {why}" if why else ""
        )
        self._state.record(what, services=names, user=grant.user, holder=grant.holder, why=why)
        services = list(map(as_text, grant.services))
        self._news.tell("reservation", what == _TAKEN, services, grant.user, why)


_TAKEN = "reserved"


def _controls_of_others(grant: Grant) -> Callable[[Call], bool]:
    return lambda call: not call.reads and call.client.session not in grant.sessions


def _controls_with(token: int) -> Callable[[Call], bool]:
    return lambda call: not call.reads and call.token == token
