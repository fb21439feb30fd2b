"""A simulated tunable laser that slews to a new wavelength and then settles on it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from pyrolab_drivers.instrument import Identity
from pyrolab_drivers.laser import TunableLaser
from pyrolab_drivers.quantities import DecibelMilliwatts, Nanometres, Seconds


@dataclass(frozen=True, slots=True)
class Tuning:
    """A change of wavelength: at `speed` while far away, then exponentially within `time_constant_s`."""

    start_nm: Nanometres
    target_nm: Nanometres
    began_s: Seconds = 0.0
    speed_nm_s: float = 100.0
    time_constant_s: Seconds = 0.0004

    def wavelength(self, now_s: Seconds) -> Nanometres:
        """The wavelength at `now_s`; the exponential takes over where it is as fast as the slewing."""
        error, elapsed = self.start_nm - self.target_nm, max(0.0, now_s - self.began_s)
        handover = min(abs(error), self.speed_nm_s * self.time_constant_s)
        slewing_s = (abs(error) - handover) / self.speed_nm_s
        if elapsed < slewing_s:
            left = abs(error) - self.speed_nm_s * elapsed
        else:
            left = handover * math.exp(-(elapsed - slewing_s) / self.time_constant_s)
        return self.target_nm + math.copysign(left, error)


class SimulatedLaser(TunableLaser):
    """A laser for 1500 nm to 1630 nm with a resolution of 0.1 pm and up to 13 dBm, off when it wakes up."""

    #: Within this of the target the wavelength counts as settled: the resolution.
    resolution_nm: Nanometres = 1e-4

    def __init__(self, seed: int = 0, *, clock: Callable[[], Seconds] = time.monotonic) -> None:
        super().__init__()
        self._serial = str(seed)
        self._clock = clock
        self._tuning = Tuning(1550.0, 1550.0)
        self._power_setpoint: DecibelMilliwatts = 0.0
        self._output_enabled = False

    @property
    def identity(self) -> Identity:
        """Vendor, model, serial number and firmware."""
        return Identity("PyroLab", "Simulated tunable laser", self._serial, "1")

    def _open(self) -> None: ...

    def _close(self) -> None:
        self._output_enabled = False

    @property
    def wavelength_limits(self) -> tuple[Nanometres, Nanometres]:
        """Shortest and longest wavelength, in nm."""
        return (1500.0, 1630.0)

    @property
    def power_limits(self) -> tuple[DecibelMilliwatts, DecibelMilliwatts]:
        """Lowest and highest power that can be set, in dBm."""
        return (-15.0, 13.0)

    @property
    def power(self) -> DecibelMilliwatts:
        """Power that leaves the laser now, in dBm; minus infinity when the output is off."""
        self._require_connection()
        return self._power_setpoint if self._output_enabled else -math.inf

    @property
    def settled(self) -> bool:
        """True once the wavelength is within 0.1 pm of what was set."""
        return abs(self._read_wavelength() - self._tuning.target_nm) <= self.resolution_nm

    def _read_wavelength(self) -> Nanometres:
        return self._tuning.wavelength(self._clock())

    def _write_wavelength(self, wavelength: Nanometres) -> None:
        now = self._clock()
        self._tuning = Tuning(self._tuning.wavelength(now), wavelength, now)

    def _read_power_setpoint(self) -> DecibelMilliwatts:
        return self._power_setpoint

    def _write_power_setpoint(self, power: DecibelMilliwatts) -> None:
        self._power_setpoint = power

    def _read_output_enabled(self) -> bool:
        return self._output_enabled

    def _write_output_enabled(self, enabled: bool) -> None:
        self._output_enabled = enabled
