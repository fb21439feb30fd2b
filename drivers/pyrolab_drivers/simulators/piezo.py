"""A simulated piezo axis, which carries the fibres a little further along x than the stage does."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np

from pyrolab_drivers.instrument import Identity
from pyrolab_drivers.piezo import PiezoAxis
from pyrolab_drivers.quantities import Micrometres, Seconds, Volts
from pyrolab_drivers.simulators.faults import Simulated

#: How far a piezo lags behind in open loop, as a part of its travel: typical hysteresis.
HYSTERESIS = 0.12


class SimulatedPiezo(Simulated, PiezoAxis):
    """A piezo of 20 µm at 75 V; it creeps to a position within some ms, and wants to be zeroed."""

    def __init__(self, seed: int = 0, *, clock: Callable[[], Seconds] = time.monotonic) -> None:
        super().__init__()
        self._serial = str(seed)
        self._clock = clock
        #: What the gauge reads wrongly before it is zeroed.
        self._gauge_offset: Micrometres = float(np.random.default_rng([seed, 8]).uniform(-0.5, 0.5))
        self._closed_loop = True
        self._homed = False
        self._start: Micrometres = 0.0
        self._target: Micrometres = 0.0
        self._began_s: Seconds = -math.inf
        self._voltage: Volts = 0.0

    @property
    def identity(self) -> Identity:
        """Vendor, model, serial number and firmware."""
        return Identity("PyroLab", "Simulated piezo", self._serial, "1")

    @property
    def actual_position(self) -> Micrometres:
        """Where it is now, in µm, whatever its gauge or its connection say; for other twins."""
        elapsed = max(0.0, self._clock() - self._began_s)
        return self._target + (self._start - self._target) * math.exp(-elapsed / 0.002)

    @property
    def position(self) -> Micrometres:
        """Where the gauge says that it is now, in µm."""
        self._require_connection()
        return round(self.actual_position + self._gauge_error(), 4)

    @property
    def target(self) -> Micrometres:
        """Where the last move goes, in µm."""
        return self._target + self._gauge_error()

    @property
    def moving(self) -> bool:
        """True until it is within 2 nm of its target."""
        self._faults.exchange(str(self.identity))
        return abs(self.actual_position - self._target) > 0.002

    @property
    def homed(self) -> bool:
        """True once the gauge has been zeroed."""
        return self._homed

    @property
    def max_travel(self) -> Micrometres:
        """How far it reaches, in µm."""
        return 20.0

    def _start_move(self, target: Micrometres) -> None:
        self._go(target - self._gauge_error())
        self._voltage = self._read_max_voltage() * min(max(self._target / self.max_travel, 0.0), 1.0)

    def _read_voltage(self) -> Volts:
        return self._voltage

    def _write_voltage(self, voltage: Volts) -> None:
        """Upwards the position lags behind the voltage, downwards it stays too high: hysteresis."""
        part = voltage / self._read_max_voltage()
        lag = HYSTERESIS * part * (1.0 - part) * (1.0 if voltage >= self._voltage else -1.0)
        self._voltage = voltage
        self._go(self.max_travel * (part - lag))

    def _read_max_voltage(self) -> Volts:
        return 75.0

    def _read_closed_loop(self) -> bool:
        return self._closed_loop

    def _write_closed_loop(self, closed: bool) -> None:
        self._closed_loop = closed

    def _start_zero(self) -> None:
        self._homed = True
        self._voltage = 0.0
        self._go(0.0)

    def _gauge_error(self) -> Micrometres:
        return 0.0 if self._homed else self._gauge_offset

    def _go(self, target: Micrometres) -> None:
        self._start, self._target, self._began_s = self.actual_position, target, self._clock()
