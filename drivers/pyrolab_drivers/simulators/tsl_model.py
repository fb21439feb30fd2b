"""What is inside a simulated Santec TSL laser: settings, tuning, and sweeps that take their time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pyrolab_drivers.laser import SPEED_OF_LIGHT_NM_THZ

Counts = NDArray[np.uint32]


@dataclass
class TSLModel:
    """The laser itself: settings, tuning and sweeps that take the time they take by `clock`."""

    wavelength_limits: tuple[float, float] = (1480.0, 1640.0)
    clock: Callable[[], float] = time.monotonic
    tuning_s: float = 0.0
    wavelength: float = 1550.0
    power_dbm: float = 0.0
    shows_mw: bool = False
    attenuation: float = 0.0
    emission: bool = False
    shutter_open: bool = False
    coherence: bool = False
    automatic_power: bool = True
    fine_tuning: float = 0.0
    fine: bool = False
    start: float = 1540.0
    stop: float = 1560.0
    step: float = 0.1
    speed: float = 10.0
    dwell: float = 0.0
    delay: float = 0.0
    cycles: int = 1
    continuous: bool = True
    two_way: bool = False
    triggered: bool = False
    trigger_output: int = 3
    trigger_step: float = 0.1
    done: int = 0
    log: Counts = field(default_factory=lambda: np.empty(0, np.uint32))
    _tuned_at: float = -math.inf
    _swept: float = 0.0
    _running_since: float | None = None
    _paused: bool = False
    _waiting: bool = False

    def tune(self, wavelength: float) -> None:
        """Go to a wavelength in nm, within 0.1 pm."""
        self.wavelength = round(wavelength, 4)
        self._tuned_at = self.clock() + self.tuning_s

    @property
    def busy(self) -> bool:
        """True while it is being tuned."""
        return self.clock() < self._tuned_at

    @property
    def frequency(self) -> float:
        """Frequency in THz, within 10 MHz."""
        return round(SPEED_OF_LIGHT_NM_THZ / self.wavelength, 5)

    @property
    def leaving_dbm(self) -> float:
        """Power that leaves the laser."""
        return self.power_dbm if self.emission and self.shutter_open else -60.0

    @property
    def duration(self) -> float:
        """How long all cycles of the sweep take, in s."""
        width = abs(self.stop - self.start)
        one = width / self.speed if self.continuous else (width / self.step + 1) * self.dwell
        return max(1, self.cycles) * (one * (2 if self.two_way else 1) + self.delay)

    def state(self) -> int:
        """0 stopped, 1 running, 2 paused, 3 waiting for a trigger."""
        if self._waiting:
            return 3
        if self._paused:
            return 2
        if self._running_since is None:
            return 0
        if self.clock() - self._running_since + self._swept < self.duration:
            return 1
        self._finish()
        return 0

    def go(self) -> None:
        """Start to sweep, or to wait for a trigger."""
        self.log, self.done, self._swept, self._paused = np.empty(0, np.uint32), 0, 0.0, False
        self._waiting = self.triggered
        self._running_since = None if self.triggered else self.clock()

    def trigger(self) -> None:
        """What the sweep waits for."""
        if self._waiting:
            self._waiting, self._running_since = False, self.clock()

    def pause(self) -> None:
        """Hold."""
        if self.state() == 1 and self._running_since is not None:
            self._swept += self.clock() - self._running_since
            self._running_since, self._paused = None, True

    def resume(self) -> None:
        """Go on."""
        if self._paused:
            self._running_since, self._paused = self.clock(), False

    def quit(self) -> None:
        """End where it is."""
        self._running_since, self._paused, self._waiting = None, False, False

    def _finish(self) -> None:
        self._running_since = None
        self.done = max(1, self.cycles)
        self.wavelength = self.start if self.two_way else self.stop
        distance = {0: math.inf, 3: self.trigger_step if self.continuous else self.step}.get(
            self.trigger_output
        )
        if distance is None:
            self.log = _counts([self.stop if self.trigger_output == 1 else self.start])
        elif distance < math.inf:
            count = math.floor(abs(self.stop - self.start) / distance + 1e-6) + 1
            self.log = _counts(
                self.start + math.copysign(distance, self.stop - self.start) * np.arange(count)
            )


def _counts(wavelengths: list[float] | NDArray[np.floating]) -> Counts:
    return np.round(np.asarray(wavelengths) * 1e4).astype(np.uint32)
