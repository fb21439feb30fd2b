"""Zarr directories, in format 2, which zarr-python 2 and 3 and the other readers know.

The library makes the arrays. Rows are put into their files here, so that the directory is whole at any
moment: first a chunk, then the length of its array, each by replacing a file. A big frame is a chunk.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from pyrolab.recording.columns import Arrays, Column
from pyrolab.recording.description import FORMAT, Counts, Description, Ending
from pyrolab.recording.files import Wishes
from pyrolab.recording.segments import Storage, Store, Tables

_LIBRARY = int(zarr.__version__.partition(".")[0])
_FORMAT = "zarr_format" if _LIBRARY >= 3 else "zarr_version"
_ROWS_IN_CHUNK, _LOGGED_IN_CHUNK = 1024, 64
_LOGS = {"epochs": 2, "gaps": 3}


def open_writer(path: Path, description: Description, wishes: Wishes) -> Tables:
    """A writer to a new directory."""
    compressor = compressor_of(wishes.compression)
    if path.exists():  # and it may be overwritten
        _remove(path)
    return Tables(ZarrDirectory(path, description, compressor), wishes)


def compressor_of(name: str | None) -> Any:
    """The codec of a name. Raises `ValueError` if numcodecs has none."""
    if name is None:
        return None
    try:
        return import_module("numcodecs").get_codec({"id": name})
    except (ValueError, TypeError):  # there is none; or it needs to be told more
        known = "blosc, zstd, lz4, gzip, zlib, bz2, lzma"
        raise ValueError(f"zarr has no compression {name!r} here, only {known}") from None


def _remove(path: Path) -> None:
    if not any((path / name).exists() for name in (".zgroup", "zarr.json")):
        raise FileExistsError(f"{path} is no zarr directory; choose another name")
    shutil.rmtree(path)


class Array:
    """An array that grows by rows, in a directory of its own."""

    def __init__(self, directory: Path, compressor: Any) -> None:
        self._directory = directory
        self._compressor = compressor
        self._noted = json.loads((directory / ".zarray").read_bytes())
        self._chunk_rows: int = self._noted["chunks"][0]
        self._inner: list[int] = self._noted["shape"][1:]
        self._chunk: np.ndarray[Any, Any] | None = None

    def write(self, start: int, rows: np.ndarray[Any, Any]) -> None:
        """Write rows, and then how many there are."""
        end = start + len(rows)
        if rows.size:
            if self._chunk_rows == 1:
                for number, row in enumerate(rows, start):
                    self._write_chunk(number, row)
            else:
                self._fill_chunks(start, rows)
        self._noted["shape"] = [end, *self._inner]
        replace(self._directory / ".zarray", json.dumps(self._noted, indent=2).encode())

    def _fill_chunks(self, start: int, rows: np.ndarray[Any, Any]) -> None:
        """A chunk that is not full yet is kept, and written again with more in it."""
        while len(rows):
            number, offset = divmod(start, self._chunk_rows)
            if self._chunk is None:
                self._chunk = np.zeros((self._chunk_rows, *rows.shape[1:]), rows.dtype)
            taken = min(len(rows), self._chunk_rows - offset)
            self._chunk[offset : offset + taken] = rows[:taken]
            self._write_chunk(number, self._chunk)
            if offset + taken == self._chunk_rows:
                self._chunk = None
            start, rows = start + taken, rows[taken:]

    def _write_chunk(self, number: int, chunk: np.ndarray[Any, Any]) -> None:
        plain = np.ascontiguousarray(chunk)
        content = plain.view(np.uint8).data if self._compressor is None else self._compressor.encode(plain)
        replace(self._directory / ".".join([str(number), *"0" * len(self._inner)]), content)


def replace(path: Path, content: Any, new: Path | None = None) -> None:
    """Write a file in one step, by way of `new`: it is the old or the new one at any moment."""
    new = new or path.with_name(path.name + ".new")
    with new.open("wb", buffering=0) as file:
        written = file.write(content)
    if written != memoryview(content).nbytes:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.replace(new, path)


class ZarrDirectory(Store):
    """A zarr directory that is being written."""

    def __init__(self, path: Path, description: Description, compressor: Any) -> None:
        self._path = path
        self._compressor = compressor
        chosen: dict[str, Any] = {_FORMAT: 2}
        self._root = zarr.open_group(str(path), mode="w-", **chosen)
        self._noted = {
            "format": FORMAT,
            "pyrolab": description.pyrolab,
            "started": description.started,
            "ended": "",
            "ended_properly": False,
            "ended_because": "",
            "recorded": 0,
            "dropped": 0,
            "source": description.source(),
            "settings": description.settings,
            "settings_unread": description.unread,
        }
        self._logs: dict[str, Array] = {}
        for name, width in _LOGS.items():
            _make_array(self._root, name, np.dtype("i8"), (width,), _LOGGED_IN_CHUNK, None)
            self._logs[name] = Array(path / name, None)
        self._write_notes()

    def _write_notes(self) -> None:
        # Not beside it: zarr warns of files there that it does not know, such as those of a killed process.
        new = self._path / "epochs" / "notes.new"
        replace(self._path / ".zattrs", json.dumps(self._noted, indent=2).encode(), new)

    def new_segment(
        self, name: str, columns: Mapping[str, Column], chunk_frames: int, compressed: bool
    ) -> Mapping[str, Storage]:
        """Make the arrays of a segment, in a group that gets its name when it is complete."""
        unfinished = f"unfinished_{name}"
        group = self._root.create_group(unfinished)
        made = {}
        for each, column in columns.items():
            is_data = each == "data"
            rows = chunk_frames if is_data else _ROWS_IN_CHUNK
            compressor = self._compressor if is_data and compressed else None
            _make_array(group, each, _stored_dtype(column), column.shape, rows, compressor)
            made[each] = compressor
        os.rename(self._path / unfinished, self._path / name)
        return {each: Array(self._path / name / each, compressor) for each, compressor in made.items()}

    def log(self, name: str) -> Storage:
        """The array of epochs or of gaps."""
        return self._logs[name]

    def commit(self, counts: Counts) -> None:
        """Write how many there are; all else is in its files."""
        self._noted.update(recorded=counts.recorded, dropped=counts.dropped)
        self._write_notes()

    def close(self, counts: Counts, ending: Ending) -> None:
        """Note the ending."""
        self._noted.update(ended=ending.ended, ended_properly=ending.properly, ended_because=ending.because)
        self.commit(counts)

    def abandon(self) -> None:
        """Nothing is open."""


def _stored_dtype(column: Column) -> np.dtype[Any]:
    if isinstance(column, Arrays) and column.dtype.names is not None:
        return np.dtype(column.dtype.descr)
    return column.dtype


def _make_array(
    group: Any, name: str, dtype: np.dtype[Any], shape: tuple[int, ...], rows: int, compressor: Any
) -> None:
    chosen: dict[str, Any] = {
        "shape": (0, *shape),
        "chunks": (rows, *(max(length, 1) for length in shape)),
        "dtype": dtype,
    }
    if _LIBRARY >= 3:
        group.create_array(name, compressors=compressor, **chosen)
    else:
        group.create_dataset(name, compressor=compressor, **chosen)
