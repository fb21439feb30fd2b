"""Reading audit logs: all files of a directory, beginnings and ends of calls put together.

Read backwards, for then the end of a call is known when its beginning comes: nothing has to be kept but the
ends of what ran at the same time.
"""

from __future__ import annotations

import heapq
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote

#: File systems and clocks are not exact to the second; so much older a file is older for sure.
_SLACK_S = 60.0
_FILE = re.compile(r"(?P<stem>.+?)(?:\.(?P<number>\d+))?\.jsonl", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Entry:
    """A call, or a note of something else that happened.

    `what` is "call", or the note's word. `time` is when it began (Unix time in s). `outcome` is None for a
    call of which no end is recorded: it still runs, or its process died. `log` says who wrote it down.
    """

    time: float
    log: str
    what: str = "call"
    call: str = ""
    user: str = ""
    host: str = ""
    pid: int = 0
    service: str = ""
    action: str = ""
    arguments: str = ""
    outcome: str | None = None
    seconds: float | None = None
    text: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


def entries(directory: Path, since: float | None = None) -> Iterator[Entry]:
    """All that is recorded, or what began at the Unix time `since` or later, the oldest first."""
    return iter(sorted(latest_first(directory, since), key=lambda entry: entry.time))


def latest_first(directory: Path, since: float | None = None) -> Iterator[Entry]:
    """The same, the newest first, read only as far as it is asked for.

    What cannot be read as a line of a log is passed over: a line of which a crash left only a part.
    """
    with ExitStack() as opened:
        logs = [_entries_of(name, files, since) for name, files in _open_all(directory, opened).items()]
        yield from heapq.merge(*logs, key=lambda entry: entry.time, reverse=True)


def _open_all(directory: Path, opened: ExitStack) -> dict[str, list[IO[bytes]]]:
    """The files of each log, the newest first; opened at once, as they may get other names meanwhile."""
    found: dict[str, list[tuple[int, Path]]] = {}
    for path in directory.glob("*.jsonl"):
        parts = _FILE.fullmatch(path.name)
        if parts is not None:
            found.setdefault(unquote(parts["stem"]), []).append((int(parts["number"] or 0), path))
    return {name: list(_open_each(sorted(paths), opened)) for name, paths in found.items()}


def _open_each(paths: list[tuple[int, Path]], opened: ExitStack) -> Iterator[IO[bytes]]:
    seen = set()
    for _, path in paths:
        try:
            file = opened.enter_context(path.open("rb"))
        except FileNotFoundError:
            continue  # it had its turn
        state = os.fstat(file.fileno())
        if (state.st_dev, state.st_ino) not in seen:
            seen.add((state.st_dev, state.st_ino))
            yield file


def _entries_of(name: str, files: list[IO[bytes]], since: float | None) -> Iterator[Entry]:
    ends: dict[Any, dict[str, Any]] = {}
    for file in files:
        if since is not None and os.fstat(file.fileno()).st_mtime + _SLACK_S < since:
            return
        for line in reversed(file.read().split(b"\n")):
            try:
                entry = _entry(name, json.loads(line), ends)
            except (ValueError, TypeError, KeyError, RecursionError):
                continue  # a part of a line, or none of ours
            if entry is not None and (since is None or entry.time >= since):
                yield entry


def _entry(name: str, line: dict[str, Any], ends: dict[Any, dict[str, Any]]) -> Entry | None:
    """What a line tells; None for the end of a call, which is kept until its beginning comes."""
    if line["kind"] == "ended":
        ends[line["call"]] = line
        return None
    time = datetime.fromisoformat(line["time"]).timestamp()
    if line["kind"] == "note":
        return Entry(time, name, str(line["what"]), facts=dict(line["facts"]))
    end = ends.pop(line["call"], {})
    return Entry(
        time,
        name,
        call=str(line["call"]),
        user=str(line["user"]),
        host=str(line["host"]),
        pid=int(line["pid"]),
        service=str(line["service"]),
        action=str(line["action"]),
        arguments=str(line["arguments"]),
        outcome=str(end["outcome"]) if end else None,
        seconds=None if end.get("seconds") is None else float(end["seconds"]),
        text=str(end.get("text", "")),
    )
