"""Logs that survive whoever writes them: one line, one `write`, and a clock that all processes share."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

Facts = dict[str, Any]


def now_ns() -> int:
    """A clock that all processes of this computer share, and that goes on while it sleeps."""
    return time.clock_gettime_ns(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Journal:
    """A log of one process; several may share a file, because each line is appended at once."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o600)

    def write(self, **facts: Any) -> None:
        """Append a line; it is there for all others when this returns, even if this process dies then."""
        os.write(self._fd, json.dumps(facts).encode() + b"\n")

    def close(self) -> None:
        os.close(self._fd)


class Tail:
    """Reads what has been added to a log since the last look."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def read(self) -> list[Facts]:
        """The new lines; a line that is being written is left for the next time."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        complete = data[: data.rfind(b"\n") + 1]
        self._offset += len(complete)
        return [json.loads(line) for line in complete.splitlines()]
