"""A home of its own for each test, the stand-in where `python -m` finds it, and a supervisor in a thread."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pyrolab.config.places import HOME_VARIABLE
from pyrolab.supervisor.core import Policy
from pyrolab.supervisor.events import Key, Kind
from pyrolab.supervisor.plan import Planned
from pyrolab.supervisor.supervisor import Supervisor
from pyrolab.supervisor.vigil import WhenStuck

BROKER = Key(Kind.NAMESERVER, "n")
DAEMON = Key(Kind.DAEMON, "d")
QUICK = Policy(first_delay_s=0.01, longest_delay_s=0.05, crash_limit=3, first_limit=2, grace_s=1)
DEADLINE_S = 30.0

Status = dict[str, Any]


def stand_in(key: Key, do: str = "run", **more: Any) -> Planned:
    services = tuple(more.get("services", ()))
    needs = more.get("needs", ())
    instructions = {"do": do, "services": services, "locations": {}}
    when_stuck = more.get("when_stuck", WhenStuck())
    return Planned(key, instructions, needs, services, module="stand_in", when_stuck=when_stuck)


def wait_for(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + DEADLINE_S
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)
    return found


class Bench:
    """A supervisor in a thread, and what it says of itself."""

    def __init__(self, *planned: Planned) -> None:
        self.supervisor = Supervisor(planned, "lab.yaml", policy=QUICK)
        self.statuses: list[Status] = []
        self.thread = threading.Thread(target=self.supervisor.run, args=(self.statuses.append,))
        self.thread.start()

    def wait(self, condition: Callable[[Status], Any]) -> Status:
        def found() -> Status | None:
            return next((status for status in self.statuses if condition(status)), None)

        status: Status = wait_for(found)
        return status

    def process(self, name: str) -> Status:
        process: Status = next(p for p in self.statuses[-1]["processes"] if p["name"] == name)
        return process

    def end(self) -> None:
        self.supervisor.stop()
        self.thread.join(DEADLINE_S)
        assert not self.thread.is_alive()


@pytest.fixture
def bench() -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def make(*planned: Planned) -> Bench:
        made.append(Bench(*planned))
        return made[-1]

    yield make
    for each in made:
        each.end()
        for process in each.statuses[-1]["processes"]:
            assert process["pid"] is None


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    monkeypatch.delenv("PYROLAB_NAMESERVER", raising=False)
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    return tmp_path / "home"
