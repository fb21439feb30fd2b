"""Zarr directories, in format 2, which zarr-python 2 and 3 and the other readers know.

Each big frame is a file of its own. An array's length is written, by replacing a small file, after its rows.
"""

from __future__ import annotations

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
    """An array that grows by rows."""

    def __init__(self, array: Any) -> None:
        self._array = array

    def write(self, start: int, rows: np.ndarray[Any, Any]) -> None:
        """Write rows."""
        self._array.resize((start + len(rows), *rows.shape[1:]))
        self._array[start:] = rows


class ZarrDirectory(Store):
    """A zarr directory that is being written."""

    def __init__(self, path: Path, description: Description, compressor: Any) -> None:
        chosen: dict[str, Any] = {"zarr_format" if _LIBRARY >= 3 else "zarr_version": 2}
        self._compressor = compressor
        self._root = zarr.open_group(str(path), mode="w-", **chosen)
        self._root.attrs.update(
            {
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
        )
        self._logs = {
            name: Array(_new_array(self._root, name, np.dtype("i8"), (width,), _LOGGED_IN_CHUNK, None))
            for name, width in _LOGS.items()
        }

    def new_segment(
        self, name: str, columns: Mapping[str, Column], chunk_frames: int, compressed: bool
    ) -> Mapping[str, Storage]:
        """Make the arrays of a segment, in a group."""
        group = self._root.create_group(name)
        made = {}
        for each, column in columns.items():
            is_data = each == "data"
            rows = chunk_frames if is_data else _ROWS_IN_CHUNK
            compressor = self._compressor if is_data and compressed else None
            made[each] = Array(_new_array(group, each, _stored_dtype(column), column.shape, rows, compressor))
        return made

    def log(self, name: str) -> Storage:
        """The array of epochs or of gaps."""
        return self._logs[name]

    def commit(self, counts: Counts) -> None:
        """Write how many there are; all else is in its files."""
        self._root.attrs.update({"recorded": counts.recorded, "dropped": counts.dropped})

    def close(self, counts: Counts, ending: Ending) -> None:
        """Note the ending."""
        self._root.attrs.update(
            {
                "recorded": counts.recorded,
                "dropped": counts.dropped,
                "ended": ending.ended,
                "ended_properly": ending.properly,
                "ended_because": ending.because,
            }
        )

    def abandon(self) -> None:
        """Nothing is open."""


def _stored_dtype(column: Column) -> np.dtype[Any]:
    if isinstance(column, Arrays) and column.dtype.names is not None:
        return np.dtype(column.dtype.descr)
    return column.dtype


def _new_array(
    group: Any, name: str, dtype: np.dtype[Any], shape: tuple[int, ...], rows: int, compressor: Any
) -> Any:
    chosen: dict[str, Any] = {
        "shape": (0, *shape),
        "chunks": (rows, *(max(length, 1) for length in shape)),
        "dtype": dtype,
    }
    if _LIBRARY >= 3:
        return group.create_array(name, compressors=compressor, config={"write_empty_chunks": True}, **chosen)
    return group.create_dataset(name, compressor=compressor, **chosen)
