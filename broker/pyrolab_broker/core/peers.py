"""Who is connected, what they offer, and the calls between them: plain records, changed by the core alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from pyrolab.protocol.envelope import Flag
from pyrolab_broker.core.events import Frame, PeerId
from pyrolab_broker.core.limiting import Bucket
from pyrolab_broker.core.queues import FairQueue
from pyrolab_broker.core.statistics import Statistics


class Role(Enum):
    """What a peer may do."""

    CLIENT = "client"
    WORKER = "worker"
    LINE = "line"  #: a worker's second connection, which never carries bulk
    WATCH = "watch"  #: what looks after the processes of a computer
    VIEWER = "viewer"  #: who watches streams through the broker
    SOURCE = "source"  #: a worker's connection for its streams through the broker


class CallState(Enum):
    """Where a call is."""

    WAITING = "waiting"  #: in the queue; provably not started
    RUNNING = "running"  #: handed to the worker; may have started
    ANSWERED = "answered"  #: the client has its answer, the worker may still be busy


@dataclass(slots=True, eq=False)
class Peer:
    """One connected session."""

    id: PeerId
    session: int
    role: Role
    about: dict[str, Any]
    since: float
    heard: float
    #: A worker's own clock (ms) as it last stated it, and when that was (s).
    stamp: int = 0
    stamped: float = 0.0
    #: The newest call number of a client; numbers only rise, so a replayed message is refused.
    newest_call: int = 0
    #: A client's unanswered calls by number.
    calls: dict[int, Call] = field(default_factory=dict)
    #: A worker's unfinished calls by session and number.
    running: dict[tuple[int, int], Call] = field(default_factory=dict)
    #: A worker's services by object id.
    services: dict[bytes, Service] = field(default_factory=dict)
    #: The connected workers that have been handed calls of this client, and know of it by BEGUN.
    touched: set[PeerId] = field(default_factory=set)
    #: Whose events a client gets: object id, and worker's session and topic. `Service.topics` says the same.
    topics: set[tuple[bytes, tuple[int, int]]] = field(default_factory=set)
    #: When it was last probed because of its silence.
    probed: float = -math.inf
    #: Until when the transport's suspicion that this peer has gone is checked.
    suspected_until: float = -math.inf
    #: What names a worker across its connections; nobody else knows it.
    key: bytes = b""
    #: The worker of a line, or a source.
    main: Peer | None = None
    #: A worker's line, and its source.
    line: Peer | None = None
    source: Peer | None = None
    #: The viewers of a source, or the sources of a viewer, by session.
    attached: dict[int, Peer] = field(default_factory=dict)
    #: Whether a worker's Python has given signs of life.
    responsive: bool = True
    #: What the watch of its computer last said of a worker's process.
    report: dict[str, Any] = field(default_factory=dict)
    #: A connection for an emergency stop, which takes no place in the pool.
    urgent: bool = False
    #: Calls of a client that may wait or run.
    max_calls: int = 0
    #: How often a client may call; None: as often as it likes.
    bucket: Bucket | None = None
    #: The tokens of the reservations that a client renews by living.
    tokens: set[int] = field(default_factory=set)

    @property
    def worker(self) -> Peer:
        """For whom it speaks: a line for its worker, everybody else for themselves."""
        return self if self.main is None or self.role is not Role.LINE else self.main

    def __str__(self) -> str:
        host, pid = self.about.get("host", "?"), self.about.get("pid", "?")
        return f"{self.role.value} {self.session:016x} (process {pid} on {host})"


@dataclass(slots=True, eq=False)
class Host:
    """A worker that hosts an object."""

    worker: Peer
    #: How many calls it takes at a time.
    credit: int
    running: int = 0


@dataclass(slots=True, eq=False)
class Grant:
    """Services that one client has for itself."""

    token: int
    services: tuple[bytes, ...]
    user: str
    #: Who that is, for people: user, computer, process.
    holder: str
    #: When it was granted (Unix time).
    since: float
    #: A transaction makes others wait; a reservation refuses them.
    is_transaction: bool = False
    #: The moment at which it ends, whatever its owner does.
    ends: float = math.inf
    #: When its owner was last known to live.
    renewed: float = 0.0
    #: The sessions that have shown its token.
    sessions: set[int] = field(default_factory=set)
    #: Which request it answers: session and number.
    asked: tuple[int, int] = (0, 0)


@dataclass(slots=True, eq=False)
class Service:
    """One hosted object, and the queue in front of it."""

    object_id: bytes
    #: Who hosts it: one worker, or several if it is a pool.
    hosts: list[Host]
    #: The interface, encoded; passed on unread.
    interface: bytes
    #: Calls that may wait.
    max_queue: int
    is_pool: bool = False
    #: Whether each client's calls go to one worker of the pool.
    is_sticky: bool = False
    #: Which worker of a pool keeps something for which client.
    pinned: dict[int, Host] = field(default_factory=dict)
    #: Urgent calls that run.
    urgent: int = 0
    queue: FairQueue[Call] = field(default_factory=lambda: FairQueue(_is_bulk))
    #: The clients that get the events of each topic, by the worker's session and the topic's number.
    topics: dict[tuple[int, int], dict[PeerId, Peer]] = field(default_factory=dict)
    #: Who has it for itself.
    grant: Grant | None = None
    transaction: Grant | None = None
    #: How many transactions wait for it to be idle.
    awaited: int = 0
    #: What each call states to the worker: the token of the newest grant.
    fence: int = 0
    statistics: Statistics = field(default_factory=Statistics)

    @property
    def running(self) -> int:
        """The calls that its workers have."""
        return sum(host.running for host in self.hosts)

    @property
    def credit(self) -> int:
        """The calls that its workers take at a time."""
        return sum(host.credit for host in self.hosts)

    def free_host(self, session: int) -> Host | None:
        """A worker that takes a call of this client now."""
        hosts = self.hosts
        if len(hosts) == 1:
            host = hosts[0]
            return host if host.running < host.credit else None
        pinned = self.pinned.get(session)
        host = pinned or max(hosts, key=_room)
        return host if host.running < host.credit else None

    def host_of(self, worker: Peer) -> Host | None:
        """This worker as a host."""
        return next((host for host in self.hosts if host.worker is worker), None)


def _room(host: Host) -> int:
    return host.credit - host.running


@dataclass(slots=True, eq=False)
class Call:
    """One call on its way."""

    client: Peer
    number: int
    service: Service
    flags: int
    token: int
    buffers: int
    frames: Sequence[Frame]
    expires: float
    state: CallState = CallState.WAITING
    size: int = 0
    #: The worker that has it.
    host: Host | None = None
    #: When it was handed over.
    started: float = 0.0
    #: The connection by which it went, and a cancel will go.
    via: PeerId = b""

    @property
    def reads(self) -> bool:
        """Whether its client says that it changes nothing."""
        return bool(self.flags & Flag.READ)


def _is_bulk(call: Call) -> bool:
    """Whether other clients' small calls go first."""
    return call.size >= BULK_BYTES


#: A call with so many bytes is bulk.
BULK_BYTES = 256 * 1024
