"""Emergency stop: hooks run beside whatever runs, and nothing but reading begins until the reset."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from pyrolab.api import Daemon, behavior, current_call, expose, urgent
from pyrolab.protocol.envelope import Flag, Kind
from pyrolab.worker.daemon import Daemon as WorkerDaemon
from services.stage import PATIENCE_S, Stage
from stand_in_broker import CLIENT, StandInBroker


@pytest.fixture
def stage(daemon: Daemon) -> Stage:
    made = Stage()
    daemon.register(made, "stage")
    return made


class Trail:
    """An audit log that keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[tuple[str, dict[str, Any]]] = []

    def begun(self, **facts: Any) -> None: ...

    def ended(self, **facts: Any) -> None: ...

    def note(self, what: str, **facts: Any) -> None:
        self.notes.append((what, facts))


@behavior(credit=4)
class Roomy(Stage):
    """Takes several calls at a time."""


def test_a_stop_ends_what_runs_refuses_what_waits_and_runs_the_hook(
    broker: StandInBroker, daemon: Daemon
) -> None:
    stage = Roomy()
    daemon.register(stage, "stage")
    running = broker.call("stage", ["move"], 1.0)
    assert stage.moving.wait(PATIENCE_S)
    waiting = [broker.call("stage", ["step"], 2.0), broker.call("stage", ["nudge"], flags=Flag.ONEWAY)]
    read = broker.call("stage", ["where"], flags=Flag.READ)
    broker.stop(5)
    assert broker.stopped("stage") == {"state": "begun", "hook": "panic", "text": ""}
    assert broker.stopped("stage") == {"state": "ended", "hook": "panic", "text": ""}
    assert broker.answer(running).value == "cancelled"
    assert [broker.answer(number).code for number in waiting] == ["stopped", "stopped"]
    assert broker.answer(read).value == [1.0]
    assert stage.moves == [1.0]
    assert stage.stops == 1


def test_the_hook_waits_for_nothing(broker: StandInBroker, daemon: Daemon) -> None:
    class Stubborn(Stage):
        """Its move cannot be cancelled, and neither can its cancel hook."""

        @expose
        def move(self, to: float) -> str:
            self.moving.set()
            assert self.go_on.wait(PATIENCE_S)
            return "arrived"

    stubborn, other = Stubborn(), Stage()
    daemon.register(stubborn, "stubborn")
    daemon.register(other, "other")
    running = broker.call("stubborn", ["move"], 1.0)
    assert stubborn.moving.wait(PATIENCE_S)
    broker.stop()
    for name in ("stubborn", "other"):
        assert broker.stopped(name)["state"] == "begun"
        assert broker.stopped(name)["state"] == "ended"
    assert stubborn.moving.is_set(), "the call is still running"
    stubborn.go_on.set()
    assert broker.answer(running).value == "arrived"


def test_a_cancel_hook_that_takes_its_time_keeps_no_stop_waiting(
    broker: StandInBroker, daemon: Daemon
) -> None:
    hanging, go_on = threading.Event(), threading.Event()

    class Slow(Stage):
        """It takes its time to be cancelled."""

        @expose
        @urgent
        def linger(self) -> bool:
            current_call().on_cancel(hanging.set)
            current_call().on_cancel(lambda: go_on.wait(PATIENCE_S))
            self.urgent_calls.set()
            return go_on.wait(PATIENCE_S)

    slow = Slow()
    daemon.register(slow, "slow")
    number = broker.urgent("slow", ["linger"])
    assert slow.urgent_calls.wait(PATIENCE_S)
    broker.send("line", Kind.CANCEL, session=CLIENT, call=number, target=b"slow")
    assert hanging.wait(PATIENCE_S)
    broker.stop()
    assert [broker.stopped("slow")["state"] for _ in range(2)] == ["begun", "ended"]
    go_on.set()
    assert broker.answer(number).value is True


def test_one_hook_does_not_wait_for_another(broker: StandInBroker, daemon: Daemon) -> None:
    both = threading.Barrier(3)

    class Hanging:
        def stop(self) -> None:
            both.wait(PATIENCE_S)

    for number in range(3):
        daemon.register(Hanging(), f"hanging{number}")
    broker.stop()
    for number in range(3):
        assert [broker.stopped(f"hanging{number}")["state"] for _ in range(2)] == ["begun", "ended"]


def test_each_client_s_instance_is_stopped(broker: StandInBroker, daemon: Daemon) -> None:
    made: list[Any] = []

    @behavior(instance_mode="session")
    @expose
    class Mine:
        def __init__(self) -> None:
            self.stops = 0
            made.append(self)

        def work(self) -> int:
            return 1

        def stop(self) -> None:
            self.stops += 1

    daemon.register(Mine, "mine")
    for session in (11, 12):
        broker.ask("mine", ["work"], session=session)
    broker.stop()
    assert sorted(broker.stopped("mine")["state"] for _ in range(4)) == ["begun", "begun", "ended", "ended"]
    assert [each.stops for each in made] == [1, 1]


def test_the_instance_of_a_running_call_is_stopped(broker: StandInBroker, daemon: Daemon) -> None:
    stopped, working = threading.Event(), threading.Event()

    @behavior(instance_mode="percall")
    @expose
    class PerCall:
        def work(self) -> bool:
            working.set()
            return stopped.wait(PATIENCE_S)

        def stop(self) -> None:
            stopped.set()

    daemon.register(PerCall, "percall")
    broker.stop(1)
    assert broker.stopped("percall")["state"] == "no hook", "there is no instance"
    broker.reset("percall")
    running = broker.call("percall", ["work"])
    assert working.wait(PATIENCE_S)
    broker.stop(2)
    assert broker.stopped("percall")["state"] == "begun"
    assert broker.answer(running).value is True


def test_what_hooks_say_is_told_and_written_down(broker: StandInBroker, daemon: WorkerDaemon) -> None:
    class Broken:
        def stop(self) -> None:
            raise OSError("the line is dead")

    class Quitting:
        def stop(self) -> None:
            raise SystemExit(3)

    @behavior(instance_mode="single")
    @expose
    class Without:
        def work(self) -> int:
            return 1

    trail = daemon.audit = Trail()
    for cls in (Broken, Quitting, Without):
        daemon.register(cls(), cls.__name__)
    broker.stop(7)
    assert broker.stopped("Broken")["state"] == "begun"
    failed = {"state": "failed", "hook": "stop", "text": "OSError: the line is dead"}
    assert broker.stopped("Broken") == failed
    assert [broker.stopped("Quitting")["state"] for _ in range(2)] == ["begun", "failed"]
    assert broker.stopped("Without") == {"state": "no hook", "hook": "", "text": ""}
    assert broker.ask("Without", ["work"]).code == "stopped"
    while len(trail.notes) < 3:  # the test's own deadline ends this
        pass
    assert (
        "emergency stop",
        {"number": 7, "reason": "smoke", "user": "ana", "host": "desk", "since": 1000.0},
    ) in (trail.notes)
    broken = next(facts for what, facts in trail.notes if facts.get("service") == "Broken")
    assert (broken["hook"], broken["state"], broken["text"]) == ("stop", "failed", failed["text"])
    broker.reset("Without", 7)
    assert broker.ask("Without", ["work"]).value == 1
    assert trail.notes[-1][0] == "emergency stop reset"


def test_until_the_reset_only_reading_is_possible(broker: StandInBroker, stage: Stage) -> None:
    broker.stop(3)
    assert broker.stopped("stage")["state"] == "begun"
    for number in (
        broker.call("stage", ["step"], 1.0),
        broker.call("stage", ["speed"], 2.0, verb="set"),
        broker.call("stage", ["scan"], 3),
        broker.call("stage", ["where"]),  # it does read, but does not say so
        broker.urgent("stage", ["abort"]),
    ):
        refused = broker.answer(number)
        assert refused.code == "stopped"
    text = refused.frames[0].decode("utf-8", "replace")
    assert all(word in text for word in ("smoke", "ana", "desk", "reset"))
    assert broker.ask("stage", ["speed"], verb="get", flags=Flag.READ).value == 1.0
    assert broker.ask("stage", ["where"], flags=Flag.READ).value == []
    broker.reset("stage", 3)
    assert broker.ask("stage", ["step"], 1.0).value == 1.0


def test_a_stop_that_is_told_again_runs_no_hook_again(broker: StandInBroker, stage: Stage) -> None:
    broker.stop(3)
    assert [broker.stopped("stage")["state"] for _ in range(2)] == ["begun", "ended"]
    broker.send("line", Kind.BYE)  # and again on the next line
    broker.hear(Kind.HELLO, "line")
    broker.stop(3)
    assert broker.ask("stage", ["step"], 1.0).code == "stopped"
    broker.reset("stage")
    broker.stop(3)
    broker.stop(3, since=2000.0)  # a broker that has forgotten its numbers
    assert [broker.stopped("stage")["state"] for _ in range(2)] == ["begun", "ended"]
    assert stage.stops == 2


def test_a_stop_over_the_main_connection_counts_as_well(broker: StandInBroker, stage: Stage) -> None:
    broker.stop(3, role="worker")
    assert [broker.stopped("stage")["state"] for _ in range(2)] == ["begun", "ended"]
    broker.stop(3)
    assert broker.ask("stage", ["step"], 1.0).code == "stopped"
    assert stage.stops == 1


def test_what_is_registered_during_a_stop_is_stopped(
    broker: StandInBroker, daemon: Daemon, stage: Stage
) -> None:
    broker.stop(3)
    assert broker.stopped("stage")["state"] == "begun"
    daemon.register(Stage(), "late")
    assert broker.ask("late", ["step"], 1.0).code == "stopped"


def test_a_call_whose_instance_was_being_made_does_not_run(broker: StandInBroker, daemon: Daemon) -> None:
    making, made, calls = threading.Event(), threading.Event(), []

    @behavior(instance_mode="single")
    @expose
    class Slow:
        def __init__(self) -> None:
            making.set()
            assert made.wait(PATIENCE_S)

        def work(self) -> None:
            calls.append(1)

    daemon.register(Slow, "slow")
    number = broker.call("slow", ["work"])
    assert making.wait(PATIENCE_S)
    broker.stop()
    assert broker.stopped("slow")["state"] == "no hook"
    made.set()
    assert broker.answer(number).code == "stopped"
    assert calls == []


def test_a_batch_ends_where_the_stop_comes(broker: StandInBroker, stage: Stage) -> None:
    calls = [[["move"], "call", [1.0], {}], [["step"], "call", [2.0], {}], [["step"], "call", [3.0], {}]]
    number = broker.call("stage", [], calls, True, verb="batch")
    assert stage.moving.wait(PATIENCE_S)
    broker.stop()
    outcomes = broker.answer(number).value
    assert outcomes[0] == [True, "cancelled"]
    assert len(outcomes) == 1
    assert stage.moves == [1.0]
