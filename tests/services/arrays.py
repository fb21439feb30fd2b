"""Hands large arrays out and takes them, and says what memory that has cost."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np

from pyrolab.api import behavior, expose

SHAPE = (4096, 8192)  # 64 MiB of uint16


@expose
@behavior(instance_mode="single")
class Arrays:
    """It has one image, and never another."""

    def __init__(self) -> None:
        self._image = np.arange(np.prod(SHAPE), dtype=np.uint16).reshape(SHAPE)

    def image(self) -> Any:
        """The image."""
        return self._image

    def several(self) -> Any:
        """The image in halves, within other things."""
        return {"halves": [self._image[:2048], (self._image[2048:], 1)], "of": "one"}

    def every_second(self) -> Any:
        """Not contiguous."""
        return self._image[:, ::2]

    def echo(self, value: Any) -> Any:
        """The value itself."""
        return value

    def take(self, *arrays: Any, **named: Any) -> list[Any]:
        """What arrived: corner pixels, and whether it may be changed."""
        return [
            (int(each[0, 0]), int(each[-1, -1]), each.flags.writeable) for each in (*arrays, *named.values())
        ]

    def begin(self) -> None:
        """Count allocations from now on."""
        tracemalloc.start()

    def end(self) -> int:
        """The most bytes that were allocated at a time since then."""
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak
