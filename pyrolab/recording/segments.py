"""Frames in tables: a segment of arrays for each layout, rows collected in memory and written in blocks.

The same for all formats that hold arrays. A segment is called `frames`, the next `frames_2`, and so on. Its
`sequence` is written last, so that each number in it has a row in every other array.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from pyrolab.recording.columns import EPOCH, SEQUENCE, TIMESTAMP, Arrays, Column
from pyrolab.recording.description import Counts, Ending
from pyrolab.recording.files import Gap, Wishes, Writer
from pyrolab.recording.layout import Frame, Layout, Row

#: Frames that keep changing their shape are no series to be kept as arrays.
MAX_SEGMENTS = 64
#: Rows that wait to be written, apart from arrays.
_MOST_ROWS = 4096
_VALUES = "data"


class Storage(Protocol):
    """An array in a file that grows by rows."""

    def write(self, start: int, rows: np.ndarray[Any, Any]) -> None:
        """Write rows from the number `start` on."""
        ...


class Store(ABC):
    """A file that holds arrays."""

    @abstractmethod
    def new_segment(
        self, name: str, columns: Mapping[str, Column], chunk_frames: int, compressed: bool
    ) -> Mapping[str, Storage]:
        """Make arrays for columns; `data` is the one to be compressed."""

    @abstractmethod
    def log(self, name: str) -> Storage:
        """The array `epochs` (epoch, first number) or `gaps` (epoch, first and last number)."""

    @abstractmethod
    def commit(self, counts: Counts) -> None:
        """Make sure that all is in the file that was written."""

    @abstractmethod
    def close(self, counts: Counts, ending: Ending) -> None:
        """Note the ending, and close."""

    @abstractmethod
    def abandon(self) -> None:
        """Close without another word."""


class Segment:
    """The frames of one layout."""

    def __init__(self, layout: Layout, storages: Mapping[str, Storage], at_once: int, whole: bool) -> None:
        self.layout = layout
        self._storages = storages
        self._columns = _columns_of(layout)
        self._at_once = at_once
        self._whole = whole
        #: Rows that are in the file, and of values, which may be there before the rest of their rows.
        self._written = self._values_written = 0
        self._rows: list[tuple[Any, ...]] = []
        self._values: list[Any] = []

    def append(self, frame: Frame, row: Row) -> None:
        """Take a row; of an array that waits, a copy."""
        if self._at_once == 1:
            self._write_values(np.asarray(row.value, self.layout.value.dtype)[np.newaxis])
        elif isinstance(self.layout.value, Arrays):
            self._values.append(row.value.copy())
        else:
            self._values.append(row.value)
        self._rows.append((frame.timestamp, frame.epoch, *row.metadata, frame.sequence))
        if len(self._values) >= self._at_once or len(self._rows) >= _MOST_ROWS:
            self.write()

    def write(self) -> None:
        """Write what waits; with `whole`, not before there are as many as are written at once."""
        if self._whole and len(self._values) < self._at_once:
            return
        self.finish()

    def finish(self) -> None:
        """Write all that waits."""
        if self._values:
            self._write_values(np.array(self._values, self.layout.value.dtype))
            self._values.clear()
        if not self._rows:
            return
        for (name, column), cells in zip(self._columns.items(), zip(*self._rows, strict=True), strict=True):
            self._storages[name].write(self._written, np.array(cells, column.dtype))
        self._written += len(self._rows)
        self._rows.clear()

    def _write_values(self, rows: np.ndarray[Any, Any]) -> None:
        self._storages[_VALUES].write(self._values_written, rows)
        self._values_written += len(rows)


def _columns_of(layout: Layout) -> dict[str, Column]:
    """All columns but the values, in the order in which they are written."""
    return {"timestamp": TIMESTAMP, "epoch": EPOCH, **layout.columns(), "sequence": SEQUENCE}


class Tables(Writer):
    """Writes frames to a store of arrays."""

    def __init__(self, store: Store, wishes: Wishes) -> None:
        self._store = store
        self._wishes = wishes
        self._segments: list[Segment] = []
        self._epoch = 0
        self._logged = {"epochs": 0, "gaps": 0}

    def append(self, frame: Frame) -> None:
        """Take a frame."""
        segment, row = self._segment_for(frame)
        segment.append(frame, row)
        if frame.epoch != self._epoch:
            self._epoch = frame.epoch
            self._log("epochs", [(frame.epoch, frame.sequence)])

    def note_gaps(self, gaps: Sequence[Gap]) -> None:
        """Take a note of frames that are missing."""
        if gaps:
            self._log("gaps", gaps)

    def flush(self, counts: Counts) -> None:
        """Write all that waits."""
        for segment in self._segments:
            segment.write()
        self._store.commit(counts)

    def close(self, counts: Counts, ending: Ending) -> None:
        """Write the rest and the ending."""
        for segment in self._segments:
            segment.finish()
        self._store.close(counts, ending)

    def abandon(self) -> None:
        """Let go of the file."""
        self._store.abandon()

    def _log(self, name: str, rows: Sequence[tuple[int, ...]]) -> None:
        self._store.log(name).write(self._logged[name], np.array(rows, np.int64))
        self._logged[name] += len(rows)

    def _segment_for(self, frame: Frame) -> tuple[Segment, Row]:
        """The newest segment that takes the frame, or a new one."""
        for segment in reversed(self._segments):
            row = segment.layout.row(frame)
            if row is not None:
                return segment, row
        layout = self._segments[-1].layout.widened(frame) if self._segments else Layout.of(frame)
        row = layout.row(frame)
        assert row is not None
        return self._new_segment(layout), row

    def _new_segment(self, layout: Layout) -> Segment:
        number = len(self._segments) + 1
        if number > MAX_SEGMENTS:
            raise ValueError(
                f"the frames have had {MAX_SEGMENTS} different shapes or types, the last {layout.value}; "
                "publish them in one shape, or as several streams"
            )
        wished = self._wishes
        compressed = wished.compression is not None and layout.is_compressed(wished.chunk_frames)
        chunk = layout.chunk_frames(wished.chunk_frames, compressed)
        columns: dict[str, Column] = {_VALUES: layout.value, **_columns_of(layout)}
        name = "frames" if number == 1 else f"frames_{number}"
        storages = self._store.new_segment(name, columns, chunk, compressed)
        segment = Segment(layout, storages, layout.frames_at_once(chunk), whole=compressed and chunk > 1)
        self._segments.append(segment)
        return segment
