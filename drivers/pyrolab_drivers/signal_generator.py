"""Signal generators. Frequencies are in Hz, powers in dBm, phases in degrees."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from enum import Enum

from pyrolab_drivers.instrument import Instrument
from pyrolab_drivers.quantities import (
    DecibelMilliwatts,
    Decibels,
    Degrees,
    Hertz,
    OutOfRange,
    Range,
    Seconds,
    choice,
)

_PHASES = Range(-360.0, 360.0, "deg")


class SweepSpacing(Enum):
    """How the frequencies of a sweep lie."""

    LINEAR = "linear"
    LOGARITHMIC = "logarithmic"


@dataclass(frozen=True, slots=True)
class FrequencySweep:
    """A sweep of the frequency, checked: `points` frequencies, each for `dwell_s`."""

    start: Hertz
    stop: Hertz
    points: int
    dwell_s: Seconds
    spacing: SweepSpacing
    repeat: bool


class SignalGenerator(Instrument):
    """A signal generator. A driver supplies the abstract members, and what else the generator has."""

    @property
    @abstractmethod
    def frequency_limits(self) -> tuple[Hertz, Hertz]:
        """Lowest and highest frequency at the output, in Hz."""

    @property
    @abstractmethod
    def power_limits(self) -> tuple[DecibelMilliwatts, DecibelMilliwatts]:
        """Lowest and highest power at the output, in dBm."""

    @property
    def sweep_dwell_limits(self) -> tuple[Seconds, Seconds]:
        """Shortest and longest stay at one frequency of a sweep, in s."""
        return (0.001, 100.0)

    @property
    def sweep_points_limits(self) -> tuple[int, int]:
        """Least and greatest number of frequencies in a sweep."""
        return (2, 10_000)

    @abstractmethod
    def _read_frequency(self) -> Hertz: ...

    @abstractmethod
    def _write_frequency(self, frequency: Hertz) -> None: ...

    @abstractmethod
    def _read_power(self) -> DecibelMilliwatts: ...

    @abstractmethod
    def _write_power(self, power: DecibelMilliwatts) -> None: ...

    @abstractmethod
    def _read_output_enabled(self) -> bool: ...

    @abstractmethod
    def _write_output_enabled(self, enabled: bool) -> None: ...

    def _read_phase(self) -> Degrees:
        raise self._not_supported("a phase that can be set")

    def _write_phase(self, phase: Degrees) -> None:
        raise self._not_supported("a phase that can be set")

    def _read_frequency_offset(self) -> Hertz:
        raise self._not_supported("an offset of frequency")

    def _write_frequency_offset(self, offset: Hertz) -> None:
        raise self._not_supported("an offset of frequency")

    def _read_power_offset(self) -> Decibels:
        raise self._not_supported("an offset of power")

    def _write_power_offset(self, offset: Decibels) -> None:
        raise self._not_supported("an offset of power")

    def _start_sweep(self, sweep: FrequencySweep) -> None:
        raise self._not_supported("sweeps")

    def _stop_sweep(self) -> None:
        raise self._not_supported("sweeps")

    def _read_sweep_running(self) -> bool:
        raise self._not_supported("sweeps")

    @property
    def frequency(self) -> Hertz:
        """Frequency at the output, in Hz; `frequency_offset` is not in it."""
        self._require_connection()
        return self._read_frequency()

    @frequency.setter
    def frequency(self, frequency: Hertz) -> None:
        self._require_connection()
        self._write_frequency(self._check_frequency(frequency))

    @property
    def power(self) -> DecibelMilliwatts:
        """Power at the output, in dBm; `power_offset` is not in it."""
        self._require_connection()
        return self._read_power()

    @power.setter
    def power(self, power: DecibelMilliwatts) -> None:
        self._require_connection()
        self._write_power(Range(*self.power_limits, "dBm").check("power", power))

    @property
    def phase(self) -> Degrees:
        """Phase of the output against the reference, in degrees, −360 to 360."""
        self._require_connection()
        return self._read_phase()

    @phase.setter
    def phase(self, phase: Degrees) -> None:
        self._require_connection()
        self._write_phase(_PHASES.check("phase", phase))

    @property
    def output_enabled(self) -> bool:
        """True while a signal leaves the generator."""
        self._require_connection()
        return self._read_output_enabled()

    @output_enabled.setter
    def output_enabled(self, enabled: bool) -> None:
        self._require_connection()
        self._write_output_enabled(bool(enabled))

    @property
    def frequency_offset(self) -> Hertz:
        """What a mixer behind the output adds, in Hz: the display shows the sum; the output stays."""
        self._require_connection()
        return self._read_frequency_offset()

    @frequency_offset.setter
    def frequency_offset(self, offset: Hertz) -> None:
        self._require_connection()
        largest = 1e3 * self.frequency_limits[1]
        self._write_frequency_offset(Range(-largest, largest, "Hz").check("offset of frequency", offset))

    @property
    def power_offset(self) -> Decibels:
        """What an amplifier behind the output adds, in dB: the display shows the sum; the output stays."""
        self._require_connection()
        return self._read_power_offset()

    @power_offset.setter
    def power_offset(self, offset: Decibels) -> None:
        self._require_connection()
        self._write_power_offset(Range(-100.0, 100.0, "dB").check("offset of power", offset))

    @property
    def sweep_running(self) -> bool:
        """True while a sweep is under way."""
        self._require_connection()
        return self._read_sweep_running()

    def sweep(
        self,
        start: Hertz,
        stop: Hertz,
        points: int,
        dwell_s: Seconds = 0.01,
        spacing: SweepSpacing = SweepSpacing.LINEAR,
        repeat: bool = False,
    ) -> None:
        """Start to step the frequency from `start` to `stop` in Hz; returns at once.

        Stays `dwell_s` at each of `points` frequencies, once or over and over. Raises `OutOfRange` if one
        of them cannot be; then nothing is sent.
        """
        self._require_connection()
        count = Range(*self.sweep_points_limits, "points").check_count("sweep", points)
        dwell = Range(*self.sweep_dwell_limits, "s").check("dwell of the sweep", dwell_s)
        spaced = choice(SweepSpacing, "spacing of the sweep", spacing)
        first, last = self._check_frequency(start), self._check_frequency(stop)
        if spaced is SweepSpacing.LOGARITHMIC and min(first, last) <= 0.0:
            raise OutOfRange("a logarithmic sweep cannot touch 0 Hz", quantity="frequency", unit="Hz")
        self._start_sweep(FrequencySweep(first, last, count, dwell, spaced, bool(repeat)))

    def stop_sweep(self) -> None:
        """End the sweep; the output stays at the frequency where it was."""
        self._require_connection()
        self._stop_sweep()

    def stop(self) -> None:
        """Switch the output off."""
        self.output_enabled = False

    def _check_frequency(self, frequency: Hertz) -> Hertz:
        return Range(*self.frequency_limits, "Hz").check("frequency", frequency)
