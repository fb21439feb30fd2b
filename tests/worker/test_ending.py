"""A daemon ends in good order: what runs is finished and answered, what waits is handed back."""

from __future__ import annotations

import logging
import os
import signal
import threading
from types import FrameType

import pytest

from pyrolab.api import Daemon, behavior, expose
from pyrolab.protocol.envelope import Flag, Kind
from services.stage import PATIENCE_S, Stage
from stand_in_broker import CLIENT, Heard, StandInBroker


@behavior(instance_mode="single", credit=4)
class Roomy(Stage):
    """Takes several calls at a time."""


def _rest(broker: StandInBroker) -> list[Heard]:
    """What has been heard up to the goodbye of the first connection."""
    heard: list[Heard] = []
    while not heard or (heard[-1].role, heard[-1].envelope.kind) != ("worker", Kind.BYE):
        heard.append(broker.wait_for(lambda each: each.role == "worker"))
    return heard


def test_the_running_call_ends_and_the_waiting_ones_are_handed_back(broker: StandInBroker) -> None:
    daemon = Daemon(nameserver=broker.location)
    broker.hear(Kind.HELLO, "line")
    stage, other = Roomy(), Roomy()
    daemon.register(stage, "stage")
    daemon.register(other, "other")
    for kind in (Kind.HELLO, Kind.OFFER, Kind.OFFER):
        broker.hear(kind, "worker")
    broker.call("stage", ["move"], 1.0)
    assert stage.moving.wait(PATIENCE_S)
    waiting = broker.call("stage", ["step"], 2.0)
    broker.ask("stage", ["load"], verb="get", flags=Flag.READ | Flag.URGENT)  # so it is there
    draining = threading.Thread(target=daemon.drain)
    draining.start()
    assert broker.answer(waiting).code == "gone"
    late = broker.call("stage", ["step"], 3.0)
    refused = broker.answer(late)
    assert refused.code == "gone"
    assert b"is ending" in refused.frames[0]
    stage.arrive.set()
    draining.join(PATIENCE_S)
    rest = [(heard.envelope.kind, heard.envelope.target or heard.envelope.call) for heard in _rest(broker)]
    kinds = [(Kind.WITHDRAW, b"stage"), (Kind.WITHDRAW, b"other"), (Kind.RESULT, b"stage"), (Kind.BYE, 0)]
    assert rest == kinds
    assert stage.moves == [1.0]


def test_instances_are_closed(broker: StandInBroker, daemon: Daemon) -> None:
    made: list[Stage] = []

    @behavior(instance_mode="session")
    class Mine(Stage):
        def __init__(self) -> None:
            super().__init__()
            made.append(self)

    daemon.register(Mine, "mine")
    for session in (CLIENT, CLIENT + 1):
        broker.ask("mine", ["step"], 1.0, session=session)
    daemon.drain()
    assert [each.closed for each in made] == [True, True]
    daemon.drain()


def test_all_services_end_at_the_same_time(broker: StandInBroker, daemon: Daemon) -> None:
    together = threading.Barrier(3)

    @behavior(instance_mode="single")
    @expose
    class Patient:
        def work(self) -> int:
            return 1

        def close(self) -> None:
            together.wait(PATIENCE_S)  # for the others to be here as well

    for number in range(3):
        daemon.register(type(f"Patient{number}", (Patient,), {}), f"patient{number}")
        assert broker.ask(f"patient{number}", ["work"]).value == 1
    daemon.close()
    assert not together.broken
    assert together.n_waiting == 0


def test_one_bound_holds_for_all(
    broker: StandInBroker, daemon: Daemon, caplog: pytest.LogCaptureFixture
) -> None:
    stages = [Stage(), Stage()]
    for number, stage in enumerate(stages):
        daemon.register(stage, f"stage{number}")
        broker.call(f"stage{number}", ["move"], 1.0)
        assert stage.moving.wait(PATIENCE_S)
    with caplog.at_level(logging.WARNING, logger="pyrolab.worker"):
        daemon.drain(timeout_s=0.05)
    assert sum("still busy with a call" in line for line in caplog.messages) == 2
    for stage in stages:
        stage.arrive.set()


def test_a_stop_reaches_what_is_ending(broker: StandInBroker, daemon: Daemon) -> None:
    stage = Stage()
    daemon.register(stage, "stage")
    running = broker.call("stage", ["move"], 1.0)
    assert stage.moving.wait(PATIENCE_S)
    draining = threading.Thread(target=daemon.drain)
    draining.start()
    broker.hear(Kind.WITHDRAW)
    broker.stop()
    assert broker.stopped("stage")["state"] == "begun"
    assert broker.answer(running).value == "cancelled"
    draining.join(PATIENCE_S)


def test_what_one_service_has_not_started_is_handed_back_when_it_is_unregistered(
    broker: StandInBroker, daemon: Daemon
) -> None:
    stage = Roomy()
    daemon.register(stage, "stage")
    running = broker.call("stage", ["move"], 1.0)
    assert stage.moving.wait(PATIENCE_S)
    waiting = broker.call("stage", ["step"], 2.0)
    broker.ask("stage", ["load"], verb="get", flags=Flag.READ | Flag.URGENT)
    ending = threading.Thread(target=daemon.unregister, args=("stage",))
    ending.start()
    refused = broker.answer(waiting)
    assert refused.code == "gone"
    assert b"hosted here no longer" in refused.frames[0]
    stage.arrive.set()
    assert broker.answer(running).value == "arrived"
    ending.join(PATIENCE_S)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM that can be sent")
def test_sigterm_ends_the_loop_in_good_order(broker: StandInBroker, daemon: Daemon) -> None:
    stage = Stage()
    daemon.register(stage, "stage")
    running = broker.call("stage", ["move"], 1.0)
    assert stage.moving.wait(PATIENCE_S)

    def terminate() -> None:
        while signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            pass  # the test's own deadline ends this
        os.kill(os.getpid(), signal.SIGTERM)
        broker.hear(Kind.WITHDRAW)
        stage.arrive.set()

    terminating = threading.Thread(target=terminate)
    terminating.start()
    daemon.requestLoop()
    terminating.join(PATIENCE_S)
    assert broker.answer(running).value == "arrived"
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM that can be sent")
def test_a_handler_of_the_script_s_own_wins(broker: StandInBroker, daemon: Daemon) -> None:
    heard: list[int] = []

    def own(number: int, frame: FrameType | None) -> None:
        heard.append(number)
        daemon.shutdown()

    signal.signal(signal.SIGTERM, own)
    try:
        terminating = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM))
        terminating.start()
        daemon.requestLoop()
        assert signal.getsignal(signal.SIGTERM) is own
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    assert heard == [signal.SIGTERM]


def test_other_threads_leave_signals_alone(daemon: Daemon) -> None:
    before = signal.getsignal(signal.SIGTERM)
    looping = threading.Thread(target=daemon.requestLoop, args=(lambda: before is _now(),))
    looping.start()
    daemon.shutdown()
    looping.join(PATIENCE_S)
    assert _now() is before


def _now() -> object:
    return signal.getsignal(signal.SIGTERM)
