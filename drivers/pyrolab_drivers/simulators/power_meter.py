"""A simulated power meter at the output fibre of the bench."""

from __future__ import annotations

import math

import numpy as np

from pyrolab_drivers.instrument import Identity
from pyrolab_drivers.power_meter import PowerMeter
from pyrolab_drivers.quantities import Nanometres, PowerUnit, Watts
from pyrolab_drivers.simulators.bench import FineAxis, HeatSource, LightSource, OpticalBench, Positioner
from pyrolab_drivers.simulators.faults import Simulated

#: Standard deviation of one reading in the dark: an InGaAs detector with a floor near −80 dBm.
DARK_NOISE_W: Watts = 5e-12
#: Standard deviation of one reading relative to the power: laser intensity noise and digitising.
RELATIVE_NOISE = 0.002
#: What the detector reads in the dark before `zero()`.
DARK_OFFSET_W: Watts = 2e-11

#: Where the measuring ranges end; beyond 1.1 of it a range overflows.
RANGES_W: tuple[Watts, ...] = (1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2)


class SimulatedPowerMeter(Simulated, PowerMeter):
    """Reads the light that the chip lets through, with the noise of an InGaAs detector."""

    def __init__(
        self,
        stage: Positioner,
        laser: LightSource,
        seed: int = 0,
        *,
        heater: HeatSource | None = None,
        piezo: FineAxis | None = None,
    ) -> None:
        super().__init__()
        self._bench = OpticalBench(stage, laser, seed, heater=heater, piezo=piezo)
        self._noise = np.random.default_rng([seed, 2])
        self._serial = str(seed)
        self._offset: Watts = 0.0
        self._wavelength: Nanometres = 1550.0
        self._averaging = 10
        self._power_unit = PowerUnit.WATTS
        self._range: Watts = RANGES_W[-1]
        self._autorange = True

    @property
    def identity(self) -> Identity:
        """Vendor, model, serial number and firmware."""
        return Identity("PyroLab", "Simulated power meter", self._serial, "1")

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
        reading = self._detect() - self._offset
        if self._autorange:
            self._range = next((end for end in RANGES_W if reading <= end), RANGES_W[-1])
        return min(reading, 1.1 * self._range)

    @property
    def range_limits(self) -> tuple[Watts, Watts]:
        """Lowest and highest power that a measuring range can end at, in W."""
        return (RANGES_W[0], RANGES_W[-1])

    def _read_range(self) -> Watts:
        return self._range

    def _write_range(self, power: Watts) -> None:
        self._autorange = False
        self._range = next(end for end in RANGES_W if power <= end)

    def _read_autorange(self) -> bool:
        return self._autorange

    def _write_autorange(self, enabled: bool) -> None:
        self._autorange = enabled

    def _read_power_unit(self) -> PowerUnit:
        return self._power_unit

    def _write_power_unit(self, unit: PowerUnit) -> None:
        self._power_unit = unit

    def _read_wavelength(self) -> Nanometres:
        return self._wavelength

    def _write_wavelength(self, wavelength: Nanometres) -> None:
        self._wavelength = wavelength

    def _read_averaging(self) -> int:
        return self._averaging

    def _write_averaging(self, readings: int) -> None:
        self._averaging = readings
