"""A recorded conversation as a connection: what was recorded from an instrument becomes a test.

Strict: a driver has to send the same bytes in the same order, and has to read all that was answered.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from typing_extensions import Self

from pyrolab_drivers.quantities import Seconds
from pyrolab_drivers.transports.errors import ReplayMismatch, shown
from pyrolab_drivers.transports.transport import Transport
from pyrolab_drivers.transports.wire_log import RECEIVED, SENT, TIMEOUT, Entry, read_wire_file


class ReplayTransport(Transport):
    """Plays what was recorded, from a file of a `WireLog` or from entries.

    Nothing waits: where the recording has no answer, `ReplyTimeout` comes at once. Raises `ReplayMismatch` if
    something else is sent than was recorded, or if `close()` comes before the end of the recording.
    """

    def __init__(self, recorded: str | Path | Iterable[Entry], timeout_s: Seconds = 2.0) -> None:
        from_file = isinstance(recorded, (str, Path))
        super().__init__(f"replay:{recorded}" if from_file else "replay", timeout_s)
        entries = read_wire_file(recorded) if isinstance(recorded, (str, Path)) else recorded
        self._rest = _joined(entries)
        self._at = 0
        self._failed = False

    @classmethod
    def of_pairs(cls, *pairs: tuple[bytes | None, bytes | None]) -> Self:
        """Return one that plays pairs of what is sent and what is answered; None for nothing."""
        entries = []
        for sent, received in pairs:
            entries += [Entry(0.0, SENT, sent)] if sent is not None else []
            entries += [Entry(0.0, RECEIVED, received)] if received is not None else []
        return cls(entries)

    def _send(self, data: bytes) -> None:
        while data:
            entry = self._rest[0] if self._rest else None
            if entry is None or entry.direction != SENT:
                raise self._mismatch(entry, data)
            count = min(len(entry.data), len(data))
            if entry.data[:count] != data[:count]:
                raise self._mismatch(entry, data)
            self._advance(count)
            data = data[count:]

    def _receive(self, timeout_s: float, want: int | None, last: bytes) -> bytes | None:
        entry = self._rest[0] if self._rest else None
        if entry is None or entry.direction == SENT:
            return None
        if entry.direction == TIMEOUT:
            del self._rest[0]
            return None
        self._ended = entry.end
        self._advance(len(entry.data))
        return entry.data

    def _shut(self) -> None:
        if not self._rest or self._failed:
            return
        entry, more = self._rest[0], len(self._rest) - 1
        what = {SENT: "to be sent", RECEIVED: "to be read", TIMEOUT: "a read that gets nothing"}[
            entry.direction
        ]
        raise ReplayMismatch(
            f"{self.name}: closed before the end of the recording; message {self._at + 1} has still {what}: "
            f"{shown(entry.data)}, and there are {more} more",
            expected=entry.data,
        )

    def _advance(self, count: int) -> None:
        entry = self._rest[0]
        if count < len(entry.data):
            self._rest[0] = Entry(entry.time_s, entry.direction, entry.data[count:], entry.end)
        else:
            self._at += entry.direction == SENT
            del self._rest[0]

    def _mismatch(self, entry: Entry | None, got: bytes) -> ReplayMismatch:
        self._failed = True
        if entry is None:
            expected = "the end of the recording"
        elif entry.direction == SENT:
            expected = shown(entry.data)
        elif entry.direction == TIMEOUT:
            expected = "a read that gets nothing, first"
        else:
            expected = f"that {shown(entry.data)} is read first"
        return ReplayMismatch(
            f"{self.name}, message {self._at + 1}:\n  expected {expected}\n  sent     {shown(got)}",
            expected=entry.data if entry is not None else b"",
            got=got,
        )


def _joined(entries: Iterable[Entry]) -> list[Entry]:
    """Return `entries` with what was received in pieces as one: how bytes arrived is chance."""
    joined: list[Entry] = []
    for entry in entries:
        before = joined[-1] if joined else None
        if before is not None and before.direction == entry.direction == RECEIVED and not before.end:
            joined[-1] = Entry(before.time_s, RECEIVED, before.data + entry.data, entry.end)
        else:
            joined.append(entry)
    return joined
