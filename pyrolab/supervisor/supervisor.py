"""The supervisor: starts the planned processes, watches them, answers commands, ends them all.

Threads (one for each process, one for each command) only put what they learn into a queue; the loop asks the
core what to do about it. No decision is taken here.
"""

from __future__ import annotations

import logging
import os
import queue
import secrets
import time
from collections.abc import Callable, Sequence

from pyrolab.config.places import private_directory, run_directory
from pyrolab.protocol.names import Location
from pyrolab.supervisor.control import Answer, ControlServer
from pyrolab.supervisor.core import Core, Policy
from pyrolab.supervisor.events import (
    Action,
    AskToEnd,
    Begin,
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
from pyrolab.supervisor.guardian import Guardian
from pyrolab.supervisor.instance import (
    InstanceLock,
    Record,
    end_processes,
    forget_record,
    read_record,
    write_record,
)
from pyrolab.supervisor.launch import Child, Report
from pyrolab.supervisor.logs import last_lines, log_file
from pyrolab.supervisor.plan import Planned
from pyrolab.supervisor.vigil import TICK_S
from pyrolab.supervisor.watch import Watch

log = logging.getLogger("pyrolab.supervisor")

_ANSWER_PATIENCE_S = 10.0


class AlreadyRunning(Exception):
    """Another supervisor of this user holds the lock."""


class Supervisor:
    """Runs planned processes until somebody wants it to stop.

    `config` is what commands show as the source of the plan. `mark` stands in this process's command line.
    """

    def __init__(
        self, planned: Sequence[Planned], config: str, mark: str = "", policy: Policy | None = None
    ) -> None:
        self._planned = {process.key: process for process in planned}
        self._core = Core([process.process() for process in planned], policy)
        self._config = config
        self._mark = mark or secrets.token_hex(8)
        self._started = time.time()
        self._children: dict[Key, Child] = {}
        self._guardian = Guardian(self._mark, run_directory())
        self._events: queue.SimpleQueue[Event | _Question] = queue.SimpleQueue()
        self._record: Record | None = None
        #: Where the name servers that run here can be reached.
        self._addresses: dict[str, str] = {}
        #: The connections to the brokers of the daemons, by the names of their name servers.
        self._watches: dict[str, Watch] = {}

    def stop(self) -> None:
        """Have everything end; safe from any thread and from a signal handler."""
        self._events.put(StopAsked())

    def run(self, on_change: Callable[[Answer], object] | None = None) -> None:
        """Run until everything has ended. `on_change` gets the status after each event.

        Raises `AlreadyRunning` if another supervisor of this user runs.
        """
        with InstanceLock() as lock:
            if not lock.acquire():
                raise AlreadyRunning("another supervisor of this user runs already")
            _clean_up_after_the_last(self._core.policy.grace_s)
            control = ControlServer(self._answer)
            try:
                self._publish(control)
                self._loop(on_change)
            finally:
                control.close()
                self._end_abruptly()
                for watch in self._watches.values():
                    watch.close()
                self._guardian.dismiss()
                forget_record()

    def _loop(self, on_change: Callable[[Answer], object] | None) -> None:
        leaving = self._carry_out(self._core.handle(Begin(), time.monotonic()))
        while not leaving:
            if on_change is not None:
                on_change(self._status())
            event = self._next_event()
            if isinstance(event, _Question):
                leaving = self._reply(event)
            else:
                self._note_address(event)
                leaving = self._carry_out(self._core.handle(event, time.monotonic()))
        if on_change is not None:
            on_change(self._status())

    def _next_event(self) -> Event | _Question:
        due = self._core.wake_at
        remaining = TICK_S if due is None else min(TICK_S, max(0.0, due - time.monotonic()))
        try:
            return self._events.get(timeout=remaining)
        except queue.Empty:
            return Tick()

    def _note_address(self, event: Event) -> None:
        if isinstance(event, Running) and event.key.kind is Kind.NAMESERVER:
            self._addresses[event.key.name] = event.address

    def _carry_out(self, actions: list[Action]) -> bool:
        """Do what the core decided; returns whether the supervisor may leave."""
        for action in actions:
            match action:
                case Spawn():
                    self._spawn(self._planned[action.key])
                case AskToEnd():
                    self._children[action.key].ask_to_end()
                case Kill():
                    log.warning("%s is killed: %s", action.key, action.reason)
                    self._children[action.key].kill()
                case Tell():
                    self._tell(action)
                case Leave():
                    return True
        return False

    def _spawn(self, planned: Planned) -> None:
        key, told = planned.key, planned.told(self._addresses)
        log.info("starting %s", key)
        if planned.home:
            self._watch(planned.home, Location.parse(told["locations"][planned.home]))
        child = Child(
            planned.runs,
            told,
            log_file(key.kind.value, key.name),
            self._mark,
            run_directory(),
            on_report=lambda report: self._take_report(key, report),
            on_end=lambda code: self._events.put(Ended(key, code)),
        )
        self._children[key] = child
        self._publish_children()

    def _watch(self, home: str, location: Location) -> None:
        """Have a connection to the broker of the name server `home`."""
        watch = self._watches.get(home)
        if watch is not None and watch.location == location:
            return
        if watch is not None:
            watch.close()
        self._watches[home] = Watch(
            location,
            home,
            on_stop=lambda reason: self._events.put(StopHeard(home, reason)),
            on_reset=lambda: self._events.put(ResetHeard(home)),
        )

    def _tell(self, action: Tell) -> None:
        watch = self._watches.get(self._planned[action.key].home)
        if watch is not None:
            watch.report(self._children[action.key].pid, action.key.name, action.condition, action.for_s)

    def _take_report(self, key: Key, report: Report) -> None:
        event = _event_of(key, report)
        if not isinstance(event, Pulse):
            log.info("%s reports %s", key, report)
        if event is not None:
            self._events.put(event)

    def _publish(self, control: ControlServer) -> None:
        self._record = Record(
            os.getpid(), control.port, control.secret, self._mark, self._config, self._started
        )
        write_record(self._record)

    def _publish_children(self) -> None:
        assert self._record is not None
        pids = [child.pid for child in self._children.values()]
        self._record = Record(**{**vars(self._record), "children": pids})
        write_record(self._record)
        self._guardian.watch(pids)

    def _end_abruptly(self) -> None:
        """Whatever still runs now (the loop has failed) ends with its lifeline or is killed."""
        for child in self._children.values():
            child.ask_to_end()
        for key, child in self._children.items():
            if self._core.processes[key].state is not State.STOPPED:
                child.kill()
            child.wait()

    def _answer(self, command: str) -> Answer:
        """Called in a thread of the control server."""
        question = _Question(command)
        self._events.put(question)
        try:
            return question.reply.get(timeout=_ANSWER_PATIENCE_S)
        except queue.Empty:
            return {"error": "the supervisor is busy; try again"}

    def _reply(self, question: _Question) -> bool:
        if question.command not in ("status", "stop"):
            question.reply.put({"error": f"there is no command {question.command!r}"})
            return False
        leaving = False
        if question.command == "stop":
            leaving = self._carry_out(self._core.handle(StopAsked(), time.monotonic()))
        question.reply.put(self._status())
        return leaving

    def _status(self) -> Answer:
        """What commands show; the keys are stable, `version` counts changes to them."""
        return {
            "version": 1,
            "config": self._config,
            "started": self._started,
            "settled": self._core.settled,
            "stopping": self._core.stopping,
            "processes": [self._status_of(key) for key in self._planned],
        }

    def _status_of(self, key: Key) -> Answer:
        process = self._core.processes[key]
        child = self._children.get(key)
        reason = self._core.reason(key)
        troubled = reason or any(service.reason for service in process.services.values())
        return {
            "kind": key.kind.value,
            "name": key.name,
            "state": process.state.value,
            "pid": child.pid if child and process.state not in _WITHOUT_PROCESS else None,
            "since": time.time() - (time.monotonic() - process.since) if process.since else None,
            "restarts": process.restarts,
            "address": process.address,
            "reason": reason,
            "log": str(log_file(key.kind.value, key.name)),
            "last_lines": last_lines(child.log, since=child.log_start) if child and troubled else [],
            "services": [
                {"name": name, "state": service.state.value, "uri": service.uri, "reason": service.reason}
                for name, service in process.services.items()
            ],
        }


_WITHOUT_PROCESS = (State.WAITING, State.RESTARTING, State.STOPPED, State.FAILED)


class _Question:
    """A command that waits for its answer."""

    def __init__(self, command: str) -> None:
        self.command = command
        self.reply: queue.SimpleQueue[Answer] = queue.SimpleQueue()


def _event_of(key: Key, report: Report) -> Event | None:
    """A report of a process as an event; None for one that is not understood."""
    match report:
        case {"report": "pulse"}:
            return Pulse(key)
        case {"report": "running", "address": str(address)}:
            return Running(key, address)
        case {"report": "refused", "reason": str(reason)}:
            return Refused(key, reason)
        case {"report": "service", "name": str(name), "state": str(state), **rest}:
            uri, reason = str(rest.get("uri", "")), str(rest.get("reason", ""))
            return ServiceReported(key, name, ServiceState(state), uri, reason)
        case _:
            log.warning("%s sent a report that is not understood: %s", key, report)
            return None


def _clean_up_after_the_last(grace_s: float) -> None:
    private_directory(run_directory())
    last = read_record()
    if last is None:
        return
    killed = end_processes(last.children, last.mark, grace_s)
    if killed:
        log.warning("killed what a dead supervisor had left: processes %s", killed)
    forget_record()
