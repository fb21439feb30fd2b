"""What a worker checks itself: that a read is one, a token not of the past, a call fresh and new."""

from __future__ import annotations

import pytest

from pyrolab.api import Daemon
from pyrolab.protocol.envelope import Flag, Kind
from pyrolab.worker.job import REMEMBERED, Job, Journal
from services.stage import PATIENCE_S, Stage
from stand_in_broker import CLIENT, StandInBroker

READ = Flag.READ


@pytest.fixture
def stage(daemon: Daemon) -> Stage:
    made = Stage()
    daemon.register(made, "stage")
    return made


# -- reads -----------------------------------------------------------------------------------------------


def test_what_reads_may_say_so(broker: StandInBroker, stage: Stage) -> None:
    batch = [[["where"], "call", [], {}], [["speed"], "get", [], {}], [["axis", "where"], "call", [], {}]]
    for steps, args, verb in (
        (["speed"], (), "get"),
        (["where"], (), "call"),
        (["axis", "where"], (), "call"),
        (["axis", "__len__"], (), "call"),
        (["axis", "__getitem__"], (1,), "call"),
        (["axis", [1]], (), "get"),
        (["axes", [0], "where"], (), "call"),
        (["axis"], (), "describe"),
        (["speed"], (), "join"),
        (["speed"], (), "part"),
        ([], (99,), "drop"),
        ([], (1, 1), "status"),
        ([], (batch, False), "batch"),
    ):
        answer = broker.ask("stage", steps, *args, verb=verb, flags=READ)
        assert answer.envelope.kind == Kind.RESULT, (steps, verb, answer)


def test_what_may_change_something_is_denied_as_a_read(broker: StandInBroker, stage: Stage) -> None:
    batch = [[["where"], "call", [], {}], [["step"], "call", [1.0], {}]]
    setting = [[["speed"], "set", [3.0], {}]]
    deep = [[["axis", "move"], "call", [1.0], {}]]
    lost = [[["axsi", "move"], "call", [1.0], {}], [["axis", "move"], "call", [1.0], {}]]
    for steps, args, verb in (
        (["step"], (1.0,), "call"),
        (["nudge"], (), "call"),
        (["scan"], (3,), "call"),
        (["axis", "move"], (1.0,), "call"),
        (["axes", [0], "move"], (1.0,), "call"),
        (["axis", "__setitem__"], (1, 2), "call"),
        (["axis", [1]], (2,), "set"),
        (["speed"], (2.0,), "set"),
        (["speed"], (), "del"),
        ([1], (1,), "next"),
        ([], (batch, True), "batch"),
        ([], (setting, True), "batch"),
        ([], (deep, True), "batch"),
        ([], (lost, True), "batch"),
    ):
        answer = broker.ask("stage", steps, *args, verb=verb, flags=READ)
        assert answer.envelope.kind == Kind.REFUSED, (steps, verb, answer)
        assert answer.code == "denied"
    assert stage.moves == []
    assert stage.axis.position == 0.0
    assert stage.speed == 1.0


# -- fencing ---------------------------------------------------------------------------------------------


def test_a_token_of_the_past_opens_nothing(broker: StandInBroker, daemon: Daemon, stage: Stage) -> None:
    daemon.register(Stage(), "other")
    assert broker.ask("stage", ["step"], 1.0, token=10).value == 1.0
    assert broker.ask("stage", ["step"], 2.0, token=10).value == 2.0
    for token in (9, 0):
        assert broker.ask("stage", ["step"], 3.0, token=token).code == "fenced"
    assert broker.ask("stage", ["where"], token=0, flags=READ).value == [1.0, 2.0], "reading goes on"
    assert broker.ask("other", ["step"], 4.0, token=1).value == 4.0, "each object has its own"
    assert broker.ask("stage", ["where"], token=11, flags=READ).value == [1.0, 2.0]
    assert broker.ask("stage", ["step"], 5.0, token=10).code == "fenced", "a read has shown a newer one"
    assert stage.moves == [1.0, 2.0]


def test_a_waiting_call_is_fenced_by_a_newer_one(broker: StandInBroker, stage: Stage) -> None:
    running = broker.call("stage", ["move"], 1.0, token=1)
    assert stage.moving.wait(PATIENCE_S)
    waiting = broker.call("stage", ["step"], 2.0, token=1)
    newer = broker.call("stage", ["step"], 3.0, token=2)
    broker.ask("stage", ["load"], verb="get", flags=READ | Flag.URGENT)  # so these two are there
    stage.arrive.set()
    assert broker.answer(running).value == "arrived"
    assert broker.answer(newer).value == 3.0
    assert broker.answer(waiting).code == "fenced"
    assert stage.moves == [1.0, 3.0]


# -- freshness -------------------------------------------------------------------------------------------


def test_an_old_call_does_not_run(broker: StandInBroker, stage: Stage) -> None:
    assert broker.ask("stage", ["step"], 1.0, age_ms=5500).code == "stale"
    assert broker.ask("stage", ["step"], 2.0, age_ms=4000).value == 2.0
    assert stage.moves == [2.0]


# -- what became of calls --------------------------------------------------------------------------------


def _status(broker: StandInBroker, number: int, session: int = CLIENT) -> str:
    answer = broker.answer(broker.urgent("stage", [], session, number, verb="status", flags=READ))
    return str(answer.value)


def test_the_state_of_calls_can_be_asked_for(broker: StandInBroker, daemon: Daemon, stage: Stage) -> None:
    daemon.register(Stage(), "other")
    running = broker.call("stage", ["move"], 1.0)
    assert stage.moving.wait(PATIENCE_S)
    waiting = broker.call("stage", ["step"], 2.0)
    jammed = broker.call("other", ["jam"])
    broker.answer(jammed)
    old = broker.call("other", ["step"], 3.0, age_ms=9000)
    broker.answer(old)
    assert [_status(broker, number) for number in (running, jammed, old, 5000)] == [
        "running",
        "raised",
        "refused",
        "never seen",
    ]
    assert _status(broker, running, session=CLIENT + 1) == "never seen"
    stage.arrive.set()
    broker.answer(running)
    broker.answer(waiting)
    assert [_status(broker, number) for number in (running, waiting)] == ["done", "done"]
    assert broker.ask("stage", [], CLIENT, running, verb="status").value == "done", "in its turn as well"
    assert broker.ask("stage", [], CLIENT, verb="status").envelope.kind == Kind.RAISED


def test_no_call_runs_twice(broker: StandInBroker, stage: Stage) -> None:
    running = broker.call("stage", ["move"], 1.0)
    assert stage.moving.wait(PATIENCE_S)
    broker.call("stage", ["move"], 1.0, number=running)
    again = broker.answer(running)
    assert again.code == "protocol", "the first has not ended"
    stage.arrive.set()
    assert broker.answer(running).value == "arrived"
    broker.call("stage", ["move"], 1.0, number=running)
    assert broker.answer(running).code == "protocol"
    assert _status(broker, running) == "done"
    assert stage.moves == [1.0]


def _job(number: int) -> Job:
    from pyrolab.protocol.envelope import Envelope
    from pyrolab.worker.context import Client

    return Job(Envelope(Kind.CALL, session=CLIENT, call=number), [], Client(CLIENT), lambda frames: True)


def test_a_journal_forgets_the_oldest_that_have_ended() -> None:
    journal = Journal()
    first = _job(1)
    assert journal.begin(first)
    for number in range(2, REMEMBERED + 3):
        job = _job(number)
        assert journal.begin(job)
        assert not journal.begin(job)
        journal.end(job, Kind.RESULT)
    assert journal.state(CLIENT, 1) == "running", "it has not ended, however long ago it began"
    assert journal.state(CLIENT, 2) == "never seen"
    assert journal.state(CLIENT, 3) == journal.state(CLIENT, REMEMBERED + 2) == "done"
    assert not journal.begin(first)
    journal.end(first, Kind.RAISED)
    assert journal.state(CLIENT, 1) == "raised"
