"""All that the broker knows, and the one list into which the parts of the core put what they want done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgpack

from pyrolab.errors import REFUSALS
from pyrolab.protocol.emergency import Stop
from pyrolab.protocol.envelope import Envelope, Flag, Kind, pack
from pyrolab_broker.core.bodies import as_text
from pyrolab_broker.core.events import Action, Frame, Note, PeerId, Record, Send, Store
from pyrolab_broker.core.names import NameTable
from pyrolab_broker.core.peers import Grant, Peer, Role, Service
from pyrolab_broker.settings import BrokerSettings

#: What was kept for the time after a restart: tables of values by key.
Stored = Mapping[str, Mapping[str, Any]]


class State:
    """Peers, services and names; changed by the parts of the core, inside one `handle` call at a time.

    `epoch` is the Unix time at which the core's clock was 0; it is for people to read, nothing depends on it.
    """

    def __init__(
        self, settings: BrokerSettings, identity: str, stored: Stored | None = None, epoch: float = 0.0
    ) -> None:
        self.settings = settings
        self.identity = identity
        self.stored: Stored = stored or {}
        self.epoch = epoch
        self.now = 0.0
        self.peers: dict[PeerId, Peer] = {}
        self.clients: dict[int, Peer] = {}
        self.workers: dict[int, Peer] = {}
        self.lines: dict[int, Peer] = {}
        self.watches: dict[int, Peer] = {}
        self.viewers: dict[int, Peer] = {}
        self.sources: dict[int, Peer] = {}
        self.services: dict[bytes, Service] = {}
        self.queued_bytes = 0
        self.names = NameTable(settings.max_names, self._keep_name)
        self.names.load(self.stored.get("names", {}))
        #: Who has which object for itself.
        self.reserved: dict[bytes, Grant] = {}
        self.transactions: dict[bytes, Grant] = {}
        self.stop: Stop | None = None
        self.actions: list[Action] = []
        #: When `Tick` is wanted next, at the latest.
        self.wake_at = 0.0

    @property
    def clock(self) -> int:
        """The broker's clock in ms, as peers echo it."""
        return int(self.now * 1000)

    @property
    def wall(self) -> float:
        """The time of day (Unix time in s), for people."""
        return self.epoch + self.now

    def called(self, object_id: bytes) -> str:
        """An object as people know it: by its name, if it has one."""
        shown = as_text(object_id)
        return next(iter(self.names.of_object(shown)), shown)

    def sessions(self, role: Role) -> dict[int, Peer]:
        """The connected peers of one role, by session."""
        match role:
            case Role.CLIENT:
                return self.clients
            case Role.WORKER:
                return self.workers
            case Role.LINE:
                return self.lines
            case Role.WATCH:
                return self.watches
            case Role.VIEWER:
                return self.viewers
            case Role.SOURCE:
                return self.sources

    def _keep_name(self, name: str, value: Any) -> None:
        self.actions.append(Store("names", name, value))

    def note(self, level: int, text: str, *arguments: Any) -> None:
        """Have something written into the log."""
        self.actions.append(Note(level, text, arguments))

    def record(self, what: str, **facts: Any) -> None:
        """Have something written into the audit log."""
        self.actions.append(Record(what, facts))

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
