"""Instruments whose settings are awkward to read."""

from __future__ import annotations

import time
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from pyrolab.api import Stream, behavior, expose


class Mode(Enum):
    FAST = 1


@expose
class Part:
    """A part with a stream of its own."""

    traces = Stream()

    def __init__(self) -> None:
        self.voltage = 1.5

    @property
    def level(self) -> float:
        """Its level, in V."""
        return self.voltage

    @property
    def stuck(self) -> float:
        """Cannot be read."""
        raise RuntimeError("the relay is stuck")

    def send(self, count: int) -> None:
        """Publish so many traces of different lengths."""
        for number in range(count):
            self.traces.publish(np.full(5 + number % 3, number / 2))


@expose
@behavior(instance_mode="single")
class Awkward:
    """Everything that settings can be."""

    frames = Stream()

    def __init__(self) -> None:
        self._part = Part()
        self._secret = 5

    @property
    def part(self) -> Part:
        """A part."""
        return self._part

    @property
    def mode(self) -> Mode:
        """An enum."""
        return Mode.FAST

    @property
    def file(self) -> Path:
        """A path."""
        return Path("calibration.csv")

    @property
    def offsets(self) -> Any:
        """A small array."""
        return np.array([1.5, 2.5])

    @property
    def table(self) -> Any:
        """Too much for a setting."""
        return np.zeros(100_000)

    @property
    def limits(self) -> dict[str, Any]:
        """Nested."""
        return {"low": -1, "high": [1, None]}

    @property
    def nothing(self) -> None:
        """None."""
        return

    @property
    def broken(self) -> float:
        """Cannot be read."""
        raise ValueError("no sensor")

    @property
    def slow(self) -> float:
        """Takes longer than anybody waits for a setting."""
        time.sleep(3)
        return 1.0

    @property
    def last(self) -> str:
        """What comes after what is slow."""
        return "there"

    def write_only(self, value: float) -> None:
        """No property."""
