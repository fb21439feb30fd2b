"""`pyrolab up`, `ps`, `nslist`, `info`, `down` with the library catalogue, in real processes."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from pyrolab.client.nameservice import locate_ns
from pyrolab.client.proxy import Proxy
from pyrolab.errors import CommunicationError, EmergencyStopped, NamingError
from pyrolab.supervisor.instance import read_record

from .conftest import Run, command

EXAMPLE = Path(__file__).parents[2] / "examples" / "library_catalog"
DEADLINE_S = 40.0

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """The library's directory, with a broker at a free port."""
    directory = tmp_path / "lab"
    shutil.copytree(EXAMPLE, directory, ignore=shutil.ignore_patterns("__pycache__"))
    config = directory / "config.yaml"
    config.write_text(config.read_text().replace("ns_port: 9090", "ns_port: 0"))
    return config


def status(pyrolab: Run) -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(pyrolab("ps", "--json").stdout)
    return shown


def broker_of(pyrolab: Run) -> str:
    address: str = status(pyrolab)["processes"][0]["address"]
    return address


def pids_of(pyrolab: Run) -> list[int]:
    record = read_record()
    assert record is not None
    return [record.pid, *(process["pid"] for process in status(pyrolab)["processes"])]


def wait_for(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + DEADLINE_S
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)
    return found


def ended(pids: list[int]) -> bool:
    return not any(is_alive(pid) for pid in pids)


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended may wait a while for its parent to notice."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_the_library_from_up_to_down(pyrolab: Run, lab: Path) -> None:
    up = pyrolab("up", lab)
    assert (up.returncode, up.stderr.strip()) == (0, "")
    assert "PyroLab is up" in up.stdout
    where, pids = broker_of(pyrolab), pids_of(pyrolab)
    assert len(pids) == 3

    with locate_ns(where) as names:
        uri, metadata = names.lookup("library", return_metadata=True)
    assert metadata == {"The catalogue of the library"}
    with Proxy(uri) as catalog:
        catalog.add_book("The Hobbit", 3)
        catalog.checkout("The Hobbit")
        with pytest.raises(LookupError, match="no book 'Dune'"):
            catalog.checkin("Dune")
        assert catalog.get_catalog() == {"The Hobbit": 2}

    assert str(uri) in pyrolab("ps").stdout
    assert str(uri) in pyrolab("nslist", "--host", where).stdout
    assert json.loads(pyrolab("nslist", "--host", where, "--prefix", "lib", "--json").stdout) == {
        "library": {"uri": str(uri), "metadata": ["The catalogue of the library"]}
    }
    assert "libservice" in pyrolab("info", "library").stdout

    assert pyrolab("down").stdout == "PyroLab is down\n"
    assert ended(pids)
    with pytest.raises(CommunicationError):
        locate_ns(where)
    assert pyrolab("ps").returncode == 1


def test_ps_shows_what_there_is_to_do_and_estop_stops_it(pyrolab: Run, lab: Path) -> None:
    assert pyrolab("up", lab).returncode == 0
    where = broker_of(pyrolab)
    with Proxy(f"PYRONAME:library@{where}") as catalog:
        catalog.add_book("The Hobbit", 3)
        with catalog.reserve(user="ana"):
            shown = pyrolab("ps").stdout
            (service,) = status(pyrolab)["processes"][1]["services"]
        row = next(line.split() for line in shown.splitlines() if " library " in line)
        assert row[:7] == ["service", "library", "running", "0", "0", "0", "0"]
        assert " ana for " in shown
        assert (service["load"]["calls"] > 0, service["load"]["reserved"]["user"]) == (True, "ana")

        stop = pyrolab("estop", "a test", "--nameserver", where)
        assert (stop.returncode, stop.stderr) == (0, "")
        assert "library  no hook" in stop.stdout
        assert "a test" in pyrolab("ps").stdout.splitlines()[0]
        with pytest.raises(EmergencyStopped, match="a test"):
            catalog.add_book("Optics", 1)
        assert pyrolab("estop", "--reset", "--nameserver", where).returncode == 0
        catalog.add_book("Optics", 1)

    calls = pyrolab("audit", "--service", "library", "--call", "add_book").stdout
    assert "add_book('The Hobbit', 3)" in calls
    assert "add_book('Optics', 1)" in calls
    assert "emergency stop: reason=a test" in pyrolab("audit", "--call", "emergency").stdout


def test_the_example_client_runs(pyrolab: Run, lab: Path) -> None:
    assert pyrolab("up", lab).returncode == 0
    environment = {**os.environ, "PYROLAB_NAMESERVER": broker_of(pyrolab)}
    client = subprocess.run(
        [sys.executable, str(EXAMPLE / "client.py")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=40,
    )
    assert client.returncode == 0, client.stderr
    assert "Not returned: the library has no book 'Dune'" in client.stdout


def test_a_second_up_finds_the_first(pyrolab: Run, lab: Path) -> None:
    assert pyrolab("up", lab).returncode == 0
    before = pids_of(pyrolab)
    again = pyrolab("up", lab)
    assert (again.returncode, "runs already" in again.stdout) == (0, True)
    other = lab.with_name("other.yaml")
    other.write_text("nameservers: {n: {ns_port: 0}}\n")
    refused = pyrolab("up", other)
    assert refused.returncode == 1
    assert f"with {lab}; `pyrolab down` stops it" in refused.stderr
    assert pids_of(pyrolab) == before


def test_two_at_once_are_one(pyrolab: Run, lab: Path) -> None:
    both = [subprocess.Popen(command("up", lab), stdout=subprocess.DEVNULL) for _ in range(2)]
    try:
        assert [process.wait(DEADLINE_S) for process in both] == [0, 0]
    finally:
        for process in both:
            process.kill()
            process.wait()
    record = read_record()
    assert record is not None
    marked = [p for p in psutil.process_iter(["cmdline"]) if str(lab) in (p.info["cmdline"] or [])]
    assert [process.pid for process in marked] == [record.pid]


def test_what_cannot_be_served_is_said_and_the_rest_runs(pyrolab: Run, lab: Path) -> None:
    text = lab.read_text().replace(
        "autolaunch:", "  ghost: {class: 'libservice:Ghost', daemon: reading-room}\n\nautolaunch:"
    )
    lab.write_text(text)
    up = pyrolab("up", lab)
    assert up.returncode == 1
    assert "The service 'ghost' has failed" in up.stderr
    assert "has no class 'Ghost'; it has LibraryCatalog" in up.stderr
    with locate_ns(broker_of(pyrolab)) as names:
        assert "library" in names.list()
        assert "ghost" not in names.list()


def test_a_module_that_fails_is_shown_with_its_log(pyrolab: Run, lab: Path) -> None:
    (lab.parent / "libservice.py").write_text("raise OSError('the scanner is not plugged in')\n")
    up = pyrolab("up", lab)
    assert up.returncode == 1
    assert "OSError: the scanner is not plugged in" in up.stderr
    assert "  |     raise OSError('the scanner is not plugged in')" in up.stderr
    log = up.stderr.partition("log: ")[2].splitlines()[0]
    assert "Traceback" in Path(log).read_text()


def test_a_port_in_use_is_explained_and_nothing_stays(pyrolab: Run, lab: Path) -> None:
    with socket.socket() as occupant:
        occupant.bind(("127.0.0.1", 0))
        occupant.listen()
        port = occupant.getsockname()[1]
        lab.write_text(lab.read_text().replace("ns_port: 0", f"ns_port: {port}"))
        up = pyrolab("up", lab)
        alone = pyrolab("broker", "--port", port)
    assert (up.returncode, alone.returncode) == (1, 1)
    for said in (up.stderr, alone.stderr):
        assert f"port {port} is in use by process {os.getpid()} (" in said
    assert "Nothing is left running" in up.stderr
    assert read_record() is None


def test_nothing_is_imported_from_where_one_happens_to_be(pyrolab: Run, lab: Path) -> None:
    elsewhere = lab.parent.parent / "elsewhere"
    for name in ("libservice.py", "yaml.py", "zmq.py"):
        (elsewhere / name).write_text("raise RuntimeError('imported from the working directory')\n")
    up = subprocess.run(
        [Path(sys.executable).with_name("pyrolab"), "up", str(lab)],
        cwd=elsewhere,
        capture_output=True,
        text=True,
        timeout=60,
    )
    for name in ("libservice.py", "yaml.py", "zmq.py"):
        (elsewhere / name).unlink()
    assert up.returncode == 0, up.stderr


def test_a_killed_daemon_comes_back_under_its_name(pyrolab: Run, lab: Path) -> None:
    pyrolab("up", lab)
    where, daemon = broker_of(pyrolab), pids_of(pyrolab)[2]
    with locate_ns(where) as names:
        uri = names.lookup("library")
    with Proxy(uri) as catalog:
        catalog.add_book("The Hobbit", 3)
        psutil.Process(daemon).kill()

        def is_new() -> bool:
            with contextlib.suppress(CommunicationError):
                return bool(catalog.get_catalog() == {})
            return False

        wait_for(is_new)
    with locate_ns(where) as names:
        assert names.lookup("library") == uri
    assert status(pyrolab)["processes"][1]["restarts"] == 1


@pytest.mark.skipif(os.name != "posix", reason="SIGSTOP is POSIX")
def test_a_daemon_whose_python_does_not_run_is_shown_as_hung(pyrolab: Run, lab: Path) -> None:
    lab.write_text(lab.read_text().replace("classname: Daemon", "classname: Daemon\n    hung_after_s: 2"))
    assert pyrolab("up", lab).returncode == 0
    daemon = pids_of(pyrolab)[2]
    os.kill(daemon, signal.SIGSTOP)
    try:
        wait_for(lambda: status(pyrolab)["processes"][1]["state"] == "hung")
        shown = pyrolab("ps").stdout
        assert "hung" in shown
        assert "its Python has not run for" in shown
    finally:
        os.kill(daemon, signal.SIGCONT)
    wait_for(lambda: status(pyrolab)["processes"][1]["state"] == "running")
    assert pids_of(pyrolab)[2] == daemon


def test_a_killed_broker_comes_back_with_its_port_and_its_names(pyrolab: Run, lab: Path) -> None:
    pyrolab("up", lab)
    where, broker = broker_of(pyrolab), pids_of(pyrolab)[1]
    with locate_ns(where) as names:
        uri = names.lookup("library")
    psutil.Process(broker).kill()

    def listed_again() -> bool:
        with contextlib.suppress(CommunicationError, NamingError), locate_ns(where) as names:
            return names.lookup("library") == uri
        return False

    wait_for(listed_again)
    assert broker_of(pyrolab) == where


def test_a_killed_supervisor_takes_everything_along_and_up_works_again(pyrolab: Run, lab: Path) -> None:
    pyrolab("up", lab)
    pids = pids_of(pyrolab)
    psutil.Process(pids[0]).kill()
    again = pyrolab("up", lab)
    assert again.returncode == 0, again.stderr
    assert ended(pids)


@pytest.fixture
def foreground(lab: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command("up", "--foreground", lab), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    yield process
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")
@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_in_the_foreground_a_signal_ends_everything(
    pyrolab: Run, foreground: subprocess.Popen[str], signal_number: signal.Signals
) -> None:
    assert foreground.stdout is not None
    for line in foreground.stdout:
        if line.startswith("service library: running"):
            break
    pids = pids_of(pyrolab)
    assert pids[0] == foreground.pid
    foreground.send_signal(signal_number)
    assert foreground.wait(DEADLINE_S) == 0
    assert ended(pids[1:])


def test_in_the_foreground_a_complete_failure_is_the_end(pyrolab: Run, lab: Path) -> None:
    lab.write_text(lab.read_text().replace("classname: Daemon", "classname: Deamon"))
    with socket.socket() as occupant:
        occupant.bind(("127.0.0.1", 0))
        occupant.listen()
        lab.write_text(lab.read_text().replace("ns_port: 0", f"ns_port: {occupant.getsockname()[1]}"))
        up = pyrolab("up", "--foreground", lab)
    assert up.returncode == 1
    assert "is in use by" in up.stderr


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")
def test_ctrl_c_while_starting_leaves_nothing(pyrolab: Run, lab: Path) -> None:
    (lab.parent / "libservice.py").write_text("import time\ntime.sleep(600)\n")
    with subprocess.Popen(command("up", lab), stderr=subprocess.PIPE, text=True) as up:
        try:
            wait_for(lambda: (record := read_record()) and len(record.children) == 2)
            pids = pids_of(pyrolab)
            up.send_signal(signal.SIGINT)
            _, said = up.communicate(timeout=DEADLINE_S)
        finally:
            up.kill()
    assert up.returncode == 130
    assert "stopping" in said
    assert ended(pids)


@pytest.fixture
def broker() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(command("broker", "--port", 0), stdout=subprocess.PIPE, text=True)
    yield process
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")
def test_a_broker_of_its_own(pyrolab: Run, broker: subprocess.Popen[str]) -> None:
    assert broker.stdout is not None
    where = broker.stdout.readline().split()[4].rstrip(";")
    with locate_ns(where) as names:
        names.register("here", f"PYRO:obj@{where}")
    assert "here" in pyrolab("nslist", "--host", where).stdout
    broker.send_signal(signal.SIGINT)
    assert broker.wait(DEADLINE_S) == 0
