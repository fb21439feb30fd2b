"""Recording a stream to HDF5, uncompressed, and the same arrays written by h5py alone in one process.

What is timed begins after some frames, and ends when the file is closed. Afterwards the file is read again:
all frames have to be there. A virtual machine may have to ask its host for memory that it has not used for a
while, and then takes seven times as long to write a file; so the memory is used just before, for all alike.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np

from perf.children import Child
from perf.streams_frames import BYTES, REFERENCE, SHAPE, answering, check_all, check_signed, fill
from perf.trust_bus import run_role, serve_questions
from pyrolab.api import Proxy

LIBRARY = "h5py"
#: In which way h5py writes: a dataset whose length is known before, or one that grows by a chunk each time.
KNOWN, GROWING = "known", "growing"
_NAME = "frames"
#: Frames before those that are timed: everything is open then, and all memory is there.
_WARM_UP = 32
#: How much memory is used before, for each byte that is written: the file's cache, and frames that wait.
_USED_BEFORE = 2


def writer(start: Callable[..., Child]) -> Child:
    """A process that records, or writes, made by `start`."""
    return start(__name__, "writer")


def _use_memory(frames: int) -> None:
    """Have the system's memory at hand for so many frames."""
    np.ones(_USED_BEFORE * (_WARM_UP + frames) * BYTES, np.uint8)


def _record(where: str, frames: int) -> float:
    """Frames per second of a recording, over so many frames."""
    from pyrolab.recording import Recorder

    _use_memory(frames)
    with TemporaryDirectory() as folder, Proxy(where) as camera:
        path = Path(folder) / "recorded.h5"
        with Recorder(camera.frames, to=path) as recording:
            recording.run(frames=_WARM_UP)
            start = perf_counter()
            recording.run(frames=frames)
        taken = perf_counter() - start
        _check(path, _WARM_UP + frames)
    return frames / taken


def _write(frames: int, way: str) -> float:
    """The same without a stream."""
    import h5py

    _use_memory(frames)
    image = REFERENCE.copy()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "written.h5"
        with h5py.File(path, "w") as file:
            write = _ways(file, _WARM_UP + frames)[way]
            for number in range(1, _WARM_UP + 1):
                fill(image, number)
                write(number, image)
            start = perf_counter()
            for number in range(_WARM_UP + 1, _WARM_UP + frames + 1):
                fill(image, number)
                write(number, image)
        taken = perf_counter() - start
        _check(path, _WARM_UP + frames)
    return frames / taken


def _ways(file: Any, frames: int) -> dict[str, Callable[[int, Any], None]]:
    def known(number: int, image: Any) -> None:
        if number == 1:
            file.create_dataset(_NAME, (frames, *SHAPE), np.uint16)
        file[_NAME][number - 1] = image

    def growing(number: int, image: Any) -> None:
        if number == 1:
            file.create_dataset(_NAME, (0, *SHAPE), np.uint16, maxshape=(None, *SHAPE), chunks=(1, *SHAPE))
        file[_NAME].resize(number, 0)
        file[_NAME][number - 1] = image

    return {KNOWN: known, GROWING: growing}


def _check(path: Path, frames: int) -> None:
    """Raises `ValueError` if a frame is missing, or is not what it was."""
    import h5py

    with h5py.File(path) as file:
        found = _images(file)
        if found is None or len(found) != frames:
            raise ValueError(f"{0 if found is None else len(found)} of {frames} frames are in the file")
        first = int(found[0, 0, 0])
        for place in range(0, frames, 7):
            check_signed(first + place, found[place])
            check_all(found[place])


def _images(file: Any) -> Any:
    """The first dataset of images, wherever it is."""
    found: list[Any] = []

    def look(name: str, item: Any) -> None:
        if getattr(item, "shape", ())[1:] == SHAPE:
            found.append(item)

    file.visititems(look)
    return found[0] if found else None


def _writer() -> None:
    serve_questions({"record": answering(_record), "write": answering(_write)})


if __name__ == "__main__":
    run_role({"writer": _writer})
