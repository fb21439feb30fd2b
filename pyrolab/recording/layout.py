"""The layout of frames: the columns that they need. Frames of one layout share a set of arrays in a file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pyrolab.recording.columns import (
    UNFIT,
    Arrays,
    Column,
    Json,
    Numbers,
    Text,
    column_for,
    json_column,
)

#: Names that are good in every file; others go into JSON.
_NAME = re.compile(r"\w[\w.-]{0,99}")
_MOST_COLUMNS = 64
#: Fewer bytes than this in a frame are not compressed.
_WORTH_COMPRESSING = 4096
#: A frame from so many bytes on is a chunk of its own; smaller ones are put together to about the latter.
_BIG_FRAME, _CHUNK_BYTES, _MOST_ROWS = 1 << 16, 1 << 18, 4096
#: Small frames wait for each other until there are so many bytes of them.
_BLOCK_BYTES = 1 << 22
#: No chunk is larger, whatever was asked for.
_MAX_CHUNK_BYTES = 1 << 30


class Frame(Protocol):
    """What is recorded: a frame as a subscription gives it."""

    @property
    def value(self) -> Any:
        """The array, or whatever it is."""
        ...

    @property
    def sequence(self) -> int:
        """Its number."""
        ...

    @property
    def timestamp(self) -> float:
        """Unix time in s."""
        ...

    @property
    def metadata(self) -> dict[str, Any]:
        """What was published along with it."""
        ...

    @property
    def epoch(self) -> int:
        """Which run of the publisher it is of."""
        ...


@dataclass(frozen=True, slots=True)
class Row:
    """One frame as it is stored: its value, and its metadata in the order of the columns."""

    value: Any
    metadata: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of frames; metadata are in columns by their names, or all of them in one of JSON."""

    value: Column
    metadata: Mapping[str, Column]
    json: Json | None = None

    @classmethod
    def of(cls, frame: Frame) -> Layout:
        """The layout that suits a frame. Raises `ValueError` if there is none."""
        return cls(column_for(frame.value), *_metadata_columns(frame.metadata))

    def row(self, frame: Frame) -> Row | None:
        """The frame as a row, or None if it does not fit."""
        value = self.value.cell(frame.value)
        if value is UNFIT:
            return None
        metadata = self._metadata_cells(frame.metadata)
        return None if metadata is None else Row(value, metadata)

    def _metadata_cells(self, metadata: Mapping[str, Any]) -> tuple[Any, ...] | None:
        if self.json is not None:
            cell = self.json.cell(metadata)
            return None if cell is UNFIT else (cell,)
        if metadata.keys() != self.metadata.keys():
            return None
        cells = tuple(column.cell(metadata[name]) for name, column in self.metadata.items())
        return None if any(cell is UNFIT for cell in cells) else cells

    def widened(self, frame: Frame) -> Layout:
        """A layout for what had this one and for the frame as well, as far as there is such.

        Columns get wider step by step, and metadata that change their keys or types become JSON, so that any
        series of frames needs few layouts, unless their arrays keep changing.
        """
        value = self.value
        if value.cell(frame.value) is UNFIT:
            value = value.widened(frame.value) or column_for(frame.value)
        if self._metadata_cells(frame.metadata) is not None:
            return Layout(value, self.metadata, self.json)
        return Layout(value, *self._widened_metadata(frame.metadata))

    def _widened_metadata(self, metadata: Mapping[str, Any]) -> tuple[Mapping[str, Column], Json | None]:
        if self.json is not None or metadata.keys() != self.metadata.keys():
            return {}, json_column(metadata)
        columns: dict[str, Column] = {}
        for name, column in self.metadata.items():
            fits = column.cell(metadata[name]) is not UNFIT
            wider = column if fits else column.widened(metadata[name])
            if wider is None:
                return {}, json_column(metadata)
            columns[name] = wider
        return columns, None

    # -- in a file -----------------------------------------------------------------------------------------

    @property
    def frame_bytes(self) -> int:
        """Bytes of the value of each frame."""
        items = 1
        for length in self.value.shape:
            items *= length
        return items * self.value.dtype.itemsize

    def columns(self) -> dict[str, Column]:
        """All columns of metadata, by where they are in a file."""
        if self.json is not None:
            return {"metadata_json": self.json}
        return {f"metadata/{name}": column for name, column in self.metadata.items()}

    def is_compressed(self, chunk_frames: int | None) -> bool:
        """Whether compression is of use."""
        return isinstance(self.value, Arrays) and self.frame_bytes * (chunk_frames or 1) >= _WORTH_COMPRESSING

    def chunk_frames(self, wanted: int | None, compressed: bool) -> int:
        """How many frames are in a chunk of the file.

        A compressed chunk that is written again and again while it fills leaves its old places behind in an
        HDF5 file; so each frame is a chunk, if it is worth compressing.
        """
        size = max(self.frame_bytes, 1)
        if wanted is not None:
            return max(1, min(wanted, _MAX_CHUNK_BYTES // size))
        if size >= _BIG_FRAME or compressed:
            return 1
        return min(_CHUNK_BYTES // size, _MOST_ROWS)

    def frames_at_once(self, chunk_frames: int) -> int:
        """How many frames are written together: whole chunks."""
        if chunk_frames == 1:
            return 1
        chunks = min(_BLOCK_BYTES // (max(self.frame_bytes, 1) * chunk_frames), _MOST_ROWS // chunk_frames)
        return chunk_frames * max(chunks, 1)


def _metadata_columns(metadata: Mapping[str, Any]) -> tuple[Mapping[str, Column], Json | None]:
    columns: dict[str, Column] = {}
    if len(metadata) > _MOST_COLUMNS:
        return {}, json_column(metadata)
    for name, value in metadata.items():
        column = column_for(value) if _NAME.fullmatch(name) else None
        if not isinstance(column, (Numbers, Text)):
            return {}, json_column(metadata)
        columns[name] = column
    return columns, None
