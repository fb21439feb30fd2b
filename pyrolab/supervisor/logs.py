"""Log files: one for each process, and their last lines."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyrolab.config.places import file_name, log_directory

#: A log larger than this is put aside (`.1`) when its process starts.
ROTATE_BYTES = 5_000_000
_TAIL_BYTES = 16_384


def log_file(kind: str, name: str = "") -> Path:
    """Where a process writes; `kind` is `nameserver`, `daemon` or `supervisor`."""
    return log_directory() / (f"{kind}-{file_name(name)}.log" if name else f"{kind}.log")


@contextmanager
def open_log_for(path: Path) -> Iterator[int]:
    """A descriptor for a process that is about to start; a large log is put aside first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > ROTATE_BYTES:
        path.replace(path.with_name(path.name + ".1"))
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def last_lines(path: Path, count: int = 10, since: int = 0) -> list[str]:
    """The last lines of a log, but nothing before byte `since`; none if there is no log."""
    if not path.exists():
        return []
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(since if since <= end else 0, end - _TAIL_BYTES))
        text = file.read().decode("utf-8", "replace")
    return text.splitlines()[-count:]
