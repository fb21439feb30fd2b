"""What the broker keeps in its file: it is there after any end of the process, and one broker's alone."""

from __future__ import annotations

import logging
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyrolab.errors import CommunicationError
from pyrolab_broker.storage import Storage


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "nameservers" / "lab.sqlite"


def stored(path: Path) -> dict[str, dict[str, Any]]:
    storage = Storage(path)
    try:
        return storage.load()
    finally:
        storage.close()


def keep(path: Path, **names: Any) -> None:
    storage = Storage(path)
    for name, value in names.items():
        storage.store("names", name, value)
    storage.close()


def test_a_new_file_is_empty_and_the_users_alone(path: Path) -> None:
    assert stored(path) == {}
    if os.name == "posix":
        assert path.parent.stat().st_mode & 0o777 == 0o700
        assert {each.stat().st_mode & 0o777 for each in path.parent.iterdir()} == {0o600}


def test_values_come_back(path: Path) -> None:
    value = {"uri": "PYRO:obj@lab:9090", "tags": ["µ", ""], "n": [1, -(2**63), 2**64 - 1, 0.1], "b": b"\0"}
    storage = Storage(path)
    storage.store("names", "laser", value)
    storage.store("reservations", "laser", None)
    storage.store("facts", "started", 3)
    storage.store("facts", "gone", 1)
    storage.store("facts", "gone", None)
    assert storage.load() == {"names": {"laser": value}, "facts": {"started": 3}}
    storage.close()
    storage.close()
    assert stored(path) == {"names": {"laser": value}, "facts": {"started": 3}}


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
changes = st.tuples(st.sampled_from(["names", "facts"]), st.sampled_from("abc") | st.text(max_size=5), plain)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.lists(changes, max_size=10))
def test_the_file_says_what_a_dictionary_would(tmp_path: Path, made: list[tuple[str, str, Any]]) -> None:
    path = tmp_path / "any.sqlite"
    path.unlink(missing_ok=True)
    expected: dict[tuple[str, str], Any] = {}
    storage = Storage(path)
    for table, key, value in made:
        storage.store(table, key, value)
        expected[table, key] = value
    storage.close()
    found = {(table, key): value for table, values in stored(path).items() for key, value in values.items()}
    assert found == {place: value for place, value in expected.items() if value is not None}


# -- the end of the process --------------------------------------------------------------------------------

WRITER = """
import sys
from pathlib import Path
from pyrolab_broker.storage import Storage

storage = Storage(Path(sys.argv[1]))
for number in range(10**9):
    storage.store("names", f"n{number % 100}", {"number": number})
    print(number, flush=True)
"""


@pytest.fixture
def writer(path: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "0\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def last_number(writer: subprocess.Popen[str], at_least: int) -> int:
    """Let it write for a while, kill it, and return the last number that it said to have stored."""
    assert writer.stdout is not None
    while int(writer.stdout.readline()) < at_least:
        pass
    writer.kill()
    writer.wait()
    return max(map(int, writer.stdout.read().split()), default=at_least)


@pytest.mark.parametrize("at_least", [1, 50, 1777, 5000])
def test_what_was_stored_outlives_a_kill(writer: subprocess.Popen[str], path: Path, at_least: int) -> None:
    last = last_number(writer, at_least)
    numbers = [entry["number"] for entry in stored(path)["names"].values()]
    assert max(numbers) in (last, last + 1)  # it may have died before it could say so
    assert sorted(numbers) == list(range(max(0, max(numbers) - 99), max(numbers) + 1))


def test_a_second_broker_is_told_which_process_to_end(writer: subprocess.Popen[str], path: Path) -> None:
    with pytest.raises(
        CommunicationError, match=f"is in use by the broker of process {writer.pid}"
    ) as refusal:
        Storage(path)
    assert refusal.value.__dict__ == {"path": str(path), "used_by": str(writer.pid)}
    if sys.platform != "win32":
        writer.send_signal(signal.SIGSTOP)
        with pytest.raises(CommunicationError, match="is in use"):
            Storage(path)
    writer.kill()
    writer.wait()
    assert stored(path)["names"]


def test_in_one_process_it_is_one_brokers_too(path: Path) -> None:
    first = Storage(path)
    with pytest.raises(CommunicationError, match=f"process {os.getpid()}"):
        Storage(path)
    first.close()
    assert stored(path) == {}


def test_another_name_for_the_file_is_no_way_in(path: Path) -> None:
    first = Storage(path)
    other = path.with_name("other.sqlite")
    try:
        other.symlink_to(path)
    except OSError:
        pytest.skip("this system has no symbolic links for us")
    with pytest.raises(CommunicationError, match="locked"):
        Storage(other)
    first.close()


# -- files that are not what they should be ----------------------------------------------------------------


def set_aside(path: Path) -> list[Path]:
    return sorted(path.parent.glob("*.unreadable-*"))


@pytest.mark.parametrize("damage", ["header", "page", "end", "value", "text"])
def test_a_damaged_file_is_set_aside_and_said(
    path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    keep(path, **{f"n{number}": "x" * 100 for number in range(500)})
    content = bytearray(path.read_bytes())
    match damage:
        case "header":
            content[:100] = bytes(100)
        case "page":
            content[4096:8192] = os.urandom(4096)
        case "end":
            del content[len(content) // 2 :]
        case "value":
            database = sqlite3.connect(path)
            database.execute("UPDATE kept SET value = x'c1' WHERE name = 'n7'")
            database.commit()
            database.close()
            content[:] = path.read_bytes()
        case "text":
            content[:] = b"these are my notes\n"
    path.write_bytes(content)
    for beside in path.parent.glob("*-wal"):
        beside.unlink()

    assert stored(path) == {}
    (aside,) = set_aside(path)
    assert aside.read_bytes() == content
    (said,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert str(path) in said
    assert str(aside) in said
    keep(path, again=1)
    assert stored(path) == {"names": {"again": 1}}
    assert len(set_aside(path)) == 1


def test_two_damaged_files_do_not_replace_each_other(path: Path) -> None:
    path.parent.mkdir()
    for text in ("one" * 500, "two" * 500):
        path.write_text(text)
        Storage(path).close()
    assert {aside.read_text()[:3] for aside in set_aside(path)} == {"one", "two"}


def test_data_of_another_program_are_left_alone(path: Path) -> None:
    path.parent.mkdir()
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE measurements (x)")
    database.close()
    content = path.read_bytes()
    with pytest.raises(CommunicationError, match="the database of another program"):
        Storage(path)
    assert path.read_bytes() == content
    assert not set_aside(path)


def test_a_newer_file_is_left_alone(path: Path) -> None:
    keep(path, laser=1)
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 2")
    database.close()
    with pytest.raises(CommunicationError, match="newer PyroLab"):
        Storage(path)
    assert not set_aside(path)


def test_an_empty_file_is_a_new_one(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    keep(path, laser=1)
    assert stored(path) == {"names": {"laser": 1}}
    assert not set_aside(path)


# -- when it cannot be written -----------------------------------------------------------------------------


def test_a_place_that_cannot_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CommunicationError, match="cannot keep its names in"):
        Storage(tmp_path / "file" / "lab.sqlite")
    with pytest.raises(CommunicationError, match=r"cannot keep its names in .*directory"):
        Storage(tmp_path)


AS_SOMEBODY_ELSE = """
import os, sys
from pathlib import Path
from pyrolab.errors import CommunicationError
from pyrolab_broker.storage import Storage

if os.geteuid() == 0:
    os.seteuid(65534)  # root may write anywhere
try:
    Storage(Path(sys.argv[1]))
except CommunicationError as error:
    print(error)
"""


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
@pytest.mark.parametrize("file_exists", [False, True])
def test_a_directory_that_cannot_be_written_is_said(file_exists: bool) -> None:
    with tempfile.TemporaryDirectory() as place:  # not in pytest's, which nobody else may enter
        path = Path(place, "lab.sqlite")
        if file_exists:
            keep(path, laser=1)
            path.chmod(0o444)
        path.parent.chmod(0o555)
        done = subprocess.run(
            [sys.executable, "-c", AS_SOMEBODY_ELSE, str(path)], capture_output=True, text=True, timeout=30
        )
        path.parent.chmod(0o755)
    assert f"cannot keep its names in {path}: Permission denied" in done.stdout, done.stderr


LITTLE_ROOM = """
import resource, sys
from pathlib import Path
from pyrolab_broker.storage import Storage

path = Path(sys.argv[1])
storage = Storage(path)
storage.store("names", "first", 1)
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (path.with_name(path.name + "-wal").stat().st_size + 100, hard))
for name in ("second", "third"):
    try:
        storage.store("names", name, 2)
    except OSError as error:
        print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
storage.store("facts", "last", 3)
"""


@pytest.mark.skipif(os.name != "posix", reason="limits of files are POSIX")
def test_what_could_not_be_written_is_written_later(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LITTLE_ROOM, str(path)], capture_output=True, text=True, timeout=30
    )
    assert done.stdout.count(f"{path} cannot be written: ") == 2, done.stderr
    assert stored(path) == {"names": {"first": 1, "second": 2, "third": 2}, "facts": {"last": 3}}
