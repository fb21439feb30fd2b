"""Frames by way of the broker: between the source of a worker's streams and viewers that cannot reach it.

The broker sends what a source says to each viewer that it names, always the same frames, and reads none of
them. How much is on its way is between those two, who give each other credit.
"""

from __future__ import annotations

from pyrolab.protocol.envelope import NO_DEADLINE, Envelope, Kind, pack
from pyrolab_broker.core.bodies import session_in, sessions_in
from pyrolab_broker.core.events import Frame, make_send
from pyrolab_broker.core.peers import Peer
from pyrolab_broker.core.state import State

#: Viewers that may get one message: more do not fit into a target.
MAX_RECEIVERS = 15
#: What a viewer says to a source is small.
MAX_REQUEST_BYTES = 65536


class Relay:
    """Who watches what through the broker: `Peer.attached` of both sides is changed here alone."""

    def __init__(self, state: State) -> None:
        self._state = state

    def to_source(self, viewer: Peer, envelope: Envelope, frames: list[Frame]) -> None:
        """A viewer speaks to a source; with the first word it is one of its viewers."""
        session = session_in(envelope.target)
        source = None if session is None else self._state.sources.get(session)
        if source is None:
            self._state.refuse(viewer.id, "gone", _NO_SOURCE, viewer.session, envelope.call)
        elif self._is_small(viewer, envelope, frames):
            source.attached[viewer.session] = viewer
            viewer.attached[source.session] = source
            self._pass_on(source, viewer.session, envelope, frames)

    def _is_small(self, viewer: Peer, envelope: Envelope, frames: list[Frame]) -> bool:
        size = sum(map(len, frames))
        if size <= MAX_REQUEST_BYTES:
            return True
        text = f"the message has {size} bytes; what a viewer says to a source has {MAX_REQUEST_BYTES} at most"
        self._state.refuse(viewer.id, "protocol", text, viewer.session, envelope.call)
        return False

    def to_viewers(self, source: Peer, envelope: Envelope, frames: list[Frame]) -> None:
        """A source speaks to some of its viewers, all of whom get the same."""
        sessions = sessions_in(envelope.target)
        if not sessions:
            self._state.refuse(source.id, "protocol", _NO_VIEWERS, source.session, envelope.call)
        for session in sessions:
            viewer = source.attached.get(session)
            if viewer is not None:
                self._pass_on(viewer, session, envelope, frames)
            elif envelope.kind != Kind.REFUSED:  # which must not be answered
                self._is_no_viewer(source, session, envelope)

    def _is_no_viewer(self, source: Peer, session: int, envelope: Envelope) -> None:
        is_here = session in self._state.viewers
        code, text = ("denied", _NOT_ITS_OWN) if is_here else ("gone", _NO_VIEWER)
        self._state.refuse(source.id, code, text, session, envelope.call)

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


_NO_SOURCE = "no worker has this source of streams; it may have left: subscribe again"
_NO_VIEWERS = f"a source names 1 to {MAX_RECEIVERS} viewers, each by 16 hexadecimal digits"
_NO_VIEWER = "no viewer has this session; it may have left"
_NOT_ITS_OWN = "this viewer has not come to this source; a source reaches those only that have"
