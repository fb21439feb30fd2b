"""The one door into the broker's brain: `handle(event, now) -> actions`.

It never raises for anything that a peer sends, keeps no clock, and does nothing itself.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from typing_extensions import assert_never

from pyrolab.errors import ProtocolError, VersionMismatch
from pyrolab.protocol.envelope import WITH_BODY, Envelope, Kind, check_frames, parse
from pyrolab_broker.core.calls import Calls
from pyrolab_broker.core.cleaning import Cleaning
from pyrolab_broker.core.dispatch import Dispatch
from pyrolab_broker.core.endings import Endings
from pyrolab_broker.core.events import (
    Action,
    Event,
    Frame,
    PeerId,
    Received,
    Stopping,
    Suspected,
    Tick,
    Unreachable,
)
from pyrolab_broker.core.grants import Grants
from pyrolab_broker.core.liveness import Liveness
from pyrolab_broker.core.load import Load
from pyrolab_broker.core.name_service import NameService
from pyrolab_broker.core.news import News
from pyrolab_broker.core.offers import Offers
from pyrolab_broker.core.peers import Peer, Role
from pyrolab_broker.core.questions import Questions
from pyrolab_broker.core.relay import Relay
from pyrolab_broker.core.reservations import Reservations
from pyrolab_broker.core.sessions import Sessions
from pyrolab_broker.core.state import State, Stored
from pyrolab_broker.core.stops import Stops
from pyrolab_broker.core.topics import Topics
from pyrolab_broker.settings import BrokerSettings

#: A message from a peer with a session: who, its envelope, its other frames.
_Part: TypeAlias = Callable[[Peer, Envelope, list[Frame]], None]
#: What answers something: a worker's a call, a client's a question.
_ANSWERS = frozenset({Kind.RESULT, Kind.RAISED, Kind.REFUSED})
#: What a source tells its viewers.
_OF_STREAMS = (Kind.FRAME, Kind.TALLY, Kind.DETACH, Kind.REFUSED)
#: Who carries out calls.
_HOSTS = (Role.WORKER, Role.LINE)
#: Whose messages are about no session but their own.
_SPEAK_FOR_THEMSELVES = (Role.CLIENT, Role.VIEWER)


class Core:
    """Decides everything; the server only carries it out."""

    def __init__(
        self,
        settings: BrokerSettings,
        identity: str,
        stored: Stored | None = None,
        epoch: float = 0.0,
        random_bits: Callable[[int], int] = secrets.randbits,
    ) -> None:
        self.state = State(settings, identity, stored, epoch)
        dispatch = Dispatch(self.state)
        self._endings = endings = Endings(self.state, dispatch)
        self._calls = Calls(self.state, dispatch)
        self._questions = Questions(self.state)
        self._news = News(self.state)
        self._topics = Topics(self.state)
        self._relay = Relay(self.state)
        gate = self._calls.gate
        self.grants = Grants(self.state, gate, dispatch, endings, self._news, random_bits)
        self.reservations = Reservations(self.state, gate, dispatch, self.grants)
        self._stops = Stops(self.state, gate, endings, self._news)
        self._liveness = Liveness(self.state, self._news)
        self._cleaning = Cleaning(self.state)
        self._sessions = Sessions(self.state, self._left, self._stops.has_come)
        self._offers = Offers(self.state, dispatch, endings, self._topics, self.grants, self.reservations)
        load = Load(self.state, self._liveness, self.grants, self._stops)
        names = NameService(self.state, self._news, self._stops, load)
        self._calls.ask_names = names.call
        self._parts = self._who_may_say_what()
        self._is_loaded = False

    def _who_may_say_what(self) -> Mapping[Role, Mapping[int, _Part]]:
        """Which message of whom goes where."""
        calls, topics, offers = self._calls, self._topics, self._offers
        everybodys: dict[int, _Part] = {Kind.PING: self._sessions.ping, Kind.BYE: self._sessions.bye}
        of_both: dict[int, _Part] = {
            **everybodys,
            Kind.CALL: calls.call,
            Kind.CANCEL: self._cancel,
            Kind.OFFER: offers.offer,
            Kind.WITHDRAW: offers.withdraw,
            Kind.DESCRIBE: offers.describe,
        }
        answers: dict[int, _Part] = dict.fromkeys(_ANSWERS, calls.answer)
        return {
            Role.CLIENT: {
                **of_both,
                **dict.fromkeys(_ANSWERS, self._questions.answer),
                Kind.RESERVE: self.reservations.reserve,
                Kind.RELEASE: self.reservations.release,
            },
            Role.WORKER: {
                **of_both,
                **answers,
                Kind.ASK: self._questions.ask,
                Kind.JOIN: topics.join,
                Kind.PART: topics.part,
                Kind.EVENT: topics.publish,
                Kind.STOPPED: self._stops.stopped,
            },
            Role.LINE: {
                **everybodys,
                **{kind: _for_its_worker(part) for kind, part in answers.items()},
                Kind.STOPPED: _for_its_worker(self._stops.stopped),
            },
            Role.WATCH: {**everybodys, Kind.REPORT: self._liveness.report},
            Role.VIEWER: {
                **everybodys,
                **dict.fromkeys((Kind.ATTACH, Kind.CREDIT, Kind.DETACH), self._relay.to_source),
            },
            Role.SOURCE: {
                **everybodys,
                **dict.fromkeys(_OF_STREAMS, self._relay.to_viewers),
            },
        }

    def _cancel(self, peer: Peer, envelope: Envelope, frames: list[Frame]) -> None:
        self.reservations.cancel(peer, envelope.call)
        self._calls.cancel(peer, envelope, frames)

    def _left(self, peer: Peer, why: str, politely: bool) -> None:
        """A peer has gone; everything that hung on it ends."""
        match peer.role:
            case Role.CLIENT:
                self._topics.client_left(peer)
                self._news.client_left(peer)
                self._endings.client_left(peer)
                self.reservations.client_left(peer, politely)
            case Role.WORKER:
                self._liveness.tell(peer, "gone")
                self._offers.worker_left(peer, why)
            case Role.LINE:
                self._endings.line_left(peer)
            case Role.VIEWER:
                self._relay.viewer_left(peer)
            case Role.SOURCE:
                self._relay.source_left(peer)
            case Role.WATCH:
                pass

    def handle(self, event: Event, now: float) -> list[Action]:
        """What follows from an event at the time `now` (seconds of any clock that never goes back)."""
        state = self.state
        state.now = now
        actions: list[Action] = []
        state.actions = actions
        if not self._is_loaded:
            self._is_loaded = True
            self.grants.load()
            self._stops.load()
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
                self._endings.expire()
                self._sessions.check()
                self.reservations.check()
                self._stops.check()
                self._liveness.check()
                self._cleaning.check()
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
        part = self._parts[peer.role].get(envelope.kind)
        if envelope.stamp and peer.role in _HOSTS:
            worker = peer.worker
            worker.stamp, worker.stamped = envelope.stamp, self.state.now
        if part is None:
            self._out_of_place(peer, envelope, frames)
        elif envelope.session not in (0, peer.session) and peer.role in _SPEAK_FOR_THEMSELVES:
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
        self.state.note(logging.DEBUG, "refused a message: %s", str(error))

    def _spoilt(self, peer: Peer, envelope: Envelope, why: str) -> None:
        if peer.role is Role.CLIENT:
            self._questions.spoilt(peer, envelope, why)
        elif peer.role in _HOSTS:
            self._calls.spoilt(peer.worker, envelope, why)

    def _unreachable(self, event: Unreachable) -> None:
        peer = self.state.peers.get(event.peer)
        if peer is None:
            return
        envelope = parse(event.header)
        hosts = peer.role in _HOSTS
        if hosts and envelope.kind == Kind.CALL:
            self._endings.undelivered(peer.worker, envelope.session, envelope.call)
        elif hosts and envelope.kind == Kind.BEGUN:
            self._endings.unintroduced(peer, envelope.session)
        if not (event.slow and peer.role is Role.WORKER):
            self._sessions.unreachable(event.peer, event.slow)


def _for_its_worker(part: _Part) -> _Part:
    """What a line says, it says for its worker."""

    def pass_on(line: Peer, envelope: Envelope, frames: list[Frame]) -> None:
        part(line.worker, envelope, frames)

    return pass_on
