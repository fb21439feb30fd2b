"""`pyrolab estop`, against a broker without services; with services, see tests/bus and the chaos runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from live import Process, start_broker
from pyrolab.cli import stopping
from pyrolab.client.nameservice import NameService
from pyrolab.errors import ServiceGone
from pyrolab.protocol.names import Location

from .conftest import Run


@pytest.fixture
def broker() -> Iterator[Process]:
    with start_broker() as process:
        yield process


def stopped(broker: Process) -> Any:
    with NameService(Location("localhost", int(broker.ready))) as names:
        return names.stopped()


def test_stop_and_reset(pyrolab: Run, broker: Process) -> None:
    where = f"localhost:{broker.ready}"
    stop = pyrolab("estop", "smoke in the lab", "--nameserver", where)
    assert stop.returncode == 0, stop.stderr
    assert stop.stdout == f"EMERGENCY STOP at {where}: no call runs until `pyrolab estop --reset`\n"
    assert stopped(broker)["reason"] == "smoke in the lab"

    shown = pyrolab("ps", "--nameserver", where)
    assert f"EMERGENCY STOP at {where} for " in shown.stdout
    assert "smoke in the lab" in shown.stdout
    assert json.loads(pyrolab("ps", "--nameserver", where, "--json").stdout)["stopped"]["reason"]

    again = pyrolab("estop", "--host", "localhost", "--port", broker.ready)
    assert again.returncode == 0, again.stderr

    reset = pyrolab("estop", "--reset", "--nameserver", where)
    assert reset.stdout == f"the emergency stop at {where} is over: calls run again\n"
    assert stopped(broker) is None
    assert pyrolab("estop", "--reset", "--nameserver", where).stdout.startswith("there was no emergency stop")


def test_where_no_broker_is_nothing_is_claimed(pyrolab: Run) -> None:
    for arguments in (["a reason"], ["--reset"]):
        done = pyrolab("estop", *arguments, "--nameserver", "localhost:1")
        assert (done.returncode, done.stdout) == (1, "")
        assert "localhost:1" in done.stderr


class Names:
    """A name service that answers what a test says."""

    def __init__(self, outcome: Any, load: Any = None) -> None:
        self.outcome, self._load = outcome, load

    def __call__(self, location: Location) -> Names:
        return self

    def __enter__(self) -> Names:
        return self

    def __exit__(self, *reason: object) -> None:
        pass

    def emergency_stop(self, reason: str) -> Any:
        return self.outcome

    def load(self) -> Any:
        if self._load is None:
            raise ServiceGone("no")
        return self._load


@pytest.mark.parametrize(
    ("states", "code"),
    [
        ({}, 0),
        ({"obj_1": "begun", "obj_2": "ended", "obj_3": "no hook"}, 0),
        ({"obj_1": "begun", "obj_2": "failed"}, 1),
        ({"obj_1": "no answer"}, 1),
    ],
)
def test_what_did_not_stop_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], states: dict[str, str], code: int
) -> None:
    load = {"services": {"obj_1": {"names": ["stage", "xy"]}, "obj_2": {"names": []}}}
    monkeypatch.setattr(stopping, "NameService", Names({"number": 1, "services": states}, load))
    assert stopping.estop("why", "localhost", 1) == code
    said = capsys.readouterr()
    assert ("did not stop: look at the instruments" in said.err) == bool(code)
    if "obj_1" in states:
        assert f"stage, xy  {states['obj_1']}" in said.out
    if "obj_2" in states:
        assert f"obj_2      {states['obj_2']}" in said.out


def test_a_stop_is_one_also_if_nothing_more_can_be_learnt(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for outcome in (None, {"services": {"obj_1": "begun"}}):
        monkeypatch.setattr(stopping, "NameService", Names(outcome))
        assert stopping.estop("why", "localhost", 1) == 0
        assert "EMERGENCY STOP" in capsys.readouterr().out
