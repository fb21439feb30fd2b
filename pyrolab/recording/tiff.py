"""TIFF files: a page for each frame, described in JSON; what TIFF cannot hold is in a JSON file beside it."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from pyrolab.recording.description import FORMAT, Counts, Description, Ending
from pyrolab.recording.files import Gap, Wishes, Writer, sidecar_of
from pyrolab.recording.layout import Frame
from pyrolab.recording.plain import as_json

#: The addresses in a classic TIFF end at 4 GiB; what is larger, or may become so, is a BigTIFF.
_CLASSIC_BYTES = (1 << 32) - (1 << 26)
_PAGE_BYTES = 4096
_COLOURS = (3, 4)


def open_writer(path: Path, description: Description, wishes: Wishes) -> Tiff:
    """A writer to a new file. Raises `ValueError` for compression that tifffile has not, here."""
    if wishes.compression is not None:
        _try(wishes.compression)
    return Tiff(path, description, wishes)


def _try(compression: str) -> None:
    try:
        tifffile.imwrite(io.BytesIO(), np.zeros((16, 16), np.uint8), compression=compression)
    except Exception as error:  # noqa: BLE001 - what it raises depends on what is missing
        raise ValueError(
            f"tifffile cannot compress by {compression!r} here ({error}); 'zlib' works always, others need "
            "the package imagecodecs"
        ) from None


class _Pages(io.FileIO):
    """A file in which a page is shown when it is complete: tifffile points to it before it writes it."""

    _shown = 0
    _held: tuple[tuple[int, bytes], ...] = ()

    def write(self, data: Any) -> int:
        """Write at once what is new, and what changes old bytes with `show`."""
        at = self.tell()
        if at >= self._shown:
            return super().write(data)
        self._held = (*self._held, (at, bytes(data)))
        self.seek(at + len(self._held[-1][1]))
        return len(self._held[-1][1])

    def show(self) -> None:
        """All that has been written is whole now."""
        at = self.tell()
        held, self._held, self._shown = self._held, (), 0
        for where, data in held:
            self.seek(where)
            self.write(data)
        self._shown = self.seek(0, io.SEEK_END)
        self.seek(at)

    def forget(self) -> None:
        """What has been written since is not whole, and nothing must point to it."""
        self._held = ()
        self.seek(self._shown)
        self.truncate()


class Tiff(Writer):
    """A TIFF file that is being written; it is made for the first frame, with which its size is known."""

    def __init__(self, path: Path, description: Description, wishes: Wishes) -> None:
        self._path = path
        self._wishes = wishes
        self._file: _Pages | None = None
        self._writer: Any = None
        self._noted: dict[str, Any] = {
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
            "epochs": [],
            "gaps": [],
            "pages": [],
        }
        for old in (path, sidecar_of(path)):
            old.unlink(missing_ok=True)  # it may be overwritten, or is not there
        self._write_sidecar()

    def append(self, frame: Frame) -> None:
        """Write a page. Raises `ValueError` for what is no image."""
        image = _image(frame.value)
        writer = self._writer or self._opened(image.nbytes)
        assert self._file is not None
        try:
            writer.write(
                image,
                description=_described(frame),
                metadata=None,
                photometric="rgb" if image.ndim == 3 else "minisblack",
                compression=self._wishes.compression,
                software=False,
            )
        except BaseException:
            self._file.forget()
            raise
        self._file.show()
        self._count_page(frame)

    def _opened(self, frame_bytes: int) -> Any:
        frames = self._wishes.frames
        is_small = frames is not None and frames * (frame_bytes + _PAGE_BYTES) < _CLASSIC_BYTES
        self._file = _Pages(self._path, "xb")
        self._writer = tifffile.TiffWriter(self._file, bigtiff=not is_small)
        self._file.show()
        return self._writer

    def _count_page(self, frame: Frame) -> None:
        """Pages are listed as runs: epoch, first number, how many, and by how much the number grows."""
        pages = self._noted["pages"]
        if not self._noted["epochs"] or self._noted["epochs"][-1][0] != frame.epoch:
            self._noted["epochs"].append([frame.epoch, frame.sequence])
        if pages and _continues(pages[-1], frame):
            pages[-1][3] = frame.sequence - pages[-1][1] if pages[-1][2] == 1 else pages[-1][3]
            pages[-1][2] += 1
        else:
            pages.append([frame.epoch, frame.sequence, 1, 1])

    def note_gaps(self, gaps: Sequence[Gap]) -> None:
        """Take a note of frames that are missing."""
        self._noted["gaps"] += map(list, gaps)

    def flush(self, counts: Counts) -> None:
        """Write the other file anew; the pages are in theirs."""
        self._noted.update(asdict(counts))
        self._write_sidecar()

    def close(self, counts: Counts, ending: Ending) -> None:
        """Close, and note the ending."""
        self._noted.update(
            ended=ending.ended, ended_properly=ending.properly, ended_because=ending.because, **asdict(counts)
        )
        if self._file is not None:
            self._writer.close()
            self._file.show()
            self._file.close()
        self._write_sidecar()

    def abandon(self) -> None:
        """Close without another word."""
        if self._file is not None:
            try:
                self._file.close()
            except OSError:  # it could not be written to before
                pass

    def _write_sidecar(self) -> None:
        """In one step: it is the old or the new one at any moment."""
        path = sidecar_of(self._path)
        new = path.with_name(path.name + ".new")
        new.write_text(as_json(self._noted) + "\n", encoding="utf-8")
        os.replace(new, path)


def _image(value: Any) -> Any:
    is_image = isinstance(value, np.ndarray) and value.size > 0 and value.dtype.kind in "biufc"
    if is_image and (value.ndim == 2 or (value.ndim == 3 and value.shape[2] in _COLOURS)):
        return value
    shown = f"{value.dtype} of shape {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__
    raise ValueError(
        f"a TIFF holds images (rows × columns, perhaps × 3 or 4 colours), and this frame is {shown}; record "
        "to .h5 or .zarr"
    )


def _described(frame: Frame) -> str:
    return as_json(
        {
            "sequence": frame.sequence,
            "timestamp": frame.timestamp,
            "epoch": frame.epoch,
            "metadata": frame.metadata,
        }
    )


def _continues(run: Sequence[int], frame: Frame) -> bool:
    epoch, first, count, step = run
    if epoch != frame.epoch or frame.sequence <= first:
        return False
    return count == 1 or frame.sequence == first + count * step
