"""Frames that everybody knows, and a process that writes them until it is killed."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pyrolab.recording.description import Counts, Description, Ending
from pyrolab.recording.files import Wishes, Writer, open_writer

DESCRIPTION = Description(
    "camera",
    "frames",
    uri="PYRONAME:camera@localhost:9090",
    type="lab:Camera",
    settings={"exposure_ms": 2.5, "mode": "fast", "offsets": [1, 2], "lens": None, "stage.x": 7},
    unread={"laser": "TimeoutError: it hangs"},
)
EPOCH = 1 << 62


@dataclass(frozen=True)
class Taken:
    """A frame as subscriptions give it."""

    value: Any
    sequence: int
    timestamp: float = 0.0
    metadata: dict[str, Any] = field(default_factory=dict)
    epoch: int = EPOCH


def image_of(number: int, shape: tuple[int, ...] = (40, 50)) -> np.ndarray[Any, Any]:
    flat = np.arange(int(np.prod(shape))) * 7 + number
    return (flat % 60_000).astype(np.uint16).reshape(shape)


def picture(number: int, shape: tuple[int, ...] = (40, 50), **metadata: Any) -> Taken:
    known = {"number": number, "gain": number / 3, "name": f"µ{number}"}
    return Taken(image_of(number, shape), number, 1000.0 + number, metadata or known)


def write(path: Path, frames: list[Any], gaps: list[Any] | None = None, **wishes: Any) -> None:
    """A recording of some frames."""
    writer = open_writer(path, DESCRIPTION, Wishes(**wishes))
    for frame in frames:
        writer.append(frame)
    writer.note_gaps(gaps or [])
    finish(writer, len(frames))


def finish(writer: Writer, recorded: int) -> None:
    writer.close(Counts(recorded, 2), Ending(True, "all frames are there"))


def main() -> None:
    """Write pictures, every fifth one missing, of two shapes; say after each flush what is safe."""
    path, side = Path(sys.argv[1]), int(sys.argv[2])
    writer = open_writer(path, DESCRIPTION, Wishes())
    print(0, flush=True)
    for number in range(1, 100_000):
        if number % 5 == 0:
            writer.note_gaps([(EPOCH, number, number)])
        else:
            writer.append(picture(number, (side, side if number < 200 else side // 2)))
        if number % 7 == 0:
            writer.flush(Counts(number - number // 5, number // 5))
            print(number, flush=True)


if __name__ == "__main__":
    main()
