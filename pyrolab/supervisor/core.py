"""The supervisor's decisions, without processes, clocks or files: events in, actions out.

Time is an argument. This file does not know how a process is started or how it reports.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from typing_extensions import assert_never


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
    RESTARTING = "restarting"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


class ServiceState(str, Enum):
    """Where a service is in its life."""

    STARTING = "starting"
    RUNNING = "running"
    FAILED = "failed"
    STOPPED = "stopped"


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


Event = Begin | Running | Refused | ServiceReported | Ended | StopAsked | Tick


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


@dataclass(frozen=True)
class Leave:
    """Everything has ended; so may the supervisor."""


Action = Spawn | AskToEnd | Kill | Leave


@dataclass(frozen=True)
class Policy:
    """How patient the supervisor is; seconds."""

    first_delay_s: float = 0.5
    longest_delay_s: float = 30.0
    #: This many starts within the window are a crash loop, and the end of trying.
    crash_limit: int = 5
    #: The same for a process that has never come up: trying again is less likely to help.
    first_limit: int = 2
    crash_window_s: float = 60.0
    #: How long a process may take to finish before it is killed.
    grace_s: float = 10.0


@dataclass
class Service:
    """What is known of a service."""

    state: ServiceState = ServiceState.STARTING
    uri: str = ""
    reason: str = ""


@dataclass
class Process:
    """What is known of a process."""

    key: Key
    needs: tuple[Key, ...] = ()
    services: dict[str, Service] = field(default_factory=dict)
    state: State = State.WAITING
    since: float = 0.0
    address: str = ""
    reason: str = ""
    restarts: int = 0
    starts: list[float] = field(default_factory=list)
    has_run: bool = False
    due: float | None = None


ALIVE = (State.STARTING, State.RUNNING, State.STOPPING)
_STARTED_UP = (State.RUNNING, State.FAILED, State.STOPPED)


class Core:
    """Everything that the supervisor knows and decides."""

    def __init__(self, processes: Iterable[Process], policy: Policy | None = None) -> None:
        self.processes = {process.key: process for process in processes}
        self.policy = policy or Policy()
        self.stopping = False

    @property
    def settled(self) -> bool:
        """Whether every process, and every service in it, has come up or failed."""
        return all(_is_settled(process) for process in self.processes.values())

    @property
    def wake_at(self) -> float | None:
        """When the next `Tick` is due."""
        return min(
            (process.due for process in self.processes.values() if process.due is not None), default=None
        )

    def handle(self, event: Event, now: float) -> list[Action]:
        """Take in what happened; returns what is to be done, in order."""
        match event:
            case Begin():
                return self._start_ready_ones(now)
            case Running():
                return self._running(self.processes[event.key], event.address, now)
            case Refused():
                self.processes[event.key].reason = event.reason
                return []
            case ServiceReported():
                self._note_service(event)
                return []
            case Ended():
                return self._ended(self.processes[event.key], event.code, now)
            case StopAsked():
                self.stopping = True
                return self._stop_next(now)
            case Tick():
                return self._tick(now)
            case _:
                assert_never(event)

    def _start_ready_ones(self, now: float) -> list[Action]:
        actions: list[Action] = []
        for process in self.processes.values():
            if process.state is State.WAITING:
                actions += self._start_if_ready(process, now)
        return actions

    def _start_if_ready(self, process: Process, now: float) -> list[Action]:
        needs = [self.processes[key] for key in process.needs if key in self.processes]
        failed = [need for need in needs if need.state is State.FAILED]
        if failed:
            self._fail(process, f"it needs {failed[0].key}, which has failed", now)
            return []
        return self._start(process, now) if all(need.has_run for need in needs) else []

    def _start(self, process: Process, now: float) -> list[Action]:
        _move(process, State.STARTING, now)
        process.starts = [start for start in process.starts if now - start < self.policy.crash_window_s]
        process.starts.append(now)
        process.reason = process.address = ""
        process.services = {name: Service() for name in process.services}
        return [Spawn(process.key)]

    def _running(self, process: Process, address: str, now: float) -> list[Action]:
        process.address = address
        process.has_run = True
        if process.state is State.STARTING:
            _move(process, State.RUNNING, now)
        return [] if self.stopping else self._start_ready_ones(now)

    def _note_service(self, event: ServiceReported) -> None:
        services = self.processes[event.key].services
        services[event.service] = Service(event.state, event.uri, event.reason)

    def _ended(self, process: Process, code: int, now: float) -> list[Action]:
        for service in process.services.values():
            service.state, service.uri = ServiceState.STOPPED, ""
        if self.stopping:
            _move(process, State.STOPPED, now)
            return self._stop_next(now)
        reason = process.reason or ended_because(code)
        if not process.has_run and process.reason:
            self._fail(process, reason, now)  # it said itself that it cannot: trying again would not help
        elif len(process.starts) >= (self.policy.crash_limit if process.has_run else self.policy.first_limit):
            window = self.policy.crash_window_s
            self._fail(process, f"{reason}, {len(process.starts)} times within {window:g} s", now)
        else:
            self._restart_later(process, reason, now)
            return []
        return self._start_ready_ones(now)

    def _restart_later(self, process: Process, reason: str, now: float) -> None:
        delay = self.policy.first_delay_s * 2 ** (len(process.starts) - 1)
        _move(process, State.RESTARTING, now)
        process.reason = reason
        process.restarts += 1
        process.due = now + min(delay, self.policy.longest_delay_s)

    def _fail(self, process: Process, reason: str, now: float) -> None:
        _move(process, State.FAILED, now)
        process.reason = reason
        for service in process.services.values():
            service.state, service.reason = ServiceState.FAILED, service.reason or reason

    def _stop_next(self, now: float) -> list[Action]:
        """Daemons first, so that they can still say goodbye to their brokers."""
        for process in self.processes.values():
            if process.state in (State.WAITING, State.RESTARTING):
                _move(process, State.STOPPED, now)
        for kind in (Kind.DAEMON, Kind.NAMESERVER):
            alive = [p for p in self.processes.values() if p.key.kind is kind and p.state in ALIVE]
            if alive:
                return [action for process in alive for action in self._ask_to_end(process, now)]
        return [Leave()]

    def _ask_to_end(self, process: Process, now: float) -> list[Action]:
        if process.state is State.STOPPING:
            return []
        _move(process, State.STOPPING, now)
        process.due = now + self.policy.grace_s
        return [AskToEnd(process.key)]

    def _tick(self, now: float) -> list[Action]:
        actions: list[Action] = []
        for process in self.processes.values():
            if process.due is None or now < process.due:
                continue
            process.due = None
            if process.state is State.STOPPING:
                actions.append(Kill(process.key))
            elif process.state is State.RESTARTING:
                actions += self._start(process, now)
        return actions


def _is_settled(process: Process) -> bool:
    states = {service.state for service in process.services.values()}
    return process.state in _STARTED_UP and ServiceState.STARTING not in states


def ended_because(code: int) -> str:
    """An exit code in words."""
    if code < 0:
        return f"it was ended by signal {-code}"
    return f"it ended with exit code {code}"


def _move(process: Process, state: State, now: float) -> None:
    process.state, process.since, process.due = state, now, None
