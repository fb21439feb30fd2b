"""Drivers that know nothing of PyroLab, written as other libraries write them."""

from __future__ import annotations

import enum
import os
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


class Coupling(enum.Enum):
    AC = "ac"
    DC = "dc"


class Channel:
    """One input."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._range = 1.0
        self.offset = 0.0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Channel) and other.number == self.number

    def __hash__(self) -> int:
        return self.number

    @property
    def range(self) -> float:
        """Full scale, in V."""
        return self._range

    @range.setter
    def range(self, value: float) -> None:
        if value > 10:
            raise ValueError(f"{value} V is too much")
        self._range = value

    def measure(self, times: int = 1) -> list[float]:
        return [self.number * self._range] * times


class Digitizer:
    """Puts its channels into itself when it is made; looking at `temperature` is an act of its own."""

    Coupling = Coupling
    bits = 12

    def __init__(self, address: str, *, inputs: int = 2) -> None:
        self.address = address
        self.looked = 0
        for number in range(1, inputs + 1):
            setattr(self, f"ch_{number}", Channel(number))
        self.channels = {number: getattr(self, f"ch_{number}") for number in range(1, inputs + 1)}
        self.inputs = list(self.channels.values())
        self.on_trigger = lambda level: f"triggered at {level}"
        self.coupling = Coupling.DC
        self.made_in = threading.get_ident()
        self._secret = 42
        self.frames: queue.Queue[Any] = queue.Queue()
        self._special_names = ["range_values"]

    @property
    def temperature(self) -> float:
        self.looked += 1
        return 21.5

    @property
    def source(self) -> Channel:
        """A channel made anew, equal to the first one."""
        return Channel(1)

    def threads(self) -> tuple[int, int]:
        """Where it was made, and where it is called."""
        return self.made_in, threading.get_ident()

    def fill(self, count: int) -> None:
        """Frames, as a thread of a camera's own puts them into a queue."""
        for number in range(count):
            self.frames.put((np.full((200, 300), number, np.uint16), 1000.0 + number))

    def wait(self, should_stop: Callable[[], bool] = lambda: False, timeout: float = 30.0) -> str:
        """As PyMeasure's `wait_for_buffer`: asks whether it shall stop."""
        ends = time.monotonic() + timeout
        self.waiting = True
        while time.monotonic() < ends:
            if should_stop():
                self.waiting = False
                return "stopped"
            time.sleep(0.01)
        return "waited"


class Lamp:
    """Cannot be made as long as a file says that it is switched off; its end is noted in another one."""

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)
        if (self._folder / "off").exists():
            raise OSError("no lamp answers at this address")
        self.pid = os.getpid()

    def __enter__(self) -> Lamp:
        return self

    def __exit__(self, *reason: Any) -> None:
        (self._folder / "ended").write_text(repr(reason))


class MadeUp:
    """Makes attributes up when it is asked for them, as QCoDeS does with parameters."""

    def __init__(self) -> None:
        self.parameters = {"gain": 3.0}

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["parameters"][name]
        except KeyError:
            raise AttributeError(name) from None
