"""Shared memory: what one process writes others read where it is, and nothing is left of any that dies."""

from __future__ import annotations

import gc
import json
import mmap
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from live import Process
from pyrolab.streams import memory
from pyrolab.streams.memory import Segment
from streams.memory_processes import KINDS, PAGE, as_root, linux, path_of, refused, start, until


def files_of(pid: int) -> list[str]:
    """What a process has left in /dev/shm."""
    return [each for each in os.listdir("/dev/shm") if each.startswith(f"pyrolab-{pid}-")]


# -- reading what others write ----------------------------------------------------------------------------


def test_a_reader_sees_what_the_creator_writes_after_it_has_opened_it(segment: Segment) -> None:
    segment.view[0] = 1
    with start("reader", json.dumps(segment.reference)) as process:
        assert process.ready == "1"
        for byte in (2, 3):
            segment.view[0] = byte
            assert process.read_line() == str(byte)


def test_the_memory_is_writable_bytes_of_the_size_asked_for(segment: Segment) -> None:
    assert (segment.size, segment.view.nbytes, segment.view.format) == (PAGE, PAGE, "B")
    assert bytes(segment.view) == bytes(PAGE)
    segment.view[-1] = 255
    assert memory.open_segment(segment.reference)[-1] == 255


def test_an_opened_segment_cannot_be_written(segment: Segment) -> None:
    view = memory.open_segment(segment.reference)
    assert view.readonly
    with pytest.raises(TypeError):
        view[0] = 1
    array = np.frombuffer(view, np.uint8)
    assert not array.flags.writeable
    with pytest.raises(ValueError, match="WRITEABLE"):
        array.flags.writeable = True


@linux
@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_RDWR])
def test_nobody_but_the_creator_can_write_to_memory_without_a_name(flags: int) -> None:
    segment = memory.create(PAGE, "memfd")
    try:
        descriptor = os.open(f"/proc/{os.getpid()}/fd/{segment.reference[2]}", flags)
    except PermissionError:
        return  # only root gets further
    try:
        with pytest.raises(PermissionError):
            mmap.mmap(descriptor, PAGE)
        for change in (lambda: os.write(descriptor, b"x"), lambda: os.ftruncate(descriptor, 0)):
            with pytest.raises(OSError, match=r"Errno"):
                change()
    finally:
        os.close(descriptor)


def test_a_view_outlives_the_segment_and_whoever_opened_it(segment: Segment) -> None:
    segment.view[0] = 9
    own, view = segment.view, memory.open_segment(segment.reference)
    array = np.ndarray((PAGE,), np.uint8, buffer=segment.view)  # keeps what is behind the view, only
    segment.close()
    segment.close()
    del segment
    gc.collect()
    own[1] = 8
    assert (view[0], view[1], array[1]) == (9, 8, 8)


def test_what_is_closed_or_dropped_cannot_be_opened_any_more(kind: str) -> None:
    closed, dropped = memory.create(PAGE, kind), memory.create(PAGE, kind)
    references = [closed.reference, dropped.reference]
    closed.close()
    del dropped
    gc.collect()
    for reference in references:
        assert "has gone" in refused(reference)


@linux
def test_each_is_there_for_its_owner_only(segment: Segment) -> None:
    assert stat.S_IMODE(os.stat(path_of(segment)).st_mode) & 0o077 == 0


@linux
def test_the_memory_is_there_before_it_is_written(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(mmap, "MAP_POPULATE")  # which could fail, and would not say so
    segment = memory.create(1 << 20, kind)
    assert os.stat(path_of(segment)).st_blocks * 512 >= 1 << 20


@linux
@as_root
def test_another_user_cannot_open_it(segment: Segment) -> None:
    with start("stranger", json.dumps(segment.reference)) as process:
        assert process.ready.startswith("unreachable: the publisher's memory belongs to another user")
    with start("guest_or_reason", json.dumps(segment.reference)) as process:
        assert process.ready == "0"


# -- death -------------------------------------------------------------------------------------------------


def test_nothing_is_left_of_a_creator_that_is_killed_and_readers_go_on(kind: str) -> None:
    with start("owner", kind, PAGE, 5) as process:
        reference = json.loads(process.ready)
        view = memory.open_segment(reference)
        process.kill()
        if sys.platform == "linux":
            until(lambda: not files_of(process.pid))
            assert refused(reference)
        assert bytes(view) == b"\x05" * PAGE


def test_a_reader_that_is_killed_harms_nobody(segment: Segment) -> None:
    for byte in (1, 2, 3):
        segment.view[0] = byte
        with start("reader", json.dumps(segment.reference)) as process:
            assert process.ready == str(byte)
            process.kill()
    assert memory.open_segment(segment.reference)[0] == 3


def test_a_reader_that_ends_takes_no_name_with_it(segment: Segment) -> None:
    with start("guest", json.dumps(segment.reference)) as process:
        process.popen.wait(30)
        assert process.popen.returncode == 0
    assert memory.open_segment(segment.reference)[0] == 0
    assert process.errors == []


def test_a_creator_that_ends_as_programs_do_leaves_nothing_and_says_nothing(kind: str) -> None:
    code = f"from pyrolab.streams import memory; s = memory.create(4096, {kind!r}); print(s.reference)"
    with Process("-c", code) as process:
        process.popen.wait(30)
        assert process.popen.returncode == 0
        if sys.platform == "linux":
            until(lambda: not files_of(process.pid))
    assert process.errors == []


@linux
def test_a_forked_child_that_ends_leaves_its_parents_memory_alone(kind: str) -> None:
    code = (
        "import os, sys; from pyrolab.streams import memory\n"
        f"segment = memory.create(4096, {kind!r})\n"
        "child = os.fork()\n"
        "if not child: sys.exit(0)\n"
        "os.waitpid(child, 0)\n"
        "print(memory.open_segment(segment.reference).nbytes)"
    )
    with Process("-c", code) as process:
        assert process.ready == "4096"
        process.popen.wait(30)
    assert process.errors == []


@linux
def test_what_the_killed_have_left_is_swept_up_at_the_first_segment() -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait(30)
    here = os.stat("/proc/self/ns/pid").st_ino
    ours = {
        "left": f"pyrolab-{dead.pid}-{here}-00000001",
        "alive": f"pyrolab-{os.getpid()}-{here}-00000001",
        "elsewhere": f"pyrolab-{dead.pid}-{here + 1}-00000001",
        "another's": f"pyrolab-{dead.pid}-{here}-00000002",
        "no segment": f"pyrolab-{dead.pid}-{here}-report.txt",
    }
    paths = {what: Path("/dev/shm", name) for what, name in ours.items()}
    for path in paths.values():
        path.write_bytes(b"")
    try:
        if os.geteuid() == 0:
            os.chown(paths["another's"], 65534, 65534)
        else:
            del paths["another's"]
        with start("owner", KINDS[0], PAGE, 0):
            assert not paths.pop("left").exists()
        assert all(path.exists() for path in paths.values())
    finally:
        for path in paths.values():
            path.unlink(missing_ok=True)


# -- which computer ----------------------------------------------------------------------------------------


def test_two_processes_of_one_computer_have_the_same_name_for_it() -> None:
    with Process("-c", "from pyrolab.streams import memory; print(memory.here())") as process:
        assert process.ready == memory.here()


@linux
def test_another_space_of_process_numbers_is_another_computer() -> None:
    code = "from pyrolab.streams import memory; print(memory.here())"
    done = subprocess.run(
        ["unshare", "-p", "-f", "--mount-proc", sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip("a namespace of its own is not permitted here")
    assert done.stdout.strip() != memory.here()
    assert done.stdout.split()[0] == memory.here().split()[0]
