"""Lasers, lasers that can be tuned, and lasers that sweep by themselves.

Wavelengths are in nm in vacuum, frequencies in THz, powers in dBm. A setting out of range is refused
before it reaches the laser. Sweeps are in `swept_laser`.
"""

from __future__ import annotations

from abc import abstractmethod

from pyrolab_drivers.instrument import Instrument, wait_until
from pyrolab_drivers.quantities import (
    DecibelMilliwatts,
    Decibels,
    Nanometres,
    PowerUnit,
    Range,
    Seconds,
    Terahertz,
    choice,
)

#: Speed of light in vacuum, in nm·THz, exact by the definition of the metre.
SPEED_OF_LIGHT_NM_THZ = 299_792.458


class Laser(Instrument):
    """A laser whose power can be set. A driver supplies the abstract members, and what else the laser has."""

    @property
    @abstractmethod
    def power_limits(self) -> tuple[DecibelMilliwatts, DecibelMilliwatts]:
        """Lowest and highest power that can be set, in dBm."""

    @abstractmethod
    def _read_power_setpoint(self) -> DecibelMilliwatts: ...

    @abstractmethod
    def _write_power_setpoint(self, power: DecibelMilliwatts) -> None: ...

    @abstractmethod
    def _read_output_enabled(self) -> bool: ...

    @abstractmethod
    def _write_output_enabled(self, enabled: bool) -> None: ...

    @property
    @abstractmethod
    def power(self) -> DecibelMilliwatts:
        """Power that leaves the laser now, measured, in dBm; minus infinity when the output is off."""

    @property
    def attenuation_limits(self) -> tuple[Decibels, Decibels]:
        """Least and greatest attenuation of the built-in attenuator, in dB."""
        raise self._not_supported("an attenuator")

    def _read_attenuation(self) -> Decibels:
        raise self._not_supported("an attenuator")

    def _write_attenuation(self, attenuation: Decibels) -> None:
        raise self._not_supported("an attenuator")

    def _read_emission(self) -> bool:
        return self._read_output_enabled()

    def _write_emission(self, emission: bool) -> None:
        self._write_output_enabled(emission)

    def _read_shutter_open(self) -> bool:
        raise self._not_supported("a shutter")

    def _write_shutter_open(self, opened: bool) -> None:
        raise self._not_supported("a shutter")

    def _read_power_unit(self) -> PowerUnit:
        return PowerUnit.DBM

    def _write_power_unit(self, unit: PowerUnit) -> None:
        raise self._not_supported("a choice of units")

    @property
    def power_setpoint(self) -> DecibelMilliwatts:
        """Power that was asked for, in dBm."""
        self._require_connection()
        return self._read_power_setpoint()

    @power_setpoint.setter
    def power_setpoint(self, power: DecibelMilliwatts) -> None:
        self._require_connection()
        self._write_power_setpoint(Range(*self.power_limits, "dBm").check("power", power))

    @property
    def power_unit(self) -> PowerUnit:
        """What the display of the laser shows a power in; here powers are in dBm whatever it is."""
        self._require_connection()
        return self._read_power_unit()

    @power_unit.setter
    def power_unit(self, unit: PowerUnit) -> None:
        self._require_connection()
        self._write_power_unit(choice(PowerUnit, "power unit", unit))

    @property
    def attenuation(self) -> Decibels:
        """Attenuation of the built-in attenuator, in dB."""
        self._require_connection()
        return self._read_attenuation()

    @attenuation.setter
    def attenuation(self, attenuation: Decibels) -> None:
        self._require_connection()
        self._write_attenuation(Range(*self.attenuation_limits, "dB").check("attenuation", attenuation))

    @property
    def output_enabled(self) -> bool:
        """True while light can leave the laser."""
        self._require_connection()
        return self._read_output_enabled()

    @output_enabled.setter
    def output_enabled(self, enabled: bool) -> None:
        self._require_connection()
        self._write_output_enabled(bool(enabled))

    @property
    def emission(self) -> bool:
        """True while the laser diode is on; the same as `output_enabled` where there is no shutter."""
        self._require_connection()
        return self._read_emission()

    @emission.setter
    def emission(self, emission: bool) -> None:
        self._require_connection()
        self._write_emission(bool(emission))

    @property
    def shutter_open(self) -> bool:
        """True while the shutter is open. Raises `NotSupported` if there is none."""
        self._require_connection()
        return self._read_shutter_open()

    @shutter_open.setter
    def shutter_open(self, opened: bool) -> None:
        self._require_connection()
        self._write_shutter_open(bool(opened))

    def stop(self) -> None:
        """Switch the output off."""
        self.output_enabled = False


class TunableLaser(Laser):
    """A laser whose wavelength can be set. A driver supplies the abstract members."""

    @property
    @abstractmethod
    def wavelength_limits(self) -> tuple[Nanometres, Nanometres]:
        """Shortest and longest wavelength, in nm."""

    @abstractmethod
    def _read_wavelength(self) -> Nanometres: ...

    @abstractmethod
    def _write_wavelength(self, wavelength: Nanometres) -> None: ...

    @property
    @abstractmethod
    def settled(self) -> bool:
        """True once the wavelength is what was set, within the resolution of the laser."""

    @property
    def wavelength(self) -> Nanometres:
        """Wavelength of the light now, in nm; `settled` says whether it has reached what was set."""
        self._require_connection()
        return self._read_wavelength()

    @wavelength.setter
    def wavelength(self, wavelength: Nanometres) -> None:
        self._require_connection()
        self._write_wavelength(self.check(wavelength))

    @property
    def frequency(self) -> Terahertz:
        """Optical frequency of the light now, in THz; another view of `wavelength`."""
        return SPEED_OF_LIGHT_NM_THZ / self.wavelength

    @frequency.setter
    def frequency(self, frequency: Terahertz) -> None:
        shortest, longest = self.wavelength_limits
        allowed = Range(SPEED_OF_LIGHT_NM_THZ / longest, SPEED_OF_LIGHT_NM_THZ / shortest, "THz")
        checked = SPEED_OF_LIGHT_NM_THZ / allowed.check("frequency", frequency)
        self.wavelength = min(max(checked, shortest), longest)  # at a limit, rounding may step over it

    def check(self, wavelength: Nanometres, quantity: str = "wavelength") -> Nanometres:
        """Return `wavelength` if the laser can be tuned to it, else raise `OutOfRange`; nothing is sent."""
        return Range(*self.wavelength_limits, "nm").check(quantity, wavelength)

    def wait(self, timeout_s: Seconds = 10.0) -> None:
        """Return when the wavelength has settled. Raises `TimeoutError` after `timeout_s`."""
        wait_until(lambda: self.settled, timeout_s, f"the tuning of {self.identity}")
