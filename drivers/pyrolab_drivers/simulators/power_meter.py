"""A simulated power meter at the output fibre of the bench."""

from __future__ import annotations

import math

import numpy as np

from pyrolab_drivers.instrument import Identity
from pyrolab_drivers.power_meter import PowerMeter
from pyrolab_drivers.quantities import Nanometres, Watts
from pyrolab_drivers.simulators.bench import LightSource, OpticalBench, Positioner

#: Standard deviation of one reading in the dark: an InGaAs detector with a floor near −80 dBm.
DARK_NOISE_W: Watts = 5e-12
#: Standard deviation of one reading relative to the power: laser intensity noise and digitising.
RELATIVE_NOISE = 0.002
#: What the detector reads in the dark before `zero()`.
DARK_OFFSET_W: Watts = 2e-11


class SimulatedPowerMeter(PowerMeter):
    """Reads the light that the chip lets through, with the noise of an InGaAs detector."""

    def __init__(self, stage: Positioner, laser: LightSource, seed: int = 0) -> None:
        super().__init__()
        self._bench = OpticalBench(stage, laser, seed)
        self._noise = np.random.default_rng([seed, 2])
        self._serial = str(seed)
        self._offset: Watts = 0.0
        self._wavelength: Nanometres = 1550.0
        self._averaging = 10

    @property
    def identity(self) -> Identity:
        """Vendor, model, serial number and firmware."""
        return Identity("PyroLab", "Simulated power meter", self._serial, "1")

    def _open(self) -> None: ...

    def _close(self) -> None: ...

    @property
    def wavelength_limits(self) -> tuple[Nanometres, Nanometres]:
        """Shortest and longest wavelength that the detector is calibrated for, in nm."""
        return (800.0, 1700.0)

    def zero(self) -> None:
        """Take what the detector reads now as zero; switch the light off before."""
        self._require_connection()
        self._offset = self._detect()

    def _detect(self) -> Watts:
        power = self._bench.light().transmitted
        spread = math.hypot(DARK_NOISE_W, RELATIVE_NOISE * power) / math.sqrt(self._averaging)
        return power + DARK_OFFSET_W + float(self._noise.normal(0.0, spread))

    def _read_power(self) -> Watts:
        return self._detect() - self._offset

    def _read_wavelength(self) -> Nanometres:
        return self._wavelength

    def _write_wavelength(self, wavelength: Nanometres) -> None:
        self._wavelength = wavelength

    def _read_averaging(self) -> int:
        return self._averaging

    def _write_averaging(self, readings: int) -> None:
        self._averaging = readings
