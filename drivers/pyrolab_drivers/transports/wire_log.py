"""A log of what goes over a wire, on demand: to look at, or to replay in a test.

A file has one JSON object in a line. The first says what it is: {"pyrolab_wire": 1, "name": …, "started": …}.
Each other one has "t", seconds since then, and "sent" or "received": a string if the bytes are readable
ASCII, else {"base64": …}. "end": true says that the bus ended the message there. "timeout": seconds stands
for a reply that was waited for in vain. Lines with a "note" only are comments.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TextIO

from pyrolab_drivers.quantities import NotConnected
from pyrolab_drivers.transports.errors import shown
from pyrolab_drivers.transports.transport import Transport

FORMAT = 1
#: How much a log holds in memory: the oldest entries beyond that are forgotten (a file keeps them).
MOST_ENTRIES = 10_000
MOST_BYTES = 16 << 20

SENT, RECEIVED, TIMEOUT = "sent", "received", "timeout"
_MARKS = {SENT: ">", RECEIVED: "<", TIMEOUT: "!"}


@dataclass(frozen=True, slots=True)
class Entry:
    """What went over the wire at once: `time_s` since 1970, `direction` "sent" or "received", the bytes.

    `direction` "timeout" says that a reply did not come, or not all of it; `waited_s` is how long was waited.
    """

    time_s: float
    direction: str
    data: bytes
    end: bool = False
    waited_s: float = 0.0

    def __str__(self) -> str:
        clock = datetime.fromtimestamp(self.time_s, timezone.utc).astimezone().strftime("%H:%M:%S.%f")
        what = f"no reply in {self.waited_s:g} s" if self.direction == TIMEOUT else shown(self.data, 200)
        return f"{clock} {_MARKS[self.direction]} {what}"


class WireLog:
    """What was sent and received, the latest in memory, all of it in `path` if one is given.

    Attach it to a transport while it runs, and detach it again. Any thread may read it. Raises
    `FileExistsError` rather than write over an earlier log.
    """

    def __init__(self, path: str | Path | None = None, name: str = "") -> None:
        self._entries: deque[Entry] = deque()
        self._bytes = 0
        self._lock = threading.Lock()
        self._file: TextIO | None = None
        self._failed: OSError | None = None
        self._started = time.time()
        if path is not None:
            self._file = open(path, "x", encoding="utf-8")  # noqa: SIM115
            started = datetime.fromtimestamp(self._started, timezone.utc).isoformat()
            self._put({"pyrolab_wire": FORMAT, "name": name, "started": started})

    def sent(self, data: bytes) -> None:
        """Take note of what goes to the instrument."""
        self._note(Entry(time.time(), SENT, bytes(data)))

    def received(self, data: bytes, end: bool) -> None:
        """Take note of what came from it."""
        self._note(Entry(time.time(), RECEIVED, bytes(data), end))

    def silent(self, waited_s: float) -> None:
        """Take note that a reply did not come."""
        self._note(Entry(time.time(), TIMEOUT, b"", waited_s=waited_s))

    def entries(self, last: int | None = None) -> list[Entry]:
        """Return the latest entries that are in memory, oldest first; all of them if `last` is None."""
        with self._lock:
            every = list(self._entries)
        return every if last is None else every[max(0, len(every) - last) :]

    def __str__(self) -> str:
        return "\n".join(map(str, self.entries()))

    def close(self) -> None:
        """Close the file; raise the `OSError` that kept something out of it. What is in memory stays."""
        with self._lock:
            self._close_file()
            failed, self._failed = self._failed, None
        if failed is not None:
            raise failed

    def _note(self, entry: Entry) -> None:
        with self._lock:
            self._entries.append(entry)
            self._bytes += len(entry.data)
            while len(self._entries) > MOST_ENTRIES or (self._bytes > MOST_BYTES and len(self._entries) > 1):
                self._bytes -= len(self._entries.popleft().data)
            try:
                self._put(_as_json(entry, self._started))
            except OSError as error:  # a full disk is not the instrument's problem
                self._failed = error
                self._close_file()

    def _close_file(self) -> None:
        file, self._file = self._file, None
        try:
            if file is not None:
                file.close()
        except OSError as error:
            self._failed = self._failed or error

    def _put(self, line: dict[str, Any]) -> None:
        if self._file is not None:
            self._file.write(json.dumps(line, ensure_ascii=True) + "\n")
            self._file.flush()


@contextmanager
def recording(transport: Transport, path: str | Path) -> Iterator[WireLog]:
    """Write all that goes over `transport` into a file, which `ReplayTransport` plays again."""
    log = WireLog(path, transport.name)
    transport.attach(log)
    try:
        yield log
    finally:
        transport.detach(log)
        log.close()


def read_wire_file(path: str | Path) -> list[Entry]:
    """Return what a file holds. Raises `ValueError` with the number of the line that is wrong."""
    entries = []
    with Path(path).open(encoding="utf-8") as lines:
        for number, text in enumerate(lines, 1):
            try:
                line = json.loads(text) if text.strip() else {"note": ""}
                entries += _from_json(line)
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(f"{path}, line {number}, is not of a wire log: {error}") from error
    return entries


def write_wire_file(path: str | Path, entries: Iterable[Entry], name: str = "") -> None:
    """Write `entries` as a file; times count from the first one."""
    every = list(entries)
    with Path(path).open("w", encoding="utf-8") as file:
        file.write(json.dumps({"pyrolab_wire": FORMAT, "name": name}) + "\n")
        for entry in every:
            file.write(json.dumps(_as_json(entry, every[0].time_s)) + "\n")


def _as_json(entry: Entry, started: float) -> dict[str, Any]:
    what = entry.waited_s if entry.direction == TIMEOUT else _as_text(entry.data)
    line: dict[str, Any] = {"t": round(entry.time_s - started, 6), entry.direction: what}
    return {**line, "end": True} if entry.end else line


def _as_text(data: bytes) -> str | dict[str, str]:
    if all(32 <= byte < 127 or byte in b"\r\n\t" for byte in data):
        return data.decode("ascii")
    return {"base64": base64.b64encode(data).decode("ascii")}


def _from_json(line: Any) -> list[Entry]:
    if not isinstance(line, dict):
        raise ValueError(f"{line!r} is no JSON object")
    if "pyrolab_wire" in line:
        if line["pyrolab_wire"] != FORMAT:
            raise ValueError(f"format {line['pyrolab_wire']!r}; this PyroLab reads format {FORMAT}")
        return []
    directions = line.keys() & _MARKS.keys()
    if not directions and "note" in line:
        return []
    (direction,) = directions
    data, time_s = line[direction], float(line.get("t", 0.0))
    if direction == TIMEOUT:
        return [Entry(time_s, TIMEOUT, b"", waited_s=float(data))]
    raw = data.encode("latin-1") if isinstance(data, str) else base64.b64decode(data["base64"], validate=True)
    return [Entry(time_s, direction, raw, bool(line.get("end", False)))]


class Tapped:
    """The wire log of an instrument, as a second base class.

    It holds its connection as `self._transport`, or says by `_wire` where it is. `pyrolab wiretap NAME` calls
    these. Entries are plain tuples: seconds since 1970, "sent", "received" or "timeout", bytes.
    """

    _wire_log: WireLog | None = None

    def wiretap_start(self) -> None:
        """Log what goes over the wire from now on; `recording` writes it to a file.

        A second start begins a new log. Raises `NotConnected` if there is no connection; ends with it.
        """
        transport = self._tapped()
        self.wiretap_stop()
        log = self._wire_log = WireLog(name=transport.name)
        transport.attach(log)

    def wiretap_stop(self) -> None:
        """Stop logging. What was logged can still be read."""
        if self._wire_log is not None:
            transport = self._wire()
            if transport is not None:
                transport.detach(self._wire_log)
            self._wire_log.close()

    def wiretap_read(self, last: int = 100) -> list[tuple[float, str, bytes]]:
        """Return the latest `last` entries, oldest first; nothing if there was no `wiretap_start`."""
        entries = self._wire_log.entries(last) if self._wire_log is not None else []
        return [(entry.time_s, entry.direction, entry.data) for entry in entries]

    def _wire(self) -> Transport | None:
        """The connection to listen to, if there is one now."""
        transport = getattr(self, "_transport", None)
        return transport if isinstance(transport, Transport) else None

    def _tapped(self) -> Transport:
        transport = self._wire()
        if not isinstance(transport, Transport) or transport.closed:
            raise NotConnected(
                f"{type(self).__name__} has no open connection to listen to; call connect() first"
            )
        return transport
