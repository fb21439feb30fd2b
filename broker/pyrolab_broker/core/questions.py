"""Questions: a worker asks a client to call what the client passed along, and the client answers.

The broker remembers no question. A worker reaches only the clients that have called it, a client only the
workers that it has called; who waits for which answer is theirs to know.
"""

from __future__ import annotations

from pyrolab.protocol.envelope import NO_DEADLINE, Envelope, Kind, pack
from pyrolab_broker.core.bodies import session_in
from pyrolab_broker.core.events import Frame, make_send
from pyrolab_broker.core.peers import Peer
from pyrolab_broker.core.state import State, wants_answer


class Questions:
    """What workers ask of clients."""

    def __init__(self, state: State) -> None:
        self._state = state

    def ask(self, worker: Peer, envelope: Envelope, frames: list[Frame]) -> None:
        """A worker asks; the question says where its answer goes."""
        client = self._state.caller(worker, envelope)
        if client is None:
            return
        header = pack(
            Kind.ASK,
            envelope.flags,
            envelope.buffers,
            client.session,
            envelope.call,
            self._state.clock,
            NO_DEADLINE,
            envelope.number,
            envelope.token,
            b"%016x" % worker.session,
        )
        self._state.actions.append(make_send((client.id, [header, *frames])))

    def answer(self, client: Peer, envelope: Envelope, frames: list[Frame]) -> None:
        """A client answers; if its worker has gone, nobody waits any longer."""
        if session_in(envelope.target) is None:
            # Without its call number: that is the worker's, and the client may have a call of the same.
            self._state.refuse(client.id, "protocol", _NO_TARGET, client.session)
            return
        worker = self._asker(client, envelope)
        if worker is None or not wants_answer(envelope.flags):
            return
        header = pack(
            envelope.kind,
            envelope.flags,
            envelope.buffers,
            client.session,
            envelope.call,
            self._state.clock,
        )
        self._state.actions.append(make_send((worker.id, [header, *frames])))

    def spoilt(self, client: Peer, envelope: Envelope, why: str) -> None:
        """A client's answer cannot be passed on; the worker that waits for it should hear so."""
        worker = self._asker(client, envelope)
        if worker is not None:
            text = f"the client has answered, but its answer is lost: {why}"
            self._state.refuse(worker.id, "unknown-outcome", text, client.session, envelope.call)

    def _asker(self, client: Peer, envelope: Envelope) -> Peer | None:
        """The worker that an answer is for, if this client is one that it can have asked."""
        session = session_in(envelope.target)
        worker = None if session is None else self._state.workers.get(session)
        return worker if worker is not None and worker.id in client.touched else None


_NO_TARGET = "an answer repeats the target of its question, a session as 16 hexadecimal digits"
