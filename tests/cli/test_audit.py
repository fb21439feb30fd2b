"""`pyrolab audit` finds what is recorded, and shows it."""

from __future__ import annotations

import json
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from pyrolab.audit import AuditLog
from pyrolab.cli.audit import Search, audit, moment
from pyrolab.config.places import audit_directory
from pyrolab.errors import PyroError

from .conftest import Run

NOW = datetime(2026, 11, 24, 10, 0).timestamp()


@pytest.fixture
def recorded() -> None:
    """Three calls and a note."""
    log = AuditLog(audit_directory(), "daemon-bench")
    ana: dict[str, Any] = {"user": "ana", "host": "lab-pc", "pid": 12}
    log.begun(call="1/1", **ana, service="stage", action="move()", args=(12.5,), kwargs={"speed": 2})
    log.ended(call="1/1", outcome="done", seconds=0.25)
    log.begun(call="1/2", **ana, service="laser.red", action="axes[0].power =", args=(5,), kwargs={})
    log.ended(call="1/2", outcome="raised", seconds=75, text="ValueError: too much")
    log.begun(
        call="2/1",
        user="ben",
        host="laptop\x1b[2J",
        pid=3,
        service="stage",
        action="fire()",
        args=(),
        kwargs={},
    )
    broker = AuditLog(audit_directory(), "broker-lab")
    broker.note(
        "reserved", user="ben", host="laptop", services=["stage", "camera"], mode="reservation", text=""
    )


def shown(
    capsys: pytest.CaptureFixture[str], since: str | None = None, last: int = 0, **search: Any
) -> list[str]:
    """The lines of the table, without its head and the times."""
    assert audit(Search(**search), since, last, as_json=False) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    return [" ".join(line.split()[2:]) for line in lines]


MOVE = "ana@lab-pc stage move(12.5, speed=2) 250.0 ms done daemon-bench"
POWER = "ana@lab-pc laser.red axes[0].power = 5 75.0 s raised: ValueError: too much daemon-bench"
FIRE = r"ben@laptop\x1b[2J stage fire() no end recorded daemon-bench"
RESERVED = "ben@laptop stage, camera reserved: mode=reservation broker-lab"


@pytest.mark.usefixtures("recorded")
@pytest.mark.parametrize(
    ("search", "found"),
    [
        ({}, [MOVE, POWER, FIRE, RESERVED]),
        ({"user": "ana"}, [MOVE, POWER]),
        ({"user": "A*"}, [MOVE, POWER]),
        ({"user": "ben@laptop"}, [RESERVED]),
        ({"user": "*@lab-*"}, [MOVE, POWER]),
        ({"service": "stage"}, [MOVE, FIRE, RESERVED]),
        ({"service": "camera"}, [RESERVED]),
        ({"service": "laser"}, []),
        ({"service": "laser*"}, [POWER]),
        ({"call": "MOVE(12"}, [MOVE]),
        ({"call": "2/1"}, [FIRE]),
        ({"call": "power ="}, [POWER]),
        ({"outcome": "done"}, [MOVE]),
        ({"outcome": "raised"}, [POWER]),
        ({"outcome": "no end"}, [FIRE]),
        ({"user": "ana", "service": "stage", "outcome": "raised"}, []),
    ],
)
def test_what_fits_is_shown(
    capsys: pytest.CaptureFixture[str], search: dict[str, Any], found: list[str]
) -> None:
    assert shown(capsys, **search) == found


@pytest.mark.usefixtures("recorded")
def test_the_last_ones_and_those_since_then(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, last=2) == [FIRE, RESERVED]
    assert shown(capsys, last=1, service="laser*") == [POWER]
    assert shown(capsys, since="1 min", last=4) == [MOVE, POWER, FIRE, RESERVED]
    assert audit(Search(), "1 min", 3, as_json=False) == 0
    assert "these are the last 3" in capsys.readouterr().err


@pytest.mark.usefixtures("recorded")
def test_for_programs_there_is_all_of_it(pyrolab: Run) -> None:
    done = pyrolab("audit", "--since", "10 min", "--outcome", "raised", "--json")
    assert done.returncode == 0, done.stderr
    (entry,) = json.loads(done.stdout)
    assert abs(entry.pop("time") - time.time()) < 600
    assert entry == {
        "log": "daemon-bench",
        "what": "call",
        "call": "1/2",
        "user": "ana",
        "host": "lab-pc",
        "pid": 12,
        "service": "laser.red",
        "action": "axes[0].power =",
        "arguments": "5",
        "outcome": "raised",
        "seconds": 75.0,
        "text": "ValueError: too much",
        "facts": {},
    }


@pytest.mark.usefixtures("recorded")
def test_the_command(pyrolab: Run) -> None:
    done = pyrolab("audit", "--user", "ana", "--service", "stage", "--action", "move", "-n", 5)
    assert done.returncode == 0, done.stderr
    head, row = done.stdout.splitlines()
    assert head.split() == ["WHEN", "WHO", "SERVICE", "CALL", "TOOK", "OUTCOME", "LOG"]
    assert " ".join(row.split()[2:]) == MOVE


def test_when_nothing_is_recorded_it_is_said_where(pyrolab: Run, home: Path) -> None:
    done = pyrolab("audit")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"nothing of that kind is recorded in {home / 'audit'}\n"
    assert json.loads(pyrolab("audit", "--json").stdout) == []


def test_a_time_that_is_none_is_refused_in_a_sentence(pyrolab: Run) -> None:
    done = pyrolab("audit", "--since", "yesterday")
    assert done.returncode == 1
    assert done.stderr.startswith("pyrolab: 'yesterday' is no time; write '90s'")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", NOW - 90),
        ("1.5 h", NOW - 5400),
        ("15min", NOW - 900),
        ("10 min ago", NOW - 600),
        ("2 Days", NOW - 2 * 86_400),
        ("1w", NOW - 7 * 86_400),
        ("2026-11-24", NOW - 36_000),
        ("2026-11-24 10:00", NOW),
        ("2026-11-24T09:59:30", NOW - 30),
        ("9:30", NOW - 1800),
        ("09:30:10", NOW - 1790),
        ("1970-01-01T00:01:00Z", 60),
        ("1970-01-01T00:01:00+01:00", -3540),
    ],
)
def test_times(text: str, expected: float) -> None:
    assert moment(text, NOW) == pytest.approx(expected)


@pytest.mark.parametrize(
    "text", ["", "5", "5 parsecs", "-5 min", "2026-13-01", "25:00", "10:60", "1e400 s", "\u0661 min"]
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(PyroError, match="is no time; write"):
        moment(text, NOW)
