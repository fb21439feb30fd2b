"""HDF5 files: readable with a plain `h5py.File(path)` after any end, and while they are written.

HDF5's single-writer mode orders what is written so that arrays are consistent at any moment, and `superblock`
takes off the mark that keeps plain readers away. New arrays are not provided for in that mode: they are made
apart, and shown when they are complete. The root has few entries, and attributes in groups of their own, so
that what changes in it is one small block.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pyrolab.recording.columns import Column, Json, Numbers, Text
from pyrolab.recording.description import FORMAT, Counts, Description, Ending
from pyrolab.recording.files import Wishes
from pyrolab.recording.segments import Storage, Store, Tables
from pyrolab.recording.superblock import Superblock

#: Readable by all HDF5 libraries since 2016.
_VERSIONS = ("v110", "v110")
_ROWS_IN_CHUNK, _LOGGED_IN_CHUNK = 1024, 64
_LOGS = {"epochs": 2, "gaps": 3}
_ENDING = {"ended": 32, "ended_because": 512}
_COUNTS = np.dtype([("recorded", "i8"), ("dropped", "i8")])
#: Compression that needs the package hdf5plugin, and what it is called there.
_PLUGINS = {
    "zstd": "Zstd",
    "lz4": "LZ4",
    "blosc": "Blosc",
    "blosc2": "Blosc2",
    "bitshuffle": "Bitshuffle",
    "bzip2": "BZip2",
}
_BUILT_IN = ("gzip", "lzf")


def open_writer(path: Path, description: Description, wishes: Wishes) -> Tables:
    """A writer to a new file."""
    compression = compression_keywords(wishes.compression)
    return Tables(Hdf5(path, description, compression, wishes.overwrite), wishes)


def compression_keywords(name: str | None) -> dict[str, Any]:
    """What h5py is told. Raises `ValueError` for compression that is not there."""
    if name is None:
        return {}
    if name in _BUILT_IN:
        return {"compression": name, "shuffle": True}
    has_plugins = find_spec("hdf5plugin") is not None
    if name in _PLUGINS and has_plugins:
        return dict(getattr(import_module("hdf5plugin"), _PLUGINS[name])())
    known = [*_BUILT_IN, *(_PLUGINS if has_plugins else ())]
    more = "" if has_plugins else f"; with `pip install hdf5plugin`, also {', '.join(_PLUGINS)}"
    raise ValueError(f"HDF5 has no compression {name!r} here, only {', '.join(known)}{more}")


class Array:
    """A dataset that grows by rows."""

    def __init__(self, file: Hdf5, dataset: Any) -> None:
        self._file = file
        self.dataset = dataset
        is_plain = dataset.id.get_create_plist().get_nfilters() == 0 and dataset.dtype.kind in "iufc"
        #: Whether the bytes of a row are those of a chunk.
        self._is_direct = is_plain and dataset.ndim > 1 and dataset.chunks == (1, *dataset.shape[1:])
        self._row_shape = dataset.shape[1:]

    def write(self, start: int, rows: np.ndarray[Any, Any]) -> None:
        """Write rows, big ones without a copy."""
        self._file.make_room(rows.nbytes)
        self.dataset.id.set_extent((start + len(rows), *self._row_shape))  # `resize` takes 50 µs more
        if self._is_direct and len(rows) == 1:
            offset = (start, *(0,) * (rows.ndim - 1))
            self.dataset.id.write_direct_chunk(offset, np.ascontiguousarray(rows))
        else:
            self.dataset[start:] = rows.view(self.dataset.dtype)  # the same, with what h5py knows of it


class Hdf5(Store):
    """An HDF5 file that is being written."""

    def __init__(
        self, path: Path, description: Description, compression: Mapping[str, Any], overwrite: bool
    ) -> None:
        self._compression = compression
        self._arrays: dict[str, Array] = {}
        # Without locks: somebody who looks at the file must not be able to end the recording.
        self._file = h5py.File(path, "w" if overwrite else "x", libver=_VERSIONS, locking=False)
        self._superblock = Superblock(path)
        self._describe(description)
        self._counts = self._file.create_dataset("counts", (), _COUNTS)
        for name, width in _LOGS.items():
            self._arrays[name] = self._new_array(self._file, name, np.dtype("i8"), (width,), _LOGGED_IN_CHUNK)
        self._file.swmr_mode = True
        self._superblock.tell(self._file.id.get_filesize())

    def _describe(self, description: Description) -> None:
        started = {"format": FORMAT, "pyrolab": description.pyrolab, "started": description.started}
        self._set("recording", {**started, "ended_properly": False})
        for name, width in _ENDING.items():  # of fixed width, for which there is room when the disk is full
            self._file["recording"].attrs.create(name, b"", dtype=h5py.string_dtype("utf-8", width))
        self._set("source", description.source())
        self._set("settings", description.settings)
        self._set("settings/unread", description.unread)

    def _set(self, name: str, values: Mapping[str, Any]) -> None:
        attributes = self._file.require_group(name).attrs
        for key, value in values.items():
            attributes[key] = as_attribute(value)

    # -- single-writer mode ----------------------------------------------------------------------------------

    def _flush_all(self) -> None:
        """What is new, too; for some microseconds in between, HDF5's mark is in the file."""
        self.make_room(0)
        self._file.flush()
        self._superblock.restore()

    def make_room(self, more_bytes: int) -> None:
        """Have a superblock that holds when so many bytes are written."""
        self._superblock.keep(self._file.id.get_filesize(), more_bytes)

    def commit(self, counts: Counts) -> None:
        """Flush one array after the other: to flush the file would have HDF5 mark it again."""
        self._counts[()] = np.array((counts.recorded, counts.dropped), _COUNTS)
        self._counts.flush()
        for array in self._arrays.values():
            array.dataset.flush()

    # -- arrays ----------------------------------------------------------------------------------------------

    def new_segment(
        self, name: str, columns: Mapping[str, Column], chunk_frames: int, compressed: bool
    ) -> Mapping[str, Storage]:
        """Make the datasets of a segment, in a group."""
        group = self._file.create_group(None)
        made = {}
        for each, column in columns.items():
            is_data = each == "data"
            rows = chunk_frames if is_data else _ROWS_IN_CHUNK
            compression = self._compression if is_data and compressed else {}
            made[each] = self._new_array(group, each, _stored_dtype(column), column.shape, rows, compression)
            self._arrays[f"{name}/{each}"] = made[each]
        self._flush_all()
        self._file[name] = group  # not before all that belongs to it is in the file
        self._flush_all()
        return made

    def _new_array(
        self,
        group: Any,
        name: str,
        dtype: np.dtype[Any],
        shape: tuple[int, ...],
        rows: int,
        compression: Mapping[str, Any] = {},
    ) -> Array:
        dataset = group.create_dataset(
            name,
            (0, *shape),
            dtype,
            maxshape=(None, *(length or None for length in shape)),
            chunks=(rows, *(max(length, 1) for length in shape)),
            **compression,
        )
        return Array(self, dataset)

    def log(self, name: str) -> Storage:
        """The array of epochs or of gaps."""
        return self._arrays[name]

    # -- ending ----------------------------------------------------------------------------------------------

    def close(self, counts: Counts, ending: Ending) -> None:
        """Note the ending, and close."""
        self.commit(counts)
        attributes = self._file["recording"].attrs
        for name, text in (("ended", ending.ended), ("ended_because", ending.because)):
            kind = h5py.string_dtype("utf-8", _ENDING[name])
            attributes.modify(name, np.array(_cut(text, _ENDING[name]), kind))
        attributes.modify("ended_properly", ending.properly)
        self._file.close()
        self._superblock.cut()
        self._superblock.close()

    def abandon(self) -> None:
        """Close without another word."""
        try:
            self._file.close()
        except (OSError, RuntimeError):  # it could not be written to before
            pass
        self._superblock.tell(0)
        self._superblock.close()


def _cut(text: str, width: int) -> bytes:
    """As much of a text as has room, in UTF-8."""
    return text.encode("utf-8", "backslashreplace")[:width].decode("utf-8", "ignore").encode()


def as_attribute(value: Any) -> Any:
    """A plain value as HDF5 holds it: lists of numbers as arrays, what else is nested as JSON."""
    if value is None:
        return h5py.Empty("f8")
    if isinstance(value, (bool, float, str)):
        return value.replace("\0", "\\0") if isinstance(value, str) else value
    if isinstance(value, int):
        return value if -(1 << 63) <= value < 1 << 63 else str(value)
    if isinstance(value, list):
        numbers = _as_numbers(value)
        if numbers is not None:
            return numbers
    return json.dumps(value)


def _as_numbers(value: list[Any]) -> np.ndarray[Any, Any] | None:
    try:
        array = np.array(value)
    except ValueError:  # lists of different lengths
        return None
    return array if array.dtype.kind in "biuf" and array.size else None


def _stored_dtype(column: Column) -> np.dtype[Any]:
    if isinstance(column, (Text, Json)):
        text: np.dtype[Any] = h5py.string_dtype("utf-8", column.width)
        return text
    if not isinstance(column, Numbers) and column.dtype.kind in "mM":
        times: np.dtype[Any] = h5py.opaque_dtype(column.dtype)
        return times
    if column.dtype.kind == "U":
        raise ValueError(
            f"HDF5 files hold no arrays of {column.dtype}; publish text of which each item is bytes "
            f"(dtype S), or record to .zarr"
        )
    return column.dtype
