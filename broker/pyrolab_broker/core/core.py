"""The one door into the broker's brain: `handle(event, now) -> actions`.

It never raises for anything that a peer sends, keeps no clock, and does nothing itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from typing_extensions import assert_never

from pyrolab.errors import ProtocolError, VersionMismatch
from pyrolab.protocol.envelope import WITH_BODY, Envelope, Kind, check_frames, parse
from pyrolab_broker.core.calls import Calls
from pyrolab_broker.core.events import (
    Action,
    Event,
    Frame,
    Note,
    PeerId,
    Received,
    Stopping,
    Suspected,
    Tick,
    Unreachable,
)
from pyrolab_broker.core.offers import Offers
from pyrolab_broker.core.peers import Peer, Role
from pyrolab_broker.core.questions import Questions
from pyrolab_broker.core.sessions import Sessions
from pyrolab_broker.core.state import State
from pyrolab_broker.core.topics import Topics
from pyrolab_broker.settings import BrokerSettings

#: A message from a peer with a session: who, its envelope, its other frames.
_Part: TypeAlias = Callable[[Peer, Envelope, list[Frame]], None]
#: What answers something: a worker's a call, a client's a question.
_ANSWERS = frozenset({Kind.RESULT, Kind.RAISED, Kind.REFUSED})


class Core:
    """Decides everything; the server only carries it out."""

    def __init__(self, settings: BrokerSettings, identity: str) -> None:
        self.state = State(settings, identity)
        self._calls = Calls(self.state)
        self._questions = Questions(self.state)
        topics = Topics(self.state)
        self._sessions = Sessions(self.state, self._calls, topics)
        offers = Offers(self.state, self._calls, topics)
        from_both: dict[int, _Part] = {
            Kind.CALL: self._calls.call,
            Kind.CANCEL: self._calls.cancel,
            Kind.PING: self._sessions.ping,
            Kind.BYE: self._sessions.bye,
            Kind.OFFER: offers.offer,
            Kind.WITHDRAW: offers.withdraw,
            Kind.DESCRIBE: offers.describe,
        }
        self._from_clients: Mapping[int, _Part] = {
            **from_both,
            **dict.fromkeys(_ANSWERS, self._questions.answer),
        }
        self._from_workers: Mapping[int, _Part] = {
            **from_both,
            **dict.fromkeys(_ANSWERS, self._calls.answer),
            Kind.ASK: self._questions.ask,
            Kind.JOIN: topics.join,
            Kind.PART: topics.part,
            Kind.EVENT: topics.publish,
        }

    def handle(self, event: Event, now: float) -> list[Action]:
        """What follows from an event at the time `now` (seconds of any clock that never goes back)."""
        state = self.state
        state.now = now
        actions: list[Action] = []
        state.actions = actions
        if type(event) is Received:  # first, because nearly every event is one
            self._received(event)
        else:
            self._other(event)
        return actions

    def _other(self, event: Event) -> None:
        match event:
            case Received():
                self._received(event)
            case Suspected():
                self._sessions.suspect(event.peer)
            case Unreachable():
                self._unreachable(event)
            case Tick():
                self.state.wake_at = self.state.now + self.state.settings.heartbeat_s
                self._calls.expire()
                self._sessions.check()
            case Stopping():
                self._sessions.farewell()
            case _:
                assert_never(event)

    def _received(self, event: Received) -> None:
        peer_id, header, frames = event
        envelope = None
        try:
            envelope = parse(header)
            if envelope.buffers or len(frames) != (envelope.kind in WITH_BODY):
                self._check(envelope, frames)
        except ProtocolError as error:
            self._offended(peer_id, error, envelope)
            return
        peer = self.state.peers.get(peer_id)
        if peer is None:
            self._stranger(peer_id, envelope, frames)
            return
        peer.heard = self.state.now
        if peer.role is Role.WORKER:
            part = self._from_workers.get(envelope.kind)
            if envelope.stamp:
                peer.stamp = envelope.stamp
        else:
            part = self._from_clients.get(envelope.kind)
        if part is None:
            self._out_of_place(peer, envelope, frames)
        elif envelope.session not in (0, peer.session) and peer.role is Role.CLIENT:
            text = "the message names a session that is not the sender's"
            self.state.refuse(peer.id, "denied", text, peer.session, envelope.call)
        else:
            part(peer, envelope, frames)

    def _check(self, envelope: Envelope, frames: list[Frame]) -> None:
        """Raise `ProtocolError` for the wrong number of frames, or too many bytes in all of them."""
        check_frames(envelope, frames)
        size = sum(map(len, frames))
        limit = self.state.settings.wire.message_bytes
        if size > limit:
            raise ProtocolError(f"the message has {size} bytes; this broker takes {limit} (message_bytes)")

    def _stranger(self, peer_id: PeerId, envelope: Envelope, frames: list[Frame]) -> None:
        """A message of somebody without a session: a HELLO, or one from before the broker's restart."""
        if envelope.kind == Kind.HELLO:
            self._sessions.hello(peer_id, envelope, frames)
        elif envelope.kind not in (Kind.BYE, Kind.REFUSED):
            text = "the broker does not know this session (it may have restarted); say HELLO first"
            self.state.refuse(peer_id, "protocol", text, call=envelope.call, hello=True)

    def _out_of_place(self, peer: Peer, envelope: Envelope, frames: list[Frame]) -> None:
        if envelope.kind == Kind.HELLO:
            self._sessions.hello(peer.id, envelope, frames)
            return
        text = f"a message of kind {envelope.kind} has no meaning from a {peer.role.value}"
        self.state.refuse(peer.id, "protocol", text, peer.session, envelope.call)

    def _offended(self, peer_id: PeerId, error: ProtocolError, envelope: Envelope | None) -> None:
        """Answer what is no proper message; nothing else happens."""
        code = "version" if isinstance(error, VersionMismatch) else "protocol"
        numbers: dict[str, Any] = dict(error.__dict__)
        peer = self.state.peers.get(peer_id)
        about = {"session": envelope.session, "call": envelope.call} if envelope is not None else {}
        if peer is not None and envelope is not None and envelope.kind in _ANSWERS:
            self._spoilt(peer, envelope, str(error))
            about = {"session": peer.session}  # not its call, which may be the number of a request, too
        self.state.refuse(peer_id, code, str(error), **about, **numbers)
        self.state.actions.append(Note(logging.DEBUG, "refused a message: %s", (str(error),)))

    def _spoilt(self, peer: Peer, envelope: Envelope, why: str) -> None:
        part = self._calls if peer.role is Role.WORKER else self._questions
        part.spoilt(peer, envelope, why)

    def _unreachable(self, event: Unreachable) -> None:
        peer = self.state.peers.get(event.peer)
        if peer is None:
            return
        envelope = parse(event.header)
        if peer.role is Role.WORKER and envelope.kind == Kind.CALL:
            self._calls.undelivered(peer, envelope.session, envelope.call)
        elif peer.role is Role.WORKER and envelope.kind == Kind.BEGUN:
            self._calls.unintroduced(peer, envelope.session)
        if not (event.slow and peer.role is Role.WORKER):
            self._sessions.unreachable(event.peer, event.slow)
