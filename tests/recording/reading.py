"""Recordings as their formats' own libraries read them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import tifffile
import zarr


@dataclass(frozen=True)
class Read:
    value: Any
    sequence: int
    timestamp: float
    epoch: int
    metadata: dict[str, Any]


@dataclass(frozen=True)
class Recording:
    #: By segment.
    frames: dict[str, list[Read]]
    gaps: list[tuple[int, int, int]]
    epochs: list[tuple[int, int]]
    recorded: int
    dropped: int
    #: How it was begun and ended.
    notes: dict[str, Any]
    settings: dict[str, Any]
    unread: dict[str, Any]
    source: dict[str, Any]

    @property
    def all(self) -> list[Read]:
        """Frames of all segments, in their order."""
        return sorted(
            (each for part in self.frames.values() for each in part), key=lambda each: each.sequence
        )

    @property
    def sequences(self) -> list[int]:
        return [each.sequence for each in self.all]


def read(path: Path) -> Recording:
    return {".h5": read_hdf5, ".zarr": read_zarr, ".tiff": read_tiff, ".tif": read_tiff}[path.suffix](path)


def read_hdf5(path: Path) -> Recording:
    with h5py.File(path, "r") as file:
        settings = {name: _plain(value) for name, value in file["settings"].attrs.items()}
        counts = file["counts"][()]
        return Recording(
            _segments(file),
            _rows(file["gaps"]),
            _rows(file["epochs"]),
            int(counts["recorded"]),
            int(counts["dropped"]),
            {name: _plain(value) for name, value in file["recording"].attrs.items()},
            settings,
            dict(file["settings/unread"].attrs),
            dict(file["source"].attrs),
        )


def read_zarr(path: Path) -> Recording:
    root: Any = zarr.open_group(str(path), mode="r")
    noted: dict[str, Any] = dict(root.attrs)
    return Recording(
        _segments(root),
        _rows(root["gaps"]),
        _rows(root["epochs"]),
        noted["recorded"],
        noted["dropped"],
        noted,
        noted["settings"],
        noted["settings_unread"],
        noted["source"],
    )


def read_tiff(path: Path) -> Recording:
    noted = json.loads(path.with_name(path.name + ".json").read_text())
    pages = []
    if path.exists():
        with tifffile.TiffFile(path) as file:
            every: Any = file.pages
            pages = [Read(page.asarray(), **json.loads(page.description)) for page in every]
    return Recording(
        {"frames": pages},
        [tuple(each) for each in noted["gaps"]],
        [tuple(each) for each in noted["epochs"]],
        noted["recorded"],
        noted["dropped"],
        noted,
        noted["settings"],
        noted["settings_unread"],
        noted["source"],
    )


def _segments(root: Any) -> dict[str, list[Read]]:
    names = sorted(name for name in root if name.startswith("frames"))
    return {name: _frames(root[name]) for name in names}


def _frames(group: Any) -> list[Read]:
    count = group["sequence"].shape[0]
    columns = {name: group[name][:count] for name in ("data", "sequence", "timestamp", "epoch")}
    metadata = _metadata(group, count)
    return [
        Read(value, int(sequence), float(timestamp), int(epoch), each)
        for value, sequence, timestamp, epoch, each in zip(*columns.values(), metadata, strict=True)
    ]


def _metadata(group: Any, count: int) -> list[dict[str, Any]]:
    if "metadata_json" in group:
        return [json.loads(bytes(each)) for each in group["metadata_json"][:count]]
    columns = group.get("metadata", {})
    cells = {name: columns[name][:count] for name in columns}
    return [{name: _plain(cells[name][row]) for name in cells} for row in range(count)]


def _rows(array: Any) -> list[Any]:
    return [tuple(map(int, row)) for row in array[:]]


def _plain(value: Any) -> Any:
    if isinstance(value, h5py.Empty):
        return None
    if isinstance(value, np.ndarray):
        return value.tolist()
    value = value.item() if isinstance(value, np.generic) else value
    return value.decode() if isinstance(value, bytes) else value
