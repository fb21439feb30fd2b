"""Who is here: peers come with HELLO, show that they live, and leave, politely or not."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

import msgpack

from pyrolab.protocol.envelope import VERSION, Envelope, Kind
from pyrolab_broker.core.bodies import read_map
from pyrolab_broker.core.events import Frame, PeerId
from pyrolab_broker.core.limiting import Bucket
from pyrolab_broker.core.peers import Peer, Role
from pyrolab_broker.core.state import State
from pyrolab_broker.settings import ClientLimits

#: How long, and how often, a suspicion that a peer has gone is checked.
SUSPICION_S = 1.0
RECHECK_S = 0.02
#: Heartbeats that a peer may miss before the broker checks that it can still be reached.
MISSED_HEARTBEATS = 3
#: What a HELLO may say about its sender, and how long each value may be.
ABOUT = ("name", "user", "host", "pid", "software")
MAX_ABOUT_CHARS = 200
MAX_HELLO_BYTES = 4096
MIN_KEY_BYTES = 16
#: Connections for an emergency stop, beside all others.
URGENT_PLACES = 32


#: Further connections of a worker; of each it has one, as the `Peer`'s attribute of this name.
_OF_A_WORKER = (Role.LINE, Role.SOURCE)
#: The setting that limits how many of a role there are, and what makes room.
_LIMITS = {
    Role.CLIENT: ("max_clients", "release proxies"),
    Role.VIEWER: ("max_viewers", "close subscriptions"),
    Role.WORKER: ("max_workers", "end workers"),
    Role.WATCH: ("max_workers", "end supervisors"),
}


#: Told that a peer has gone: why, and whether it said so itself.
Left = Callable[[Peer, str, bool], None]


class Sessions:
    """The connected peers, and the places that they take.

    `has_left` is told of each that has gone; `has_come` of lines and watches that have come.
    """

    def __init__(self, state: State, has_left: Left, has_come: Callable[[Peer], None]) -> None:
        self._state = state
        self._has_left = has_left
        self._has_come = has_come

    def hello(self, peer_id: PeerId, envelope: Envelope, frames: list[Frame]) -> None:
        """A peer introduces itself: it gets a session, or hears why not."""
        state = self._state
        try:
            said = read_map(frames[0], MAX_HELLO_BYTES)
            role = Role(str(_scalar(said.get("role"))))
        except ValueError:
            text = f"a HELLO says {{'role': …}}, one of {', '.join(each.value for each in Role)}"
            state.refuse(peer_id, "protocol", text, call=envelope.call)
            return
        known = state.peers.get(peer_id)
        if known is not None:
            self._welcome(known, envelope)
            return
        peer = self._newcomer(peer_id, role, envelope, said)
        if role in _OF_A_WORKER and not self._is_a_workers(peer, said):
            text = f"a {role.value} names the session and the key of its worker; this worker is not here"
            state.refuse(peer_id, "denied", text, call=envelope.call)
        elif self._has_place(peer, envelope):
            self._enter(peer)
            self._welcome(peer, envelope)
            if role in (Role.LINE, Role.WATCH):
                self._has_come(peer)

    def _newcomer(self, peer_id: PeerId, role: Role, envelope: Envelope, said: dict[str, Any]) -> Peer:
        state = self._state
        about = {name: _shown(said[name]) for name in ABOUT if said.get(name) not in (None, "")}
        session = secrets.randbits(63) or 1
        peer = Peer(peer_id, session, role, about, state.now, state.now, envelope.stamp, state.now)
        key = said.get("key")
        peer.key = key if isinstance(key, bytes) and len(key) >= MIN_KEY_BYTES else b""
        peer.urgent = role is Role.CLIENT and said.get("urgent") is True
        self._limit(peer)
        return peer

    def _limit(self, peer: Peer) -> None:
        """How much this client may ask for."""
        settings = self._state.settings
        who = f"{peer.about.get('user', '')}@{peer.about.get('host', '')}"
        found = (limits for pattern, limits in settings.clients.items() if fnmatchcase(who, pattern))
        own = next(found, ClientLimits())
        peer.max_calls = settings.calls_per_client if own.calls is None else own.calls
        rate = settings.rate_per_client if own.rate is None else own.rate
        burst = settings.burst_per_client if own.burst is None else own.burst
        peer.bucket = Bucket(rate, burst, self._state.now) if rate > 0 and not peer.urgent else None

    def _is_a_workers(self, peer: Peer, said: dict[str, Any]) -> bool:
        session = said.get("worker")
        worker = self._state.workers.get(session) if isinstance(session, int) else None
        if worker is None or not worker.key or not secrets.compare_digest(worker.key, peer.key):
            return False
        peer.main = worker
        return True

    def _enter(self, peer: Peer) -> None:
        """From now on it is one of us; what it was before, it is no longer."""
        state = self._state
        if peer.role is Role.WORKER and peer.key:
            for other in [each for each in state.workers.values() if each.key == peer.key]:
                self.end(other, "has connected again")
        if peer.main is not None:
            before = getattr(peer.main, peer.role.value)
            if before is not None:
                self._send_away(before, "has connected again")
            setattr(peer.main, peer.role.value, peer)
        state.peers[peer.id] = state.sessions(peer.role)[peer.session] = peer
        state.note(logging.INFO, "%s has joined", str(peer))

    def _has_place(self, peer: Peer, envelope: Envelope) -> bool:
        state, role = self._state, peer.role
        if role in _OF_A_WORKER:  # there are no more of them than workers, who have been counted
            return True
        setting, remedy = _LIMITS[role]
        limit = getattr(state.settings, setting)
        if role is Role.CLIENT:
            current = sum(each.urgent == peer.urgent for each in state.clients.values())
            limit = URGENT_PLACES if peer.urgent else limit
        else:
            current = len(state.sessions(role))
        if current < limit or (role is Role.WORKER and self._is_back(peer)):
            return True
        text = (
            f"the broker serves {current} {role.value}s, its limit ({setting}={limit}); "
            f"try again when one has left, {remedy} that are not in use, or raise the limit"
        )
        state.refuse(peer.id, "pool-full", text, call=envelope.call, limit=limit, current=current)
        state.note(logging.WARNING, "a %s was turned away: the limit is %d", role.value, limit)
        return False

    def _is_back(self, worker: Peer) -> bool:
        return bool(worker.key) and any(each.key == worker.key for each in self._state.workers.values())

    def _welcome(self, peer: Peer, envelope: Envelope) -> None:
        settings = self._state.settings
        body = {
            "broker": self._state.identity,
            "version": VERSION,
            "heartbeat_s": settings.heartbeat_s,
            "silence_s": settings.silence_s,
            "limits": {
                "frame_bytes": settings.wire.frame_bytes,
                "message_bytes": settings.wire.message_bytes,
                "calls_per_client": peer.max_calls,
            },
        }
        self._state.send(
            peer.id, Kind.WELCOME, [msgpack.packb(body)], session=peer.session, call=envelope.call
        )

    def ping(self, peer: Peer, envelope: Envelope, frames: list[Frame]) -> None:
        """A sign of life; the answer carries the broker's clock."""
        self._state.send(peer.id, Kind.PONG, session=peer.session, call=envelope.call)

    def bye(self, peer: Peer, envelope: Envelope, frames: list[Frame]) -> None:
        """A peer leaves."""
        self.end(peer, "said goodbye", politely=True)
        self._state.send(peer.id, Kind.BYE, session=peer.session, call=envelope.call)

    def suspect(self, peer_id: PeerId) -> None:
        """The transport saw a connection close: find out whether it was this peer's."""
        peer = self._state.peers.get(peer_id)
        if peer is not None:
            peer.suspected_until = self._state.now + SUSPICION_S
            self._probe(peer)

    def unreachable(self, peer_id: PeerId, slow: bool) -> None:
        """A message could not be sent to this peer."""
        peer = self._state.peers.get(peer_id)
        if peer is not None:
            self.end(peer, "does not read its messages" if slow else "is gone")

    def check(self) -> None:
        """Look after those who are suspected, or have been silent for long."""
        state = self._state
        silence = MISSED_HEARTBEATS * state.settings.heartbeat_s
        for peer in list(state.peers.values()):
            if peer.suspected_until > state.now:
                self._probe(peer)
            elif state.now - max(peer.heard, peer.probed) > silence:
                peer.probed = state.now  # one probe for each silence
                self._probe(peer)

    def _probe(self, peer: Peer) -> None:
        """Send something that costs nothing; the socket says at once if nobody is there."""
        self._state.send(peer.id, Kind.PONG, session=peer.session)
        if peer.suspected_until > self._state.now:
            self._state.wake_by(self._state.now + RECHECK_S)

    def end(self, peer: Peer, why: str, politely: bool = False) -> None:
        """End a session, and everything that hung on it."""
        state = self._state
        del state.peers[peer.id]
        del state.sessions(peer.role)[peer.session]
        state.note(logging.INFO, "%s %s", str(peer), why)
        for each in (peer.line, peer.source):
            if each is not None:
                self._send_away(each, "has lost its worker")
        if peer.main is not None and getattr(peer.main, peer.role.value) is peer:
            setattr(peer.main, peer.role.value, None)
        self._has_left(peer, why, politely)

    def _send_away(self, peer: Peer, why: str) -> None:
        """End a further connection of a worker. A line follows its worker; a source has to be told."""
        self.end(peer, why)
        if peer.role is Role.SOURCE:
            self._state.send(peer.id, Kind.BYE, session=peer.session)

    def farewell(self) -> None:
        """Tell everybody that the broker ends."""
        for peer in self._state.peers.values():
            self._state.send(peer.id, Kind.BYE, session=peer.session)


def _scalar(value: Any) -> str | int | None:
    """Text or a number as it is; nothing else, because even the text of deeply nested lists has no end."""
    return value if isinstance(value, (str, int)) else None


def _shown(value: Any) -> str:
    """What a peer says of itself as one short line of a log."""
    text = str(_scalar(value))[:MAX_ABOUT_CHARS]
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)
