"""What may change something is written down before it runs, or does not run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pyrolab.audit.log import AuditLog
from pyrolab.protocol.envelope import Flag, Kind
from pyrolab.worker.daemon import Daemon
from services.stage import Stage
from stand_in_broker import CLIENT, StandInBroker


class Trail:
    """An audit log in a list; `full` says that the disk is."""

    def __init__(self, stage: Stage) -> None:
        self.lines: list[dict[str, Any]] = []
        self.full = self.full_at_the_end = False
        self._stage = stage

    def begun(
        self,
        *,
        call: str,
        user: str,
        host: str,
        pid: int,
        service: str,
        action: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
    ) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        self.lines.append(
            {"begun": action, "call": call, "who": (user, host, pid), "service": service, "args": list(args)}
            | {"moves": len(self._stage.moves)}
        )

    def ended(self, *, call: str, outcome: str, seconds: float, text: str = "") -> None:
        if self.full_at_the_end:
            raise OSError(28, "No space left on device")
        assert seconds >= 0
        self.lines.append({"ended": outcome, "call": call, "text": text, "moves": len(self._stage.moves)})

    def note(self, what: str, **facts: Any) -> None: ...


@pytest.fixture
def stage(daemon: Daemon) -> Stage:
    made = Stage()
    daemon.register(made, "stage")
    daemon.audit = Trail(made)
    return made


@pytest.fixture
def trail(daemon: Daemon, stage: Stage) -> Trail:
    assert isinstance(daemon.audit, Trail)
    return daemon.audit


def test_a_call_is_written_down_before_and_after(broker: StandInBroker, trail: Trail) -> None:
    import msgpack

    about = {"user": "ana", "host": "desk", "pid": 5, "software": ""}
    broker.send("worker", Kind.BEGUN, [msgpack.packb(about)], session=CLIENT)
    number = broker.call("stage", ["step"], 2.5)
    broker.answer(number)
    name = f"{CLIENT:016x}/{number}"
    who = ("ana", "desk", 5)
    begun = {"begun": "step()", "call": name, "who": who, "service": "stage", "args": [2.5], "moves": 0}
    assert trail.lines == [begun, {"ended": "done", "call": name, "text": "", "moves": 1}]


def test_actions_read_like_python(broker: StandInBroker, trail: Trail) -> None:
    broker.ask("stage", ["speed"], 2.0, verb="set")
    broker.ask("stage", ["speed"], verb="del")
    broker.ask("stage", ["axis", "move"], 1.0)
    broker.ask("stage", ["axes", [0], "move"], 1.0)
    broker.ask("stage", ["axis", [4]], 1.0, verb="set")
    broker.ask("stage", ["scan"], 1)
    broker.ask("stage", [1], 1, verb="next")
    broker.answer(broker.urgent("stage", ["abort"]))
    assert [line["begun"] for line in trail.lines if "begun" in line] == [
        "speed =",
        "del speed",
        "axis.move()",
        "axes[0].move()",
        "axis[4] =",
        "scan()",
        "next scan()",
        "abort()",
    ]


def test_reads_are_not_written_down(broker: StandInBroker, trail: Trail) -> None:
    broker.ask("stage", ["speed"], verb="get", flags=Flag.READ)
    broker.ask("stage", ["where"], flags=Flag.READ)
    broker.ask("stage", ["speed"], verb="get")
    broker.ask("stage", [], 7, verb="drop")
    reads = [[["where"], "call", [], {}], [["speed"], "get", [], {}]]
    broker.ask("stage", [], reads, True, verb="batch", flags=Flag.READ)
    assert trail.lines == []


def test_each_call_of_a_batch_has_lines_of_its_own(broker: StandInBroker, trail: Trail) -> None:
    calls = [[["step"], "call", [1.0], {}], [["speed"], "get", [], {}], [["jam"], "call", [], {}]]
    number = broker.call("stage", [], calls, True, verb="batch")
    broker.answer(number)
    name = f"{CLIENT:016x}/{number}"
    assert [(line.get("begun") or line["ended"], line["call"]) for line in trail.lines] == [
        ("step()", f"{name}.0"),
        ("done", f"{name}.0"),
        ("jam()", f"{name}.2"),
        ("raised", f"{name}.2"),
    ]
    assert trail.lines[-1]["text"] == "ValueError: something is in the way"


def test_what_cannot_be_written_down_does_not_run(broker: StandInBroker, stage: Stage, trail: Trail) -> None:
    trail.full = True
    refused = broker.ask("stage", ["step"], 1.0)
    assert refused.code == "not-recorded"
    assert b"No space left" in refused.frames[0]
    assert broker.answer(broker.urgent("stage", ["abort"])).code == "not-recorded"
    calls = [[["step"], "call", [1.0], {}], [["step"], "call", [2.0], {}]]
    outcomes = broker.ask("stage", [], calls, True, verb="batch").value
    assert len(outcomes) == 1, "and nothing after it"
    assert not outcomes[0][0]
    assert broker.ask("stage", ["where"], flags=Flag.READ).value == [], "reading goes on"
    trail.full = False
    assert broker.ask("stage", ["step"], 1.0).value == 1.0


def test_what_has_run_is_answered_even_if_its_end_cannot_be_written_down(
    broker: StandInBroker, trail: Trail
) -> None:
    trail.full_at_the_end = True
    assert broker.ask("stage", ["step"], 1.0).value == 1.0


def test_the_audit_log_of_pyrolab_can_be_used(broker: StandInBroker, daemon: Daemon, tmp_path: Path) -> None:
    log = daemon.audit = AuditLog(tmp_path, "bench")
    daemon.register(Stage(), "stage")
    assert broker.ask("stage", ["step"], 1.5).value == 1.5
    broker.stop()
    assert [broker.stopped("stage")["state"] for _ in range(2)] == ["begun", "ended"]
    daemon.close()
    log.close()
    lines = (tmp_path / "bench.jsonl").read_text().splitlines()
    assert "step()" in lines[0]
    assert "1.5" in lines[0]
    assert "done" in lines[1]
    assert any("stop hook" in line for line in lines)
