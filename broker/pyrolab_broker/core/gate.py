"""Which calls are let in: every refusal is immediate, and says with which numbers.

What only reads passes where nothing else may: a reservation, an emergency stop, a connection that was cut.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from pyrolab.protocol.envelope import Envelope, Flag
from pyrolab.protocol.moments import time_of_day
from pyrolab_broker.core.peers import Grant, Peer, Service
from pyrolab_broker.core.state import State

#: A call whose echo of the broker's clock is older than this lay in a buffer while a connection was cut.
STALE_MS = 5000
#: Nobody can know more of the broker's clock than it does itself, but for rounding.
AHEAD_MS = 1000


class Refusal(NamedTuple):
    """Why a call is not let in."""

    code: str
    text: str
    numbers: dict[str, Any]


class Gate:
    """Looks at each call once, when it comes."""

    def __init__(self, state: State) -> None:
        self._state = state

    def refusal(self, peer: Peer, envelope: Envelope, service: Service) -> Refusal | None:
        """Why this call must not be let in, or None."""
        state = self._state
        if envelope.flags & Flag.READ:
            return None
        if not -AHEAD_MS <= state.clock - envelope.stamp <= STALE_MS:
            return self._stale(envelope)
        if state.stop is not None:
            return self.stopped()
        if envelope.token or service.grant is not None:
            return self._of_reservation(peer, envelope.token, service)
        return None

    def _stale(self, envelope: Envelope) -> Refusal:
        age_s = (self._state.clock - envelope.stamp) / 1000
        text = (
            f"the call was {age_s:.1f} s old when it reached the broker, by the broker's own clock, which "
            "the client states as far as it knows it; it did not run"
        )
        return Refusal("stale", text, {"age_s": age_s})

    def stopped(self) -> Refusal:
        """The refusal while an emergency stop is on."""
        stop = self._state.stop
        assert stop is not None
        return Refusal("stopped", *stop.refusal)

    def _of_reservation(self, peer: Peer, token: int, service: Service) -> Refusal | None:
        for known in (service.transaction, service.grant):
            if known is not None and token == known.token:
                self._renew(known, peer)
                return None
        grant = service.grant
        if not token and grant is not None and peer.session in grant.sessions:
            return None  # another thread of the owner's, before it knows its token
        if token:
            text = "not executed: the reservation on which it relies has ended; reserve again"
            return Refusal("fenced", text, {})
        assert grant is not None
        return self.reserved(service.object_id, grant)

    def _renew(self, grant: Grant, peer: Peer) -> None:
        if peer.session not in grant.sessions:
            grant.sessions.add(peer.session)
            peer.tokens.add(grant.token)

    def reserved(self, object_id: bytes, grant: Grant) -> Refusal:
        """The refusal for what somebody else has for themselves."""
        state = self._state
        until = self.until(grant)
        name = state.called(object_id)
        kind = "in a transaction of" if grant.is_transaction else "reserved by"
        text = (
            f"{name} is {kind} {grant.user or 'somebody'} ({grant.holder}) since "
            f"{time_of_day(grant.since)}, until {time_of_day(until)} unless renewed, which "
            "their connection does while it lives. It can be read meanwhile; reserve(wait=...) queues for it"
        )
        return Refusal("reserved", text, {"user": grant.user, "since": grant.since, "until": until})

    def until(self, grant: Grant) -> float:
        """When a grant ends if its owner falls silent now (Unix time)."""
        renewed = max(grant.renewed, *(self._heard(each) for each in grant.sessions), 0.0)
        return self._state.epoch + min(renewed + self._state.settings.grace_s, grant.ends)

    def _heard(self, session: int) -> float:
        client = self._state.clients.get(session)
        return client.heard if client is not None else 0.0
