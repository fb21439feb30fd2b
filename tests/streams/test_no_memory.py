"""Where there is no shared memory, or not enough, that is said at once, and nothing crashes later."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from live import clean_environment
from pyrolab.streams import memory
from pyrolab.streams.memory import NoSharedMemory
from streams.memory_processes import PAGE, linux, start


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
def test_what_has_been_closed_does_not_count(kind: str) -> None:
    with start("in_turn", kind, 64, 100) as process:
        assert process.ready == "100"


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
