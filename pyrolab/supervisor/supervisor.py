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
from pyrolab.supervisor.control import Answer, ControlServer
from pyrolab.supervisor.core import (
    Action,
    AskToEnd,
    Begin,
    Core,
    Ended,
    Event,
    Key,
    Kill,
    Kind,
    Leave,
    Policy,
    Refused,
    Running,
    ServiceReported,
    ServiceState,
    Spawn,
    State,
    StopAsked,
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

log = logging.getLogger("pyrolab.supervisor")

#: The loop wakes at least this often: on Windows a wait cannot be interrupted by Ctrl-C.
_PULSE_S = 0.25
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
        remaining = _PULSE_S if due is None else min(_PULSE_S, max(0.0, due - time.monotonic()))
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
                    log.warning("%s did not finish in time and is killed", action.key)
                    self._children[action.key].kill()
                case Leave():
                    return True
        return False

    def _spawn(self, planned: Planned) -> None:
        key = planned.key
        log.info("starting %s", key)
        child = Child(
            planned.runs,
            planned.told(self._addresses),
            log_file(key.kind.value, key.name),
            self._mark,
            run_directory(),
            on_report=lambda report: self._take_report(key, report),
            on_end=lambda code: self._events.put(Ended(key, code)),
        )
        self._children[key] = child
        self._publish_children()

    def _take_report(self, key: Key, report: Report) -> None:
        log.info("%s reports %s", key, report)
        event = _event_of(key, report)
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
        troubled = process.reason or any(service.reason for service in process.services.values())
        return {
            "kind": key.kind.value,
            "name": key.name,
            "state": process.state.value,
            "pid": child.pid if child and process.state not in _WITHOUT_PROCESS else None,
            "since": time.time() - (time.monotonic() - process.since) if process.since else None,
            "restarts": process.restarts,
            "address": process.address,
            "reason": process.reason,
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
