"""What the supervisor's core is told, what it has done, and the states that it knows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple


class Kind(str, Enum):
    """What a process is."""

    NAMESERVER = "nameserver"
    DAEMON = "daemon"


class Key(NamedTuple):
    """Which process."""

    kind: Kind
    name: str

    def __str__(self) -> str:
        return f"{self.kind.value} {self.name!r}"


class State(str, Enum):
    """Where a process is in its life; the values are what users read."""

    WAITING = "waiting"
    STARTING = "starting"
    RUNNING = "running"
    #: It lives, but its Python has given no pulse for a while.
    HUNG = "hung"
    RESTARTING = "restarting"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


class ServiceState(str, Enum):
    """Where a service is in its life."""

    STARTING = "starting"
    RUNNING = "running"
    #: It can be called, but its instrument cannot be reached.
    OFFLINE = "offline"
    FAILED = "failed"
    STOPPED = "stopped"


class Condition(str, Enum):
    """How a process is doing, in the words in which its broker is told."""

    RESPONSIVE = "responsive"
    HUNG = "hung"
    ENDED = "ended"


@dataclass(frozen=True)
class Begin:
    """Start everything."""


@dataclass(frozen=True)
class Running:
    """A process reports that it does its work, at `address`."""

    key: Key
    address: str = ""


@dataclass(frozen=True)
class Refused:
    """A process reports that it cannot do its work, and why; it will end."""

    key: Key
    reason: str


@dataclass(frozen=True)
class ServiceReported:
    """A daemon reports on one of its services."""

    key: Key
    service: str
    state: ServiceState
    uri: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Pulse:
    """A process's Python runs. Who has given one pulse is expected to give more."""

    key: Key


@dataclass(frozen=True)
class StopHeard:
    """The broker of the name server `home` has made an emergency stop."""

    home: str
    reason: str = ""


@dataclass(frozen=True)
class ResetHeard:
    """The emergency stop of the broker of the name server `home` is over."""

    home: str


@dataclass(frozen=True)
class Ended:
    """A process is gone; `code` as `subprocess` gives it, negative for a signal."""

    key: Key
    code: int


@dataclass(frozen=True)
class StopAsked:
    """Somebody wants everything to end."""


@dataclass(frozen=True)
class Tick:
    """Time has passed."""


Event = (
    Begin | Running | Refused | ServiceReported | Pulse | StopHeard | ResetHeard | Ended | StopAsked | Tick
)


@dataclass(frozen=True)
class Spawn:
    """Start this process."""

    key: Key


@dataclass(frozen=True)
class AskToEnd:
    """Tell this process to finish and go."""

    key: Key


@dataclass(frozen=True)
class Kill:
    """End this process now."""

    key: Key
    reason: str = "it did not finish in time"


@dataclass(frozen=True)
class Tell:
    """Tell the process's broker how it is doing, and for how long it has been silent."""

    key: Key
    condition: Condition
    for_s: float = 0.0


@dataclass(frozen=True)
class Leave:
    """Everything has ended; so may the supervisor."""


Action = Spawn | AskToEnd | Kill | Tell | Leave
