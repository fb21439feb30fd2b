"""Frames by way of the broker: between the source of a worker's streams and viewers that cannot reach it.

The broker copies what a source sends to each viewer that it names, and reads none of it. How much is on its
way is between those two, who give each other credit. `Peer.attached` of both sides is changed here alone.
"""

from __future__ import annotations

from pyrolab.protocol.envelope import NO_DEADLINE, Envelope, Kind, pack
from pyrolab_broker.core.bodies import session_in
from pyrolab_broker.core.events import Frame, make_send
from pyrolab_broker.core.peers import Peer
from pyrolab_broker.core.state import State

_DIGITS = 16
#: Viewers that may get one message.
MAX_RECEIVERS = 15


class Relay:
    """Who watches what through the broker."""

    def __init__(self, state: State) -> None:
        self._state = state

    def to_source(self, viewer: Peer, envelope: Envelope, frames: list[Frame]) -> None:
        """A viewer speaks to a source; with the first word it is one of its viewers."""
        session = session_in(envelope.target)
        source = None if session is None else self._state.sources.get(session)
        if source is None:
            text = "no worker has this source of streams; subscribe again"
            self._state.refuse(viewer.id, "gone", text, viewer.session, envelope.call)
            return
        source.attached[viewer.session] = viewer
        viewer.attached[source.session] = source
        self._pass_on(source, viewer.session, envelope, frames)

    def to_viewers(self, source: Peer, envelope: Envelope, frames: list[Frame]) -> None:
        """A source speaks to some of its viewers, all of whom get the same."""
        target = envelope.target
        places = range(0, len(target), _DIGITS)
        sessions = [session_in(target[place : place + _DIGITS]) for place in places]
        if not sessions or None in sessions:
            text = f"a source names 1 to {MAX_RECEIVERS} viewers, each by 16 hexadecimal digits"
            self._state.refuse(source.id, "protocol", text, source.session, envelope.call)
            return
        for session in dict.fromkeys(sessions):
            assert session is not None
            viewer = source.attached.get(session)
            if viewer is not None:
                self._pass_on(viewer, session, envelope, frames)
            elif envelope.kind != Kind.REFUSED:  # which must not be answered
                text = "no viewer of this session has come to this source, or it has left"
                self._state.refuse(source.id, "gone", text, session, envelope.call)

    def _pass_on(self, to: Peer, session: int, envelope: Envelope, frames: list[Frame]) -> None:
        header = pack(
            envelope.kind,
            envelope.flags,
            envelope.buffers,
            session,
            envelope.call,
            self._state.clock,
            NO_DEADLINE,
            envelope.number,
            envelope.token,
        )
        self._state.actions.append(make_send((to.id, [header, *frames])))

    def viewer_left(self, viewer: Peer) -> None:
        """The sources that it has watched may forget it."""
        for source in viewer.attached.values():
            del source.attached[viewer.session]
            self._state.send(source.id, Kind.ENDED, session=viewer.session)
        viewer.attached.clear()

    def source_left(self, source: Peer) -> None:
        """Its viewers may look for another way."""
        for viewer in source.attached.values():
            del viewer.attached[source.session]
            self._state.send(viewer.id, Kind.ENDED, session=viewer.session, target=b"%016x" % source.session)
        source.attached.clear()
