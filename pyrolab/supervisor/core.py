"""The supervisor's decisions, without processes, clocks or files: events in, actions out.

Time is an argument. This file does not know how a process is started or how it reports. It is told
something at least every `TICK_S`; if it is not, then the supervisor itself did not run.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from typing_extensions import assert_never

from pyrolab.supervisor.events import (
    Action,
    AskToEnd,
    Begin,
    Condition,
    Ended,
    Event,
    Key,
    Kill,
    Kind,
    Leave,
    Pulse,
    Refused,
    ResetHeard,
    Running,
    ServiceReported,
    ServiceState,
    Spawn,
    State,
    StopAsked,
    StopHeard,
    Tell,
    Tick,
)
from pyrolab.supervisor.vigil import Uptime, Vigil, WhenStuck


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
    #: How long a process may take to finish before it is killed; a call that runs has 10 s of it.
    grace_s: float = 13.0
    #: How often a broker is told of a process that it is still hung.
    tell_every_s: float = 2.0


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
    when_stuck: WhenStuck = field(default_factory=WhenStuck)
    #: The name server whose broker it is connected to.
    home: str = ""
    state: State = State.WAITING
    since: float = 0.0
    address: str = ""
    reason: str = ""
    restarts: int = 0
    starts: list[float] = field(default_factory=list)
    has_run: bool = False
    #: Whether it has come up since it was last started.
    is_up: bool = False
    due: float | None = None
    #: From its first pulse on.
    vigil: Vigil | None = None
    #: When its broker was last told that it is hung, in the supervisor's uptime.
    told: float = 0.0
    #: Why it has been killed, until it has ended.
    sentence: str = ""


ALIVE = (State.STARTING, State.RUNNING, State.HUNG, State.STOPPING)
_AT_WORK = (State.STARTING, State.RUNNING, State.HUNG)


class Core:
    """Everything that the supervisor knows and decides."""

    def __init__(self, processes: Iterable[Process], policy: Policy | None = None) -> None:
        self.processes = {process.key: process for process in processes}
        self.policy = policy or Policy()
        self.stopping = False
        self._uptime = Uptime()

    @property
    def settled(self) -> bool:
        """Whether every process, and every service in it, has come up or failed."""
        return all(_is_settled(process) for process in self.processes.values())

    @property
    def wake_at(self) -> float | None:
        """When a `Tick` is due that should not wait for `TICK_S`."""
        return min(
            (process.due for process in self.processes.values() if process.due is not None), default=None
        )

    def handle(self, event: Event, now: float) -> list[Action]:
        """Take in what happened; returns what is to be done, in order."""
        self._uptime.advance(now)
        actions = self._take_in(event, now)
        for process in self.processes.values():
            actions += self._look_after(process, now)
        return actions

    def reason(self, key: Key) -> str:
        """Why a process is in the state in which it is, as users read it."""
        process = self.processes[key]
        if process.state is not State.HUNG or process.vigil is None:
            return process.reason
        silent_s = process.vigil.silent_s(self._uptime.s)
        hung = f"its Python has not run for {silent_s:.0f} s: a library holds it, or it is stopped"
        return process.sentence or hung

    def _take_in(self, event: Event, now: float) -> list[Action]:
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
            case Pulse():
                return self._pulse(self.processes[event.key], now)
            case StopHeard() | ResetHeard():
                self._note_emergency(event)
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
        process.is_up = False
        process.services = {name: Service() for name in process.services}
        return [Spawn(process.key)]

    def _running(self, process: Process, address: str, now: float) -> list[Action]:
        process.address = address
        process.has_run = process.is_up = True
        if process.state is State.STARTING:
            _move(process, State.RUNNING, now)
        return [] if self.stopping else self._start_ready_ones(now)

    def _note_service(self, event: ServiceReported) -> None:
        services = self.processes[event.key].services
        services[event.service] = Service(event.state, event.uri, event.reason)

    # -- pulses ----------------------------------------------------------------------------------------

    def _pulse(self, process: Process, now: float) -> list[Action]:
        first = process.vigil is None
        if process.vigil is None:
            process.vigil = Vigil(process.when_stuck, self._uptime.s)
        process.vigil.pulse(self._uptime.s)
        back = process.state is State.HUNG and not process.sentence
        if back:
            _move(process, State.RUNNING if process.is_up else State.STARTING, now)
        return [Tell(process.key, Condition.RESPONSIVE)] if first or back else []

    def _note_emergency(self, event: StopHeard | ResetHeard) -> None:
        for process in self.processes.values():
            if process.vigil is None or process.home != event.home:
                continue
            if isinstance(event, StopHeard):
                process.vigil.emergency(event.reason, self._uptime.s)
            else:
                process.vigil.emergency_is_over()

    def _look_after(self, process: Process, now: float) -> list[Action]:
        """See whether a process is hung, and what is to be done about it."""
        vigil, uptime = process.vigil, self._uptime.s
        if vigil is None or process.sentence or process.state not in _AT_WORK:
            return []
        process.sentence = vigil.sentence(uptime)
        actions: list[Action] = []
        if process.state is State.HUNG:
            due = uptime >= process.told + self.policy.tell_every_s
        else:
            due = vigil.is_hung(uptime) or bool(process.sentence)
            if due:
                _move(process, State.HUNG, now)
        if due:
            process.told = uptime
            actions.append(Tell(process.key, Condition.HUNG, vigil.silent_s(uptime)))
        if process.sentence:
            actions.append(Kill(process.key, process.sentence))
        return actions

    # -- ends ------------------------------------------------------------------------------------------

    def _ended(self, process: Process, code: int, now: float) -> list[Action]:
        told: list[Action] = [Tell(process.key, Condition.ENDED)] if process.vigil is not None else []
        process.vigil = None
        for service in process.services.values():
            service.state, service.uri = ServiceState.STOPPED, ""
        if self.stopping:
            _move(process, State.STOPPED, now)
            return told + self._stop_next(now)
        return told + self._try_again_or_fail(process, code, now)

    def _try_again_or_fail(self, process: Process, code: int, now: float) -> list[Action]:
        sentence, process.sentence = process.sentence, ""
        reason = sentence or process.reason or ended_because(code)
        if not process.has_run and process.reason and not sentence:
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
    up = process.is_up if process.state in _AT_WORK else process.state in (State.FAILED, State.STOPPED)
    return up and ServiceState.STARTING not in states


def ended_because(code: int) -> str:
    """An exit code in words."""
    if code < 0:
        return f"it was ended by signal {-code}"
    return f"it ended with exit code {code}"


def _move(process: Process, state: State, now: float) -> None:
    process.state, process.since, process.due = state, now, None
