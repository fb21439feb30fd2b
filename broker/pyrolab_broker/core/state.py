"""All that the broker knows, and the one list into which the parts of the core put what they want done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgpack

from pyrolab.errors import REFUSALS
from pyrolab.protocol.envelope import Envelope, Flag, Kind, pack
from pyrolab_broker.core.events import Action, Frame, PeerId, Send
from pyrolab_broker.core.name_service import NameService
from pyrolab_broker.core.names import NameTable
from pyrolab_broker.core.peers import Peer, Role, Service
from pyrolab_broker.settings import BrokerSettings


class State:
    """Peers, services and names; changed by the parts of the core, inside one `handle` call at a time."""

    def __init__(self, settings: BrokerSettings, identity: str) -> None:
        self.settings = settings
        self.identity = identity
        self.now = 0.0
        self.peers: dict[PeerId, Peer] = {}
        self.clients: dict[int, Peer] = {}
        self.workers: dict[int, Peer] = {}
        self.services: dict[bytes, Service] = {}
        self.queued_bytes = 0
        self.names = NameTable(settings.max_names)
        self.name_service = NameService(self.names, self.services.__contains__)
        self.actions: list[Action] = []
        #: When `Tick` is wanted next, at the latest.
        self.wake_at = 0.0

    @property
    def clock(self) -> int:
        """The broker's clock in ms, as peers echo it."""
        return int(self.now * 1000)

    def sessions(self, role: Role) -> dict[int, Peer]:
        """The connected peers of one role, by session."""
        return self.clients if role is Role.CLIENT else self.workers

    def send(self, peer: PeerId, kind: Kind, frames: Sequence[Frame] = (), **fields: Any) -> None:
        """Have a message of the broker's own sent."""
        self.actions.append(Send(peer, [pack(kind, stamp=self.clock, **fields), *frames]))

    def refuse(
        self, peer: PeerId, code: str, text: str, session: int = 0, call: int = 0, **numbers: Any
    ) -> None:
        """Tell a peer that the message with this call number was not carried out, and why."""
        assert code in REFUSALS, code
        body = msgpack.packb({"code": code, "text": text, **numbers})
        self.send(peer, Kind.REFUSED, [body], session=session, call=call)

    def caller(self, worker: Peer, envelope: Envelope) -> Peer | None:
        """The client that a worker's message is for; None, and refused, if it has not called this worker."""
        client = self.clients.get(envelope.session)
        if client is not None and worker.id in client.touched:
            return client
        if wants_answer(envelope.flags):
            code, text = ("gone", _NO_CLIENT) if client is None else ("denied", _NO_CALLER)
            self.refuse(worker.id, code, text, envelope.session, envelope.call)
        return None

    def wake_by(self, moment: float) -> None:
        """Ask for a `Tick` at `moment` or before."""
        self.wake_at = min(self.wake_at, moment)


def wants_answer(flags: int) -> bool:
    """Whether anybody waits for the answer to a call, or a question, with these flags."""
    return not flags & Flag.ONEWAY


_NO_CLIENT = "no client has this session; it may have left"
_NO_CALLER = "this client has called nothing here; a worker reaches those clients only that have called it"
