"""The worker's second connection."""

from __future__ import annotations

from pyrolab.api import Daemon
from pyrolab.protocol.envelope import Flag, Kind
from services.stage import Stage
from stand_in_broker import StandInBroker


def test_the_line_names_its_worker_and_its_key(broker: StandInBroker) -> None:
    with Daemon(nameserver=broker.location, name="bench"):
        main, line = broker.hello("worker"), broker.hello("line")
        assert type(main["key"]) is bytes
        assert len(main["key"]) == 16
        assert line["key"] == main["key"]
        assert line["worker"] == broker.sessions["worker"]
        assert (line["name"], line["pid"]) == (main["name"], main["pid"])
    broker.hear(Kind.BYE, "line")
    broker.hear(Kind.BYE, "worker")


def test_a_lost_line_is_opened_again_for_the_same_session(broker: StandInBroker) -> None:
    with Daemon(nameserver=broker.location) as daemon:
        main, line = broker.hello("worker"), broker.hello("line")
        daemon.register(Stage(), "stage")
        for _ in range(2):
            broker.send("line", Kind.BYE)
            again = broker.hello("line")
            assert (again["key"], again["worker"]) == (line["key"], line["worker"])
        assert broker.ask("stage", ["step"], 1.0).value == 1.0
        assert broker.sessions["worker"] == line["worker"], "the first connection has stayed"
        assert not broker.has_heard(Kind.HELLO)
        assert main["key"] == line["key"]


def test_the_line_ends_with_its_connection_and_comes_back_with_the_next(broker: StandInBroker) -> None:
    with Daemon(nameserver=broker.location) as daemon:
        main, line = broker.hello("worker"), broker.hello("line")
        daemon.register(Stage(), "stage")
        broker.hear(Kind.OFFER)
        broker.send("worker", Kind.BYE)
        main_again, line_again = broker.hello("worker"), broker.hello("line")
        assert main_again["key"] == main["key"], "the broker knows by this that it is the same daemon"
        assert line_again["worker"] == broker.sessions["worker"] != line["worker"]
        assert broker.hear(Kind.OFFER).envelope.target == b"stage"


def test_nonsense_on_the_line_does_not_end_it(broker: StandInBroker, daemon: Daemon) -> None:
    stage = Stage()
    daemon.register(stage, "stage")
    broker.send("line", 200)
    broker.send("line", Kind.STOP, [b"\xc1"], number=1)
    assert broker.stopped("stage")["state"] == "begun"
    assert broker.stopped("stage")["state"] == "ended"
    assert stage.stops == 1, "whatever it says, it is a stop"
    broker.send("line", Kind.BEGUN, [b"\xc1"], session=5)
    assert (
        broker.answer(broker.urgent("stage", [], 5, 1, verb="status", flags=Flag.READ)).value == "never seen"
    )
