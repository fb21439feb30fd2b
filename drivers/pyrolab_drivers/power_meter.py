"""Optical power meters. Powers are in W; `power_dbm` is the same reading on a logarithmic scale."""

from __future__ import annotations

import math
from abc import abstractmethod

from pyrolab_drivers.instrument import Instrument
from pyrolab_drivers.quantities import DecibelMilliwatts, Nanometres, Range, Watts

#: Readings that one value may be averaged over.
AVERAGING_LIMITS = Range(1, 10_000, "readings")


def dbm_from_watts(power: Watts) -> DecibelMilliwatts:
    """Power in dBm; minus infinity for zero and for the negative readings of a detector in the dark."""
    return 10.0 * math.log10(power / 1e-3) if power > 0.0 else -math.inf


def watts_from_dbm(power: DecibelMilliwatts) -> Watts:
    """Power in W; minus infinity dBm is zero."""
    return 1e-3 * math.pow(10.0, power / 10.0)


class PowerMeter(Instrument):
    """A calibrated detector of light. A driver supplies the abstract members."""

    @property
    @abstractmethod
    def wavelength_limits(self) -> tuple[Nanometres, Nanometres]:
        """Shortest and longest wavelength that the detector is calibrated for, in nm."""

    @abstractmethod
    def _read_power(self) -> Watts: ...

    @abstractmethod
    def _read_wavelength(self) -> Nanometres: ...

    @abstractmethod
    def _write_wavelength(self, wavelength: Nanometres) -> None: ...

    @abstractmethod
    def _read_averaging(self) -> int: ...

    @abstractmethod
    def _write_averaging(self, readings: int) -> None: ...

    @abstractmethod
    def zero(self) -> None:
        """Take what the detector reads now, in the dark, as zero."""

    @property
    def power(self) -> Watts:
        """Power on the detector now, in W, averaged over `averaging` readings."""
        self._require_connection()
        return self._read_power()

    @property
    def power_dbm(self) -> DecibelMilliwatts:
        """Power on the detector now, in dBm; minus infinity where the reading is not above zero."""
        return dbm_from_watts(self.power)

    @property
    def wavelength(self) -> Nanometres:
        """Wavelength whose calibration is applied, in nm."""
        self._require_connection()
        return self._read_wavelength()

    @wavelength.setter
    def wavelength(self, wavelength: Nanometres) -> None:
        self._require_connection()
        self._write_wavelength(Range(*self.wavelength_limits, "nm").check("wavelength", wavelength))

    @property
    def averaging(self) -> int:
        """How many readings one value is averaged over."""
        self._require_connection()
        return self._read_averaging()

    @averaging.setter
    def averaging(self, readings: int) -> None:
        self._require_connection()
        self._write_averaging(int(AVERAGING_LIMITS.check("averaging", readings)))
