"""Tunable lasers.

Wavelengths are in nm in vacuum, frequencies in THz, powers in dBm. A setting out of range is refused
before it reaches the laser.
"""

from __future__ import annotations

from abc import abstractmethod

from pyrolab_drivers.instrument import Instrument, wait_until
from pyrolab_drivers.quantities import DecibelMilliwatts, Nanometres, Range, Seconds, Terahertz

#: Speed of light in vacuum, in nm·THz, exact by the definition of the metre.
SPEED_OF_LIGHT_NM_THZ = 299_792.458


class TunableLaser(Instrument):
    """A laser whose wavelength can be set. A driver supplies the abstract members."""

    @property
    @abstractmethod
    def wavelength_limits(self) -> tuple[Nanometres, Nanometres]:
        """Shortest and longest wavelength, in nm."""

    @property
    @abstractmethod
    def power_limits(self) -> tuple[DecibelMilliwatts, DecibelMilliwatts]:
        """Lowest and highest power that can be set, in dBm."""

    @abstractmethod
    def _read_wavelength(self) -> Nanometres: ...

    @abstractmethod
    def _write_wavelength(self, wavelength: Nanometres) -> None: ...

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
        self._write_wavelength(Range(*self.wavelength_limits, "nm").check("wavelength", wavelength))

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
    def output_enabled(self) -> bool:
        """True while light can leave the laser."""
        self._require_connection()
        return self._read_output_enabled()

    @output_enabled.setter
    def output_enabled(self, enabled: bool) -> None:
        self._require_connection()
        self._write_output_enabled(bool(enabled))

    def stop(self) -> None:
        """Switch the output off."""
        self.output_enabled = False

    def wait(self, timeout_s: Seconds = 10.0) -> None:
        """Return when the wavelength has settled. Raises `TimeoutError` after `timeout_s`."""
        wait_until(lambda: self.settled, timeout_s, f"the tuning of {self.identity}")
