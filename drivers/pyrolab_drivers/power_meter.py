"""Optical power meters. Powers are in W; `power_dbm` is the same reading on a logarithmic scale."""

from __future__ import annotations

import math
from abc import abstractmethod

from pyrolab_drivers.instrument import Instrument
from pyrolab_drivers.quantities import DecibelMilliwatts, Nanometres, PowerUnit, Range, Watts, choice

#: Readings that one value may be averaged over.
AVERAGING_LIMITS = Range(1, 10_000, "readings")


def dbm_from_watts(power: Watts) -> DecibelMilliwatts:
    """Power in dBm; minus infinity for zero and for the negative readings of a detector in the dark."""
    return 10.0 * math.log10(power / 1e-3) if power > 0.0 else -math.inf


def watts_from_dbm(power: DecibelMilliwatts) -> Watts:
    """Power in W; minus infinity dBm is zero."""
    return 1e-3 * math.pow(10.0, power / 10.0)


class PowerMeter(Instrument):
    """A calibrated detector of light. A driver supplies the abstract members, and what else the meter has."""

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
    def range_limits(self) -> tuple[Watts, Watts]:
        """Lowest and highest power that a measuring range can end at, in W."""
        raise self._not_supported("measuring ranges")

    def _read_range(self) -> Watts:
        raise self._not_supported("measuring ranges")

    def _write_range(self, power: Watts) -> None:
        raise self._not_supported("measuring ranges")

    def _read_autorange(self) -> bool:
        raise self._not_supported("measuring ranges")

    def _write_autorange(self, enabled: bool) -> None:
        raise self._not_supported("measuring ranges")

    def _read_power_unit(self) -> PowerUnit:
        return PowerUnit.WATTS

    def _write_power_unit(self, unit: PowerUnit) -> None:
        raise self._not_supported("a choice of units")

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
        self._write_averaging(AVERAGING_LIMITS.check_count("averaging", readings))

    @property
    def range(self) -> Watts:
        """Power at which the measuring range ends, in W; to set it ends the automatic choice of range."""
        self._require_connection()
        return self._read_range()

    @range.setter
    def range(self, power: Watts) -> None:
        self._require_connection()
        self._write_range(Range(*self.range_limits, "W").check("range", power))

    @property
    def autorange(self) -> bool:
        """True while the meter chooses its measuring range by itself."""
        self._require_connection()
        return self._read_autorange()

    @autorange.setter
    def autorange(self, enabled: bool) -> None:
        self._require_connection()
        self._write_autorange(bool(enabled))

    @property
    def power_unit(self) -> PowerUnit:
        """What the display of the meter shows, W or dBm; `power` is in W whatever it is."""
        self._require_connection()
        return self._read_power_unit()

    @power_unit.setter
    def power_unit(self, unit: PowerUnit) -> None:
        self._require_connection()
        self._write_power_unit(choice(PowerUnit, "power unit", unit))
