"""The supervisor with real processes, which only pretend to have work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from pyrolab.config.places import run_directory
from pyrolab.errors import CommunicationError, SecurityError
from pyrolab.supervisor.control import ask
from pyrolab.supervisor.guardian import Guardian
from pyrolab.supervisor.instance import InstanceLock, Record, has_mark, read_record, running
from pyrolab.supervisor.supervisor import AlreadyRunning, Supervisor

from .conftest import BROKER, DAEMON, DEADLINE_S, Bench, stand_in, wait_for


def test_it_starts_everything_and_ends_everything(bench: Callable[..., Bench]) -> None:
    lab = bench(stand_in(BROKER), stand_in(DAEMON, needs=(BROKER,), services=["laser"]))
    status = lab.wait(lambda status: status["settled"])
    assert [process["state"] for process in status["processes"]] == ["running", "running"]
    assert status["processes"][1]["services"][0]["uri"] == "PYRO:laser@localhost:1"
    pids = [process["pid"] for process in status["processes"]]
    assert all(psutil.pid_exists(pid) for pid in pids)
    lab.end()
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert read_record() is None


def test_what_is_printed_goes_to_the_log_and_nothing_can_be_read(bench: Callable[..., Bench]) -> None:
    lab = bench(stand_in(DAEMON, "print"))
    lab.wait(lambda status: status["settled"])
    log = Path(lab.process("d")["log"]).read_text()
    assert "printed by a service" in log
    assert "written by a library" in log


def test_a_refusal_is_passed_on_and_not_tried_again(bench: Callable[..., Bench]) -> None:
    lab = bench(stand_in(DAEMON, "refuse"))
    lab.wait(lambda status: status["settled"])
    assert lab.process("d")["reason"] == "the stand-in does not want to"
    assert lab.process("d")["restarts"] == 0


def test_a_crash_that_repeats_ends_in_failure_with_its_last_lines(bench: Callable[..., Bench]) -> None:
    lab = bench(stand_in(DAEMON, "crash"))
    lab.wait(lambda status: status["settled"])
    process = lab.process("d")
    assert (process["state"], process["restarts"]) == ("failed", 1)
    assert "exit code 7" in process["reason"]
    assert process["last_lines"] == ["about to crash"]


def test_a_process_that_is_killed_comes_back(bench: Callable[..., Bench]) -> None:
    lab = bench(stand_in(DAEMON, services=["laser"]))
    first = lab.wait(lambda status: status["settled"])["processes"][0]["pid"]
    psutil.Process(first).kill()
    again = lab.wait(lambda status: status["settled"] and status["processes"][0]["restarts"] == 1)
    assert again["processes"][0]["pid"] != first
    assert again["processes"][0]["services"][0]["state"] == "running"


def test_commands_reach_it_with_the_secret_only(bench: Callable[..., Bench]) -> None:
    lab = bench(stand_in(DAEMON))
    lab.wait(lambda status: status["settled"])
    record = read_record()
    assert record is not None
    assert ask(record, "status")["config"] == "lab.yaml"
    assert "error" in ask(record, "dance")
    with pytest.raises(SecurityError):
        ask(Record(**{**vars(record), "secret": "guessed"}), "stop")
    assert ask(record, "stop")["stopping"]
    lab.thread.join(DEADLINE_S)
    with pytest.raises(CommunicationError, match="does not answer"):
        ask(record, "status")


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
def test_others_cannot_read_the_secret(bench: Callable[..., Bench]) -> None:
    lab = bench(stand_in(DAEMON))
    lab.wait(lambda status: status["settled"])
    assert (run_directory() / "supervisor.json").stat().st_mode & 0o077 == 0
    assert run_directory().stat().st_mode & 0o077 == 0


def test_there_is_only_one(bench: Callable[..., Bench]) -> None:
    lab = bench(stand_in(DAEMON))
    lab.wait(lambda status: status["settled"])
    with pytest.raises(AlreadyRunning):
        Supervisor([], "other.yaml").run()
    assert read_record() is not None


def test_the_lock_is_free_again_when_its_holder_is_gone() -> None:
    with InstanceLock() as first, InstanceLock() as second:
        assert first.acquire()
        assert not second.acquire()
        first.release()
        assert second.acquire()


SUPERVISE = """
import sys
from pyrolab.supervisor.core import Policy
from pyrolab.supervisor.events import Key, Kind
from pyrolab.supervisor.plan import Planned
from pyrolab.supervisor.supervisor import Supervisor
key = Key(Kind.DAEMON, "d")
planned = Planned(key, {"do": sys.argv[1], "locations": {}}, module="stand_in")
Supervisor([planned], "lab.yaml", mark=sys.argv[2], policy=Policy(grace_s=2)).run()
"""


@pytest.fixture
def supervise() -> Iterator[Callable[[str, str], subprocess.Popen[bytes]]]:
    """Starts a supervisor in a process of its own."""
    started: list[subprocess.Popen[bytes]] = []

    def start(do: str, mark: str) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen([sys.executable, "-c", SUPERVISE, do, mark]))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def child_of_the_record(mark: str) -> int | None:
    """The pid of the one child, once it runs."""
    record = read_record()
    if record is None or record.mark != mark or not record.children:
        return None
    status = ask(record, "status")
    return record.children[0] if status["settled"] else None


def test_children_end_when_the_supervisor_is_killed(supervise: Any) -> None:
    supervisor = supervise("run", "mark-1")
    child = wait_for(lambda: child_of_the_record("mark-1"))
    assert running() is not None
    supervisor.kill()
    supervisor.wait()
    wait_for(lambda: not has_mark(child, "mark-1"))
    assert running() is None


@pytest.mark.skipif(os.name != "posix", reason="the stand-in hangs in a POSIX call")
def test_a_stuck_child_of_a_dead_supervisor_is_killed_by_the_next(supervise: Any) -> None:
    first = supervise("hang", "mark-1")
    stuck = wait_for(lambda: child_of_the_record("mark-1"))
    first.kill()
    first.wait()
    second = supervise("run", "mark-2")
    wait_for(lambda: child_of_the_record("mark-2"))
    assert not has_mark(stuck, "mark-1")
    assert second.poll() is None


@pytest.mark.skipif(os.name != "posix", reason="the stand-in hangs in a POSIX call")
def test_a_stuck_child_of_a_dead_supervisor_is_killed_by_the_guardian(supervise: Any) -> None:
    supervisor = supervise("hang", "mark-1")
    stuck = wait_for(lambda: child_of_the_record("mark-1"))
    supervisor.kill()
    supervisor.wait()
    wait_for(lambda: not has_mark(stuck, "mark-1"))


@pytest.fixture
def watched() -> Iterator[subprocess.Popen[bytes]]:
    """A process that does not notice when its supervisor goes."""
    code = "import time; time.sleep(600)"
    process = subprocess.Popen([sys.executable, "-c", code, "mark-1"])
    yield process
    process.kill()
    process.wait()


def test_a_guardian_that_is_gone_is_replaced(tmp_path: Path, watched: subprocess.Popen[bytes]) -> None:
    guardian = Guardian("mark-1", tmp_path, patience_s=0.1)
    guardian.watch([])
    first = guardian._process
    assert first is not None
    first.kill()
    first.wait()
    guardian.watch([watched.pid])
    second = guardian._process
    assert second is not None
    assert second.stdin is not None
    second.stdin.close()  # as if the supervisor had died
    assert second.wait() == 0
    assert watched.wait() != 0


@pytest.mark.skipif(os.name != "posix", reason="the stand-in hangs in a POSIX call")
def test_a_stuck_child_is_killed_when_its_time_is_over(bench: Callable[..., Bench]) -> None:
    lab = bench(stand_in(DAEMON, "hang"))
    pid = lab.wait(lambda status: status["settled"])["processes"][0]["pid"]
    lab.end()
    assert not psutil.pid_exists(pid)


@pytest.mark.skipif(os.name != "posix", reason="SIGSTOP is POSIX")
def test_a_stopped_supervisor_keeps_its_children(supervise: Any) -> None:
    supervisor = supervise("run", "mark-1")
    child = wait_for(lambda: child_of_the_record("mark-1"))
    supervisor.send_signal(signal.SIGSTOP)
    assert has_mark(child, "mark-1")
    supervisor.send_signal(signal.SIGCONT)
    record = read_record()
    assert record is not None
    assert ask(record, "status")["settled"]
