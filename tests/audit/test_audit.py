"""The audit log: what is in the file, that it is there in time, and how it is read again."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from pyrolab.audit import AuditLog, Entry, entries, latest_first
from pyrolab.audit.log import file_stem

POSIX = pytest.mark.skipif(os.name != "posix", reason="modes, limits and devices are POSIX")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "audit"


def begin(log: AuditLog, call: str = "1/1", **about: Any) -> None:
    told: dict[str, Any] = {
        "user": "ana",
        "host": "lab-pc",
        "pid": 12,
        "service": "stage",
        "action": "move",
        "args": (12.5,),
        "kwargs": {"speed": 2},
    }
    log.begun(call=call, **told | about)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]


# -- writing -----------------------------------------------------------------------------------------------


def test_a_call_is_a_line_when_it_begins_and_one_when_it_ends(directory: Path) -> None:
    log = AuditLog(directory, "daemon-bench")
    assert not directory.exists()
    begin(log)
    log.ended(call="1/1", outcome="raised", seconds=0.25, text="ValueError: no")
    began, ended = lines(directory / "daemon-bench.jsonl")
    assert began.pop("time") <= ended.pop("time")
    assert began == {
        "kind": "begun",
        "call": "1/1",
        "user": "ana",
        "host": "lab-pc",
        "pid": 12,
        "service": "stage",
        "action": "move",
        "arguments": "12.5, speed=2",
    }
    assert ended == {
        "kind": "ended",
        "call": "1/1",
        "outcome": "raised",
        "seconds": 0.25,
        "text": "ValueError: no",
    }


def test_notes_keep_their_facts(directory: Path) -> None:
    log = AuditLog(directory, "broker-lab")
    facts = {"what": "a fact", "services": ["a", "b"], "nan": float("nan"), "obj": object(), "n": {1: (2,)}}
    log.note("reserved", **{name: fact for name, fact in facts.items() if name != "what"}, until=12.5)
    (note,) = entries(directory)
    assert (note.what, note.log, note.outcome) == ("reserved", "broker-lab", None)
    assert note.facts == {
        "services": ["a", "b"],
        "nan": "nan",
        "obj": "<object>",
        "n": {"1": [2]},
        "until": 12.5,
    }


def test_each_line_is_there_before_the_call_returns(directory: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from pyrolab.audit import AuditLog;"
        "AuditLog(Path(sys.argv[1]), 'w').begun(call='1/1', user='u', host='h', pid=1, service='s',"
        " action='fire', args=(), kwargs={}); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, str(directory)], timeout=30, check=False)
    (entry,) = entries(directory)
    assert (entry.action, entry.outcome) == ("fire", None)


@POSIX
def test_the_files_are_the_users_alone(directory: Path) -> None:
    log = AuditLog(directory, "w", max_bytes=100)
    before = os.umask(0)
    try:
        begin(log)
        begin(log)
    finally:
        os.umask(before)
    assert directory.stat().st_mode & 0o777 == 0o700
    assert [path.stat().st_mode & 0o777 for path in directory.iterdir()] == [0o600, 0o600]


def test_files_are_kept_up_to_a_number(directory: Path) -> None:
    log = AuditLog(directory, "w", max_bytes=1000, keep=3)
    for number in range(40):
        begin(log, f"1/{number}")
        log.ended(call=f"1/{number}", outcome="done", seconds=0)
    assert sorted(path.name for path in directory.iterdir()) == ["w.1.jsonl", "w.2.jsonl", "w.jsonl"]
    assert all(path.stat().st_size <= 1000 for path in directory.iterdir())
    found = [entry.call for entry in entries(directory)]
    assert found == [f"1/{number}" for number in range(40 - len(found), 40)]
    assert len(found) > 6


def test_one_file_can_be_all(directory: Path) -> None:
    log = AuditLog(directory, "w", max_bytes=500, keep=1)
    for number in range(20):
        begin(log, f"1/{number}")
    assert [path.name for path in directory.iterdir()] == ["w.jsonl"]
    assert [entry.call for entry in entries(directory)][-1] == "1/19"


def test_threads_and_other_logs_of_the_same_name_lose_nothing(directory: Path) -> None:
    logs = [AuditLog(directory, "w", max_bytes=5000, keep=100) for _ in range(2)]

    def write(number: int) -> None:
        for each in range(200):
            begin(logs[number % 2], f"{number}/{each}")
            logs[number % 2].ended(call=f"{number}/{each}", outcome="done", seconds=0)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = [entry.call for entry in entries(directory)]
    assert sorted(found) == sorted(f"{number}/{each}" for number in range(4) for each in range(200))


def test_processes_that_share_a_name_lose_nothing(directory: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from pyrolab.audit import AuditLog;"
        "log = AuditLog(Path(sys.argv[1]), 'w', max_bytes=5000, keep=200)\n"
        "for n in range(500): log.note(sys.argv[2], n=n)"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(directory), name]) for name in "ab"]
    assert [process.wait(30) for process in running] == [0, 0]
    told = [(entry.what, entry.facts["n"]) for entry in entries(directory)]
    assert sorted(told) == sorted((name, n) for name in "ab" for n in range(500))


@POSIX
def test_a_deleted_file_is_made_again(directory: Path) -> None:
    log = AuditLog(directory, "w")
    begin(log, "1/0")
    log.path.unlink()
    for number in range(40):
        begin(log, f"1/{number}")
    assert [entry.call for entry in entries(directory)][-1] == "1/39"


def test_nothing_that_a_caller_chooses_breaks_a_line(directory: Path) -> None:
    class Hostile:
        def __repr__(self) -> str:
            raise AssertionError

    log = AuditLog(directory, "w")
    nasty = '"}\n\x1b[2J\x9b\u2028\ud800'
    begin(log, nasty, user=nasty, host=nasty, service=nasty, action=nasty, args=(nasty,), kwargs={nasty: 1})
    log.ended(call=nasty, outcome=nasty, seconds=float("nan"), text=nasty)
    begin(log, "1/2", user=Hostile(), pid="x", action="a" * 10_000, args=(Hostile(),), kwargs=Hostile())
    log.ended(call="1/2", outcome="done", seconds=Hostile(), text=Hostile())  # type: ignore[arg-type]
    assert all(32 <= byte < 127 or byte == 10 for byte in log.path.read_bytes())
    first, second = entries(directory)
    assert (first.user, first.action, first.outcome, first.text) == (nasty,) * 4
    assert (second.user, second.pid, second.text, second.seconds) == ("<Hostile>", 0, "<Hostile>", None)
    assert len(second.action) == 255


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("daemon-a.b", "daemon-a.b"),
        ("lab.1", "lab%2E1"),
        ("../x", "%2E.%2Fx"),
        (".x", "%2Ex"),
        ("a/b\\c", "a%2Fb%5Cc"),
        ("ana@pc", "ana@pc"),
        ("µ", "%C2%B5"),
    ],
)
def test_any_name_can_name_a_log(name: str, stem: str, directory: Path) -> None:
    assert file_stem(name) == stem
    AuditLog(directory, name).note("hello")
    assert [entry.log for entry in entries(directory)] == [name]
    assert [path.parent for path in directory.rglob("*.jsonl")] == [directory]


# -- when it cannot be written -----------------------------------------------------------------------------


@POSIX
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_on_a_full_disk_a_call_is_refused_and_the_rest_goes_on(
    directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory.mkdir()
    (directory / "w.jsonl").symlink_to("/dev/full")
    log = AuditLog(directory, "w")
    for _ in range(3):
        with pytest.raises(OSError, match=r"No space left on device.*w\.jsonl"):
            begin(log)
    log.ended(call="1/1", outcome="done", seconds=1)
    log.note("stop")
    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert said == [f"the audit log {log.path} cannot be written: No space left on device"]


LITTLE_ROOM = """
import resource, sys
from pathlib import Path
from pyrolab.audit import AuditLog

log = AuditLog(Path(sys.argv[1]), "w")
log.note("first")
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (log.path.stat().st_size + 20, hard))
for _ in range(2):
    try:
        log.begun(call="1/1", user="u", host="h", pid=1, service="s", action="a", args=(), kwargs={})
    except OSError as error:
        print(type(error).__name__)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
log.note("second")
"""


@POSIX
def test_a_line_that_did_not_fit_spoils_no_other(directory: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LITTLE_ROOM, str(directory)], capture_output=True, text=True, timeout=30
    )
    assert done.stdout.split() == ["OSError", "OSError"], done.stderr
    assert [entry.what for entry in entries(directory)] == ["first", "second"]
    assert "is written again" in done.stderr


def test_where_no_directory_can_be_there_is_no_log(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    log = AuditLog(tmp_path / "file" / "audit", "w")
    with pytest.raises(OSError, match=r"w\.jsonl"):
        begin(log)
    (tmp_path / "file").unlink()
    begin(log)
    assert len(list(entries(log.directory))) == 1


def test_after_the_end_nothing_is_written(directory: Path) -> None:
    log = AuditLog(directory, "w")
    begin(log)
    log.close()
    log.close()
    with pytest.raises(OSError, match="closed"):
        begin(log)
    log.ended(call="1/1", outcome="done", seconds=1)
    assert [entry.outcome for entry in entries(directory)] == [None]


# -- reading -----------------------------------------------------------------------------------------------


def test_beginnings_and_ends_are_put_together(directory: Path) -> None:
    log = AuditLog(directory, "w", max_bytes=600)
    begin(log, "1/1")
    begin(log, "2/1", user="ben", host="h2", pid=3, service="laser", action="power =", args=(5,), kwargs={})
    begin(log, "3/1")
    log.ended(call="2/1", outcome="done", seconds=0.5)
    log.ended(call="1/1", outcome="raised", seconds=1.5, text="ValueError: far")
    found = list(entries(directory))
    assert [(entry.call, entry.outcome, entry.seconds) for entry in found] == [
        ("1/1", "raised", 1.5),
        ("2/1", "done", 0.5),
        ("3/1", None, None),
    ]
    assert found[1] == Entry(
        found[1].time, "w", "call", "2/1", "ben", "h2", 3, "laser", "power =", "5", "done", 0.5
    )
    assert len(list(directory.iterdir())) > 1


def test_a_number_that_comes_again_is_another_call(directory: Path) -> None:
    log = AuditLog(directory, "w")
    begin(log, "1/1", action="a")
    begin(log, "1/1", action="b")
    log.ended(call="1/1", outcome="done", seconds=0)
    assert [(entry.action, entry.outcome) for entry in entries(directory)] == [("a", None), ("b", "done")]


def test_all_logs_come_in_the_order_of_time(directory: Path) -> None:
    logs = [AuditLog(directory, f"daemon-{name}") for name in "ab"]
    for number in range(20):
        begin(logs[number % 3 % 2], f"{number}/1")
    assert [entry.call for entry in entries(directory)] == [f"{number}/1" for number in range(20)]
    assert [entry.call for entry in latest_first(directory)][:2] == ["19/1", "18/1"]


def test_since_leaves_out_what_began_before(directory: Path) -> None:
    log = AuditLog(directory, "w", max_bytes=400)
    for number in range(10):
        begin(log, f"{number}/1")
    all_of_them = list(entries(directory))
    assert list(entries(directory, since=all_of_them[7].time)) == all_of_them[7:]
    assert list(entries(directory, since=all_of_them[-1].time + 1)) == []
    for path in directory.iterdir():
        os.utime(path, (0, 0))
    assert list(entries(directory, since=1000.0)) == []  # files that are old are not even read


def test_what_is_no_line_is_passed_over(directory: Path) -> None:
    log = AuditLog(directory, "w")
    begin(log, "1/1")
    whole = log.path.read_bytes()
    nonsense = (
        b'[]\nnull\n{}\n{"kind":"begun"}\n{"kind":"ended","call":[]}\n\xff\xfe\n\n' + b"[" * 100_000 + b"\n"
    )
    log.path.write_bytes(nonsense + whole + whole[:40])
    (directory / "stray.txt").write_text("x")
    assert [entry.call for entry in entries(directory)] == ["1/1"]
    again = AuditLog(directory, "w")
    begin(again, "1/2")
    assert [entry.call for entry in entries(directory)] == ["1/1", "1/2"]


def test_where_there_is_no_directory_there_is_nothing(directory: Path) -> None:
    assert list(entries(directory)) == []


def test_files_that_get_other_names_while_they_are_read_are_read_once(directory: Path) -> None:
    log = AuditLog(directory, "w", max_bytes=300)
    for number in range(5):
        begin(log, f"1/{number}")
    reading = latest_first(directory)
    newest = next(reading)
    for number in range(5, 9):
        begin(log, f"1/{number}")
    assert [newest.call, *(entry.call for entry in reading)] == [f"1/{number}" for number in (4, 3, 2, 1, 0)]
