"""Who is connected, what they offer, and the calls between them: plain records, changed by the core alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from pyrolab_broker.core.events import Frame, PeerId
from pyrolab_broker.core.queues import FairQueue


class Role(Enum):
    """What a peer may do."""

    CLIENT = "client"
    WORKER = "worker"


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
    #: A worker's own clock (ms) as it last stated it.
    stamp: int = 0
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
    #: Whose events a client gets: object id and topic. The services' own `topics` say the same.
    topics: set[tuple[bytes, int]] = field(default_factory=set)
    #: Until when the transport's suspicion that this peer has gone is checked.
    suspected_until: float = -math.inf

    def __str__(self) -> str:
        host, pid = self.about.get("host", "?"), self.about.get("pid", "?")
        return f"{self.role.value} {self.session:016x} (process {pid} on {host})"


@dataclass(slots=True, eq=False)
class Service:
    """One hosted object."""

    object_id: bytes
    worker: Peer
    #: How many calls the worker takes at a time.
    credit: int
    #: The interface, encoded; passed on unread.
    interface: bytes
    running: int = 0
    queue: FairQueue[Call] = field(default_factory=FairQueue)
    #: The clients that get the events of each topic.
    topics: dict[int, dict[PeerId, Peer]] = field(default_factory=dict)


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
