"""Who is here: peers come with HELLO, show that they live, and leave, politely or not."""

from __future__ import annotations

import logging
import secrets
from typing import Any

import msgpack

from pyrolab.protocol.envelope import VERSION, Envelope, Kind
from pyrolab_broker.core.calls import Calls
from pyrolab_broker.core.events import Frame, Note, PeerId
from pyrolab_broker.core.peers import Peer, Role
from pyrolab_broker.core.state import State
from pyrolab_broker.core.topics import Topics

#: How long, and how often, a suspicion that a peer has gone is checked.
SUSPICION_S = 1.0
RECHECK_S = 0.02
#: Heartbeats that a peer may miss before the broker checks that it can still be reached.
MISSED_HEARTBEATS = 3
#: What a HELLO may say about its sender, and how long each value may be.
ABOUT = ("name", "user", "host", "pid", "software")
MAX_ABOUT_CHARS = 200
MAX_HELLO_BYTES = 4096


class Sessions:
    """The connected peers, and the places that they take."""

    def __init__(self, state: State, calls: Calls, topics: Topics) -> None:
        self._state = state
        self._calls = calls
        self._topics = topics

    def hello(self, peer_id: PeerId, envelope: Envelope, frames: list[Frame]) -> None:
        """A peer introduces itself: it gets a session, or hears why not."""
        state = self._state
        try:
            said = _read_hello(frames[0])
            role = Role(str(_scalar(said.get("role"))))
        except ValueError:
            state.refuse(peer_id, "protocol", "a HELLO says {'role': 'client'} or {'role': 'worker'}")
            return
        known = state.peers.get(peer_id)
        if known is not None:
            self._welcome(known, envelope)
        elif self._has_place(peer_id, role, envelope):
            about = {name: _shown(said[name]) for name in ABOUT if said.get(name) not in (None, "")}
            session = secrets.randbits(63) or 1
            peer = Peer(peer_id, session, role, about, state.now, state.now, envelope.stamp)
            state.peers[peer_id] = state.sessions(role)[session] = peer
            state.actions.append(Note(logging.INFO, "%s has joined", (str(peer),)))
            self._welcome(peer, envelope)

    def _has_place(self, peer_id: PeerId, role: Role, envelope: Envelope) -> bool:
        state = self._state
        limit = state.settings.max_clients if role is Role.CLIENT else state.settings.max_workers
        current = len(state.sessions(role))
        if current < limit:
            return True
        text = (
            f"the broker serves {current} {role.value}s, its limit (max_{role.value}s={limit}); "
            "try again when one has left, release proxies that are not in use, or raise the limit"
        )
        state.refuse(peer_id, "pool-full", text, call=envelope.call, limit=limit, current=current)
        state.actions.append(
            Note(logging.WARNING, "a %s was turned away: the limit is %d", (role.value, limit))
        )
        return False

    def _welcome(self, peer: Peer, envelope: Envelope) -> None:
        settings = self._state.settings
        body = {
            "broker": self._state.identity,
            "version": VERSION,
            "heartbeat_s": settings.heartbeat_s,
            "limits": {
                "frame_bytes": settings.wire.frame_bytes,
                "message_bytes": settings.wire.message_bytes,
                "calls_per_client": settings.calls_per_client,
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
        self.end(peer, "said goodbye")
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
            elif state.now - peer.heard > silence:
                peer.heard = state.now  # one probe for each silence
                self._probe(peer)

    def _probe(self, peer: Peer) -> None:
        """Send something that costs nothing; the socket says at once if nobody is there."""
        self._state.send(peer.id, Kind.PONG, session=peer.session)
        if peer.suspected_until > self._state.now:
            self._state.wake_by(self._state.now + RECHECK_S)

    def end(self, peer: Peer, why: str) -> None:
        """End a session, and everything that hung on it."""
        state = self._state
        del state.peers[peer.id]
        del state.sessions(peer.role)[peer.session]
        state.actions.append(Note(logging.INFO, "%s %s", (str(peer), why)))
        if peer.role is Role.CLIENT:
            self._topics.client_left(peer)
            self._calls.client_left(peer)
        else:
            self._calls.worker_left(peer, why)
            for service in peer.services.values():
                self._topics.service_left(service)

    def farewell(self) -> None:
        """Tell everybody that the broker ends."""
        for peer in self._state.peers.values():
            self._state.send(peer.id, Kind.BYE, session=peer.session)


def _read_hello(body: Any) -> dict[str, Any]:
    """The body of a HELLO. Raises `ValueError` if it is none."""
    view = memoryview(body)
    if view.nbytes > MAX_HELLO_BYTES:
        raise ValueError("too long")
    try:
        said = msgpack.unpackb(view, max_map_len=32, max_array_len=32, max_ext_len=0)
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError("not msgpack") from error
    except msgpack.UnpackException as error:
        raise ValueError("not msgpack") from error
    if not isinstance(said, dict):
        raise ValueError("not a map")
    return said


def _scalar(value: Any) -> str | int | None:
    """Text or a number as it is; nothing else, because even the text of deeply nested lists has no end."""
    return value if isinstance(value, (str, int)) else None


def _shown(value: Any) -> str:
    """What a peer says of itself as one short line of a log."""
    text = str(_scalar(value))[:MAX_ABOUT_CHARS]
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)
