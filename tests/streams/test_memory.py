"""Shared memory: what one process writes others read where it is, and nothing is left of any that dies."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from live import Process, clean_environment
from pyrolab.errors import ProtocolError
from pyrolab.streams import memory, named
from pyrolab.streams.mappings import Mappings
from pyrolab.streams.memory import MemoryUnreachable, NoSharedMemory, Segment
from streams.memory_processes import KINDS, start, until

PAGE = 4096
linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux shows what it has in files")


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def segment(kind: str) -> Any:
    made = memory.create(PAGE, kind)
    yield made
    made.close()


def name_of(segment: Segment) -> str:
    return str(segment.reference[1])


def files_of(pid: int) -> list[str]:
    """What a process has left in /dev/shm."""
    return [each for each in os.listdir("/dev/shm") if each.startswith(f"pyrolab-{pid}-")]


def refused(reference: Any) -> str:
    """Why it cannot be opened."""
    with pytest.raises(MemoryUnreachable) as caught:
        memory.open_segment(reference)
    return str(caught.value)


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
    import mmap

    segment = memory.create(PAGE, "memfd")
    try:
        descriptor = os.open(f"/proc/{os.getpid()}/fd/{segment.reference[2]}", flags)
    except PermissionError:
        return  # only root gets further
    try:
        with pytest.raises(PermissionError):
            mmap.mmap(descriptor, PAGE)
        with pytest.raises(OSError, match="."):
            os.write(descriptor, b"x")
        with pytest.raises(OSError, match="."):
            os.ftruncate(descriptor, 0)
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
def test_each_is_there_for_its_owner_only(segment: Segment, kind: str) -> None:
    path = {"memfd": f"/proc/self/fd/{segment.reference[2]}", "named": f"/dev/shm/{name_of(segment)}"}[kind]
    assert stat.S_IMODE(os.stat(path).st_mode) & 0o077 == 0


@linux
@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become another user"
)
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
            path.unlink()


# -- where there is none -----------------------------------------------------------------------------------


@linux
def test_a_small_place_for_shared_memory_is_an_error_and_never_a_crash() -> None:
    mount = 'mount -t tmpfs -o size=1m tmpfs /dev/shm && exec "$0" "$@"'
    command = ["unshare", "-m", "sh", "-c", mount, sys.executable, "-m", "streams.memory_processes"]
    done = subprocess.run(
        [*command, "tight", str(4 << 20)],
        capture_output=True,
        text=True,
        env=clean_environment(),
        check=False,
    )
    if "ermission" in done.stderr or "not permitted" in done.stderr:
        pytest.skip("mounting is not permitted here")
    assert done.returncode == 0, done.stderr
    text, (references, reason, small_is_shared) = map(json.loads, done.stdout.splitlines())
    assert "there is no room for 4194304 more bytes" in text
    assert "make /dev/shm larger" in text
    assert references == [None, None]
    assert reason == ""  # it has been possible again
    assert small_is_shared
    assert done.stderr.count("frames go by the network on this computer, too: there is no room") == 1
    assert "leaked" not in done.stderr


@linux
@pytest.mark.parametrize(
    ("limit", "value", "size", "says"),
    [
        ("RLIMIT_FSIZE", 1 << 20, 2 << 20, "0 files of 2097152 bytes are not allowed here"),
        ("RLIMIT_NOFILE", 64, PAGE, "8 8 blocks of shared memory are in use, as many as a process with"),
    ],
)
def test_a_limit_of_the_process_is_said(kind: str, limit: str, value: int, size: int, says: str) -> None:
    with start("limited", kind, limit, value, size) as process:
        assert process.ready.startswith(says)


@linux
def test_too_little_address_space_is_said(kind: str) -> None:
    with start("limited", kind, "RLIMIT_AS", 1 << 30, 200 << 20) as process:
        assert "there is no room for 209715200 more bytes" in process.ready


@pytest.mark.parametrize("size", [0, -1, memory.MAX_SEGMENT_BYTES + 1, 1 << 70])
def test_sizes_that_are_none_are_refused(kind: str, size: int) -> None:
    with pytest.raises(NoSharedMemory, match="comes in 1 to 268435456 bytes"):
        memory.create(size, kind)


def test_a_kind_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="'memfd' or 'named', not 'disk'"):
        memory.create(PAGE, "disk")


@linux
def test_without_a_name_is_best_and_with_one_is_next(monkeypatch: pytest.MonkeyPatch) -> None:
    assert memory.create(PAGE).reference[0] == "memfd"

    def forbidden(*arguments: object) -> int:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "memfd_create", forbidden)  # as a container's seccomp filter does
    assert memory.create(PAGE).reference[0] == "named"
    with pytest.raises(NoSharedMemory, match="gives this process no memory without a name"):
        memory.create(PAGE, "memfd")


# -- references that lie -----------------------------------------------------------------------------------

ODD = [
    None,
    True,
    -1,
    0,
    1.5,
    float("nan"),
    "",
    "x",
    "/etc/passwd",
    "../x",
    b"memfd",
    [],
    {},
    1 << 64,
    1 << 200,
]


@pytest.fixture(scope="module", params=KINDS)
def honest(request: pytest.FixtureRequest) -> Any:
    made = memory.create(PAGE, str(request.param))
    yield made
    made.close()


@given(st.data())
def test_no_reference_does_any_harm(honest: Segment, data: st.DataObject) -> None:
    reference: list[Any] = list(honest.reference)
    numbers = st.integers(-2, 1 << 65) | st.sampled_from(ODD)
    for _ in range(data.draw(st.integers(1, 3))):
        match data.draw(st.sampled_from(["replace", "drop", "add", "near"])):
            case "replace" if reference:
                reference[data.draw(st.integers(0, len(reference) - 1))] = data.draw(numbers)
            case "drop" if reference:
                del reference[data.draw(st.integers(0, len(reference) - 1))]
            case "near" if reference and type(reference[-1]) is int:
                at = data.draw(st.integers(0, len(reference) - 1))
                if type(reference[at]) is int:
                    reference[at] += data.draw(st.integers(-3, 3))
            case _:
                reference.insert(data.draw(st.integers(0, len(reference))), data.draw(numbers))
    with contextlib.suppress(MemoryUnreachable):
        view = memory.open_segment(reference)
        assert len(bytes(view)) == reference[-1]
    with contextlib.suppress(MemoryUnreachable, ProtocolError):
        size = data.draw(st.integers(-1, 2 * PAGE) | st.sampled_from(ODD))
        view = Mappings().view(reference, size, data.draw(numbers))
        assert len(bytes(view)) == size


@pytest.mark.parametrize(
    "reference", [*ODD, "memfd", "named", ("memfd",), ["memfd"], ["named"], {"memfd": 1}]
)
def test_what_is_no_reference_is_refused(reference: Any) -> None:
    assert refused(reference)
    with pytest.raises(MemoryUnreachable):
        Mappings().view(reference, 0, 1)


def test_a_kind_of_another_day_is_refused() -> None:
    assert "of kind 'gpu' cannot be opened" in refused(["gpu", 1, 2])


def test_more_bytes_than_there_are_is_refused(segment: Segment) -> None:
    assert refused([*segment.reference[:-1], PAGE + 1]) == "the publisher's memory has 4096 bytes, not 4097"
    assert memory.open_segment([*segment.reference[:-1], PAGE - 1]).nbytes == PAGE - 1


@linux
@pytest.mark.parametrize("place", [3, 4])
def test_memory_that_has_taken_the_place_of_another_is_not_taken_for_it(place: int) -> None:
    segment = memory.create(PAGE, "memfd")
    reference = list(segment.reference)
    reference[place] += 1
    assert "something else has its place" in refused(reference)


@linux
def test_memory_that_could_shrink_is_refused() -> None:
    descriptor = os.memfd_create("unsealed", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(descriptor, PAGE)
        assert "could take its memory away" in refused(reference_to(descriptor))
    finally:
        os.close(descriptor)


def reference_to(descriptor: int) -> list[Any]:
    found = os.fstat(descriptor)
    return ["memfd", os.getpid(), descriptor, found.st_dev, found.st_ino, max(found.st_size, 1)]


@linux
def test_a_file_is_not_taken_for_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(PAGE))
    with open(tmp_path / "file", "rb") as file:
        assert refused(reference_to(file.fileno())) == "what the publisher names is a file, not memory"


@linux
def test_pipes_and_devices_are_not_even_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # opening it would wait for a writer
    descriptors = [os.open(tmp_path / "pipe", os.O_RDWR), os.open("/dev/null", os.O_RDONLY), *os.pipe()]
    try:
        for descriptor in descriptors:
            assert refused(reference_to(descriptor)) == "what the publisher names is no memory"
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


@linux
def test_a_name_that_leads_elsewhere_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(bytes(PAGE))
    name = f"pyrolab-{os.getpid()}-1-00000009"
    os.symlink(tmp_path / "secret", f"/dev/shm/{name}")
    try:
        assert refused(["named", name, PAGE])
    finally:
        os.unlink(f"/dev/shm/{name}")
    assert refused(["named", f"../..{tmp_path}/secret", PAGE]) == "this names no shared memory of ours"


@linux
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
def test_a_named_segment_of_another_user_is_refused_by_root_too() -> None:
    segment = memory.create(PAGE, "named")
    os.chown(f"/dev/shm/{name_of(segment)}", 65534, 65534)
    assert "belongs to another user" in refused(segment.reference)


# -- where names are all there is --------------------------------------------------------------------------


def test_python_s_own_way_to_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS and Windows: the same, and the name stays with its creator."""
    monkeypatch.setattr(named, "_FOLDER", None)
    with start("owner", "named", PAGE, 6) as process:
        reference = json.loads(process.ready)
        view = memory.open_segment(reference)
        assert view.readonly
        assert bytes(view) == b"\x06" * PAGE
        assert "bytes, not 8192" in refused([*reference[:2], 2 * PAGE])
        process.kill()
        array = np.frombuffer(view, np.uint8)
        del view
        gc.collect()
        assert array[-1] == 6
    own = memory.create(PAGE, "named")
    assert memory.open_segment(own.reference).nbytes == PAGE
    own.close()
    assert "has gone" in refused(own.reference)


@linux
def test_a_guest_that_uses_python_s_own_way_takes_no_name_with_it() -> None:
    segment = memory.create(PAGE, "named")
    code = (
        "from pyrolab.streams import memory, named; named._FOLDER = None\n"
        f"print(memory.open_segment({segment.reference})[0])"
    )
    with Process("-c", code) as process:
        assert process.ready == "0"
        process.popen.wait(30)
    assert process.errors == []
    assert memory.open_segment(segment.reference)[0] == 0


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
