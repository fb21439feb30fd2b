"""One supervisor for each user: its lock, its record, and what a dead one left behind.

The lock is the operating system's, so it goes with its process, however that ends.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType

import psutil

from pyrolab.config.places import private_directory, run_directory

#: How long the system may take to carry out a kill.
_KILL_S = 5.0


@dataclass(frozen=True)
class Record:
    """What a supervisor writes down for commands, and for its successor."""

    pid: int
    port: int
    secret: str
    #: Stands in the command line of each of its processes.
    mark: str
    config: str
    started: float
    children: list[int] = field(default_factory=list)


def write_record(record: Record) -> None:
    """Publish a record, whole or not at all, readable by this user alone."""
    path = _record_file()
    scratch = path.with_suffix(".new")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(asdict(record), file)
    scratch.replace(path)


def read_record() -> Record | None:
    """The record of the last supervisor, dead or alive; None if there is none."""
    try:
        return Record(**json.loads(_record_file().read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def forget_record() -> None:
    """Remove the record: nothing is left running."""
    _record_file().unlink(missing_ok=True)


def running() -> Record | None:
    """The record of the supervisor that runs now, or None."""
    record = read_record()
    return record if record is not None and has_mark(record.pid, record.mark) else None


def has_mark(pid: int, mark: str) -> bool:
    """Whether process `pid` lives and is the one that was started with `mark`."""
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and mark in process.cmdline()
    except psutil.Error:
        return False


def end_processes(pids: Iterable[int], mark: str, grace_s: float) -> list[int]:
    """Wait until the processes with `mark` have ended; returns the pids that had to be killed.

    They end by themselves when their supervisor does; only one that is stuck in a driver is killed.
    """
    stuck = _wait_for_end([pid for pid in pids if has_mark(pid, mark)], mark, grace_s)
    for pid in stuck:
        try:
            psutil.Process(pid).kill()
        except psutil.NoSuchProcess:
            pass  # it went by itself after all
    _wait_for_end(stuck, mark, _KILL_S)
    return stuck


def _wait_for_end(alive: list[int], mark: str, patience_s: float) -> list[int]:
    """Wait until all have ended, or the time is over; returns those that have not."""
    deadline = time.monotonic() + patience_s
    while alive and time.monotonic() < deadline:
        time.sleep(0.05)
        alive = [pid for pid in alive if has_mark(pid, mark)]
    return alive


def _record_file() -> Path:
    return run_directory() / "supervisor.json"


class InstanceLock:
    """Held by the one supervisor. `acquire` says whether this process is it."""

    def __init__(self) -> None:
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Take the lock; False if another process holds it."""
        path = private_directory(run_directory()) / "lock"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        if not _lock(descriptor):
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Give the lock back; the end of the process does it too."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> InstanceLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def _lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
