"""Urgent calls run beside whatever is running, and see nothing of it."""

from __future__ import annotations

import threading

import pytest

from pyrolab.api import Daemon, behavior, expose
from pyrolab.protocol.envelope import Flag, Kind
from pyrolab.worker.exposure import urgent
from pyrolab.worker.urgent import MAX_URGENT
from services.stage import PATIENCE_S, Stage
from stand_in_broker import CLIENT, StandInBroker


@pytest.fixture
def stage(daemon: Daemon) -> Stage:
    made = Stage()
    daemon.register(made, "stage")
    return made


@pytest.mark.parametrize("role", ["line", "worker"])
def test_an_urgent_call_runs_beside_a_busy_one(broker: StandInBroker, stage: Stage, role: str) -> None:
    running = broker.call("stage", ["move"], 1.0)
    assert stage.moving.wait(PATIENCE_S)
    urgent = broker.call("stage", ["abort"], role=role, flags=Flag.URGENT)
    answer = broker.answer(urgent)
    assert answer.role == role, "the answer takes the way of the call"
    assert answer.value.endswith(f"/{urgent}"), "current_call is that of the urgent one"
    assert answer.envelope.flags & Flag.URGENT
    assert broker.answer(running).value == "arrived"


def test_sub_objects_and_properties_can_be_urgent(broker: StandInBroker, stage: Stage) -> None:
    broker.call("stage", ["move"], 1.0)
    assert stage.moving.wait(PATIENCE_S)
    assert broker.answer(broker.urgent("stage", ["axis", "halt"])).value == 1
    assert broker.answer(broker.urgent("stage", ["axes", [0], "halt"])).value == 2
    load = broker.urgent("stage", ["load"], verb="get", flags=Flag.READ)
    assert broker.answer(load).value == 0.5
    stage.arrive.set()


def test_what_is_not_marked_is_denied(broker: StandInBroker, stage: Stage) -> None:
    broker.call("stage", ["move"], 1.0)
    assert stage.moving.wait(PATIENCE_S)
    batch = [[["abort"], "call", [], {}]]
    for number in (
        broker.urgent("stage", ["step"], 2.0),
        broker.urgent("stage", ["where"], flags=Flag.READ),
        broker.urgent("stage", ["axis", "move"], 2.0),
        broker.urgent("stage", ["speed"], 2.0, verb="set"),
        broker.urgent("stage", ["speed"], verb="get", flags=Flag.READ),
        broker.urgent("stage", ["load"], 2.0, verb="set"),
        broker.urgent("stage", ["axis"], verb="describe"),
        broker.urgent("stage", [1], 1, verb="next"),
        broker.urgent("stage", [], batch, True, verb="batch"),
        broker.urgent("stage", [1, "halt"]),
    ):
        assert broker.answer(number).code == "denied"
    assert stage.moves == [1.0]
    assert stage.moving.is_set()
    stage.arrive.set()


def test_a_method_that_does_not_exist_is_the_usual_error(broker: StandInBroker, stage: Stage) -> None:
    answer = broker.answer(broker.urgent("stage", ["abrot"]))
    assert answer.envelope.kind == Kind.RAISED
    assert b"abort" in answer.frames[0]


def test_an_urgent_call_returns_values_only(broker: StandInBroker, stage: Stage) -> None:
    answer = broker.answer(broker.urgent("stage", ["handle"]))
    assert answer.envelope.kind == Kind.RAISED
    assert b"handle(): an urgent call cannot return a Axis" in answer.frames[0]


def test_the_call_that_runs_is_not_disturbed(broker: StandInBroker, stage: Stage) -> None:
    """What it holds belongs to its own client, under its own name."""
    broker.ask("stage", ["axis"], verb="get", flags=Flag.READ)
    running = broker.call("stage", ["move"], 1.0)
    assert stage.moving.wait(PATIENCE_S)
    other = broker.call("stage", ["abort"], role="line", flags=Flag.URGENT, session=CLIENT + 1)
    assert broker.answer(other).envelope.session == CLIENT + 1
    answer = broker.answer(running)
    assert (answer.envelope.session, answer.value) == (CLIENT, "arrived")
    scan = broker.ask("stage", ["scan"], 2)
    assert scan.envelope.kind == Kind.RESULT


def test_more_than_so_many_at_a_time_are_refused(broker: StandInBroker, stage: Stage) -> None:
    read = Flag.READ
    numbers = [broker.urgent("stage", ["look"], flags=read) for _ in range(MAX_URGENT)]
    refused = broker.answer(broker.urgent("stage", ["look"], flags=read))
    assert refused.code == "busy"
    stage.go_on.set()
    assert [broker.answer(number).value for number in numbers] == [1.0] * MAX_URGENT
    numbers = [broker.urgent("stage", ["look"], flags=read) for _ in range(MAX_URGENT)]
    assert [broker.answer(number).value for number in numbers] == [1.0] * MAX_URGENT


def test_an_urgent_call_can_be_cancelled(broker: StandInBroker, stage: Stage) -> None:
    for role in ("line", "worker"):
        stage.urgent_calls.clear()
        number = broker.urgent("stage", ["linger"])
        assert stage.urgent_calls.wait(PATIENCE_S)
        broker.send(role, Kind.CANCEL, session=CLIENT, call=number, target=b"stage")
        assert broker.answer(number).value is True


def test_the_end_of_a_client_cancels_its_urgent_calls(broker: StandInBroker, stage: Stage) -> None:
    number = broker.urgent("stage", ["linger"])
    assert stage.urgent_calls.wait(PATIENCE_S)
    broker.send("worker", Kind.ENDED, session=CLIENT)
    assert broker.answer(number).value is True


def test_a_missing_instance_is_made_in_the_service_s_own_thread(
    broker: StandInBroker, daemon: Daemon
) -> None:
    threads: list[int] = []

    @behavior(instance_mode="session")
    @expose
    class Mine:
        def __init__(self) -> None:
            threads.append(threading.get_ident())

        def work(self) -> int:
            return threading.get_ident()

        @urgent
        def abort(self) -> int:
            return threading.get_ident()

    daemon.register(Mine, "mine")
    first = broker.answer(broker.urgent("mine", ["abort"])).value
    assert broker.answer(broker.urgent("mine", ["work"])).code == "denied"
    own = broker.ask("mine", ["work"]).value
    beside = broker.answer(broker.urgent("mine", ["abort"])).value
    assert threads == [own] == [first]
    assert beside != own


def test_stale_calls_do_not_run_beside_either(broker: StandInBroker, stage: Stage) -> None:
    late = broker.call("stage", ["abort"], role="line", flags=Flag.URGENT, age_ms=6000)
    assert broker.answer(late).code == "stale"
    assert not stage.arrive.is_set()


def test_a_client_that_only_calls_urgently_is_known(broker: StandInBroker, daemon: Daemon) -> None:
    from pyrolab.api import current_call

    gone = threading.Event()

    class Greeting(Daemon):
        def clientDisconnect(self, conn: object) -> None:
            gone.set()

    @expose
    class Host:
        @urgent
        def who(self) -> str:
            return current_call().user

    import msgpack

    with Greeting(nameserver=broker.location) as greeting:
        broker.hear(Kind.HELLO, "line")
        greeting.register(Host(), "host")
        about = {"user": "ana", "host": "desk", "pid": 5, "software": "none"}
        broker.send("line", Kind.BEGUN, [msgpack.packb(about)], session=CLIENT)
        assert broker.answer(broker.urgent("host", ["who"])).value == "ana"
        broker.send("line", Kind.ENDED, session=CLIENT)
        assert gone.wait(PATIENCE_S)
