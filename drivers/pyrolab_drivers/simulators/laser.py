"""A simulated tunable laser that slews to a new wavelength and then settles on it, and that sweeps."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pyrolab_drivers.instrument import Identity
from pyrolab_drivers.quantities import (
    DecibelMilliwatts,
    Decibels,
    Nanometres,
    NanometresPerSecond,
    PowerUnit,
    Seconds,
)
from pyrolab_drivers.simulators.sweep_course import SweepCourse
from pyrolab_drivers.simulators.sweep_settings import SweepSettings
from pyrolab_drivers.swept_laser import SweepState


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


@dataclass(frozen=True, slots=True)
class Sweep:
    """A sweep that is under way, or was: it began at `began_s`; `paused_s` is when it was held, if it is."""

    course: SweepCourse
    began_s: Seconds
    paused_s: Seconds | None = None
    ended_s: Seconds | None = None

    def elapsed(self, now_s: float | NDArray[np.float64]) -> NDArray[np.float64]:
        """Time after the start without pauses; below 0 while the laser is on its way to the start."""
        for limit in (self.paused_s, self.ended_s):
            now_s = now_s if limit is None else np.minimum(now_s, limit)
        return np.asarray(now_s) - self.began_s


class SimulatedLaser(SweepSettings):
    """A laser for 1500 nm to 1630 nm with a resolution of 0.1 pm and up to 13 dBm, off when it wakes up."""

    #: Within this of the target the wavelength counts as settled: the resolution.
    resolution_nm: Nanometres = 1e-4

    def __init__(self, seed: int = 0, *, clock: Callable[[], Seconds] = time.monotonic) -> None:
        super().__init__()
        self._serial = str(seed)
        self._clock = clock
        self._tuning = Tuning(1550.0, 1550.0)
        self._sweep: Sweep | None = None
        self._log_noise = seed
        self._power_setpoint: DecibelMilliwatts = 0.0
        self._power_unit = PowerUnit.DBM
        self._attenuation: Decibels = 0.0
        self._emission = False
        self._shutter_open = True

    @property
    def identity(self) -> Identity:
        """Vendor, model, serial number and firmware."""
        return Identity("PyroLab", "Simulated tunable laser", self._serial, "1")

    def _close(self) -> None:
        self._emission = False

    # -- for other twins -----------------------------------------------------------------------------

    @property
    def actual_light(self) -> tuple[Nanometres, DecibelMilliwatts]:
        """What leaves it now, wavelength in nm and power in dBm, whatever its connection does."""
        return (self._read_wavelength(), self._power)

    def wavelengths_at(self, moments_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Wavelengths in nm at moments of the monotonic clock, since the last sweep or tuning began."""
        sweep = self._sweep
        if sweep is None:
            return np.asarray([self._tuning.wavelength(float(moment)) for moment in moments_s])
        elapsed = sweep.elapsed(moments_s)
        before = elapsed < 0
        found = sweep.course.wavelengths(elapsed)
        found[before] = [self._tuning.wavelength(float(moment)) for moment in moments_s[before]]
        return found

    def sweeping_at(self, moments_s: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether it swept at moments of the monotonic clock: its output for triggers is high then."""
        sweep = self._sweep
        if sweep is None:
            return np.zeros(len(moments_s), dtype=bool)
        held = sweep.ended_s if sweep.ended_s is not None else math.inf
        return np.asarray(sweep.course.within(sweep.elapsed(moments_s)) & (moments_s < held))

    # -- wavelength ----------------------------------------------------------------------------------

    @property
    def wavelength_limits(self) -> tuple[Nanometres, Nanometres]:
        """Shortest and longest wavelength, in nm."""
        return (1500.0, 1630.0)

    @property
    def settled(self) -> bool:
        """True once the wavelength is within 0.1 pm of what was set; false while it sweeps."""
        self._require_connection()
        off = abs(self._read_wavelength() - self._tuning.target_nm)
        return off <= self.resolution_nm and self._read_sweep_state() is SweepState.STOPPED

    def _read_wavelength(self) -> Nanometres:
        return float(self.wavelengths_at(np.array([self._clock()]))[0])

    def _write_wavelength(self, wavelength: Nanometres) -> None:
        now = self._clock()
        here = self._read_wavelength()
        self._end_sweep(now)
        self._sweep, self._tuning = None, Tuning(here, wavelength, now)

    # -- power ---------------------------------------------------------------------------------------

    @property
    def power_limits(self) -> tuple[DecibelMilliwatts, DecibelMilliwatts]:
        """Lowest and highest power that can be set, in dBm."""
        return (-15.0, 13.0)

    @property
    def power(self) -> DecibelMilliwatts:
        """Power that leaves the laser now, in dBm; minus infinity when the output is off."""
        self._require_connection()
        return self._power

    @property
    def _power(self) -> DecibelMilliwatts:
        return self._power_setpoint - self._attenuation if self._read_output_enabled() else -math.inf

    def _read_power_setpoint(self) -> DecibelMilliwatts:
        return self._power_setpoint

    def _write_power_setpoint(self, power: DecibelMilliwatts) -> None:
        self._power_setpoint = power

    def _read_power_unit(self) -> PowerUnit:
        return self._power_unit

    def _write_power_unit(self, unit: PowerUnit) -> None:
        self._power_unit = unit

    @property
    def attenuation_limits(self) -> tuple[Decibels, Decibels]:
        """Least and greatest attenuation of the built-in attenuator, in dB."""
        return (0.0, 30.0)

    def _read_attenuation(self) -> Decibels:
        return self._attenuation

    def _write_attenuation(self, attenuation: Decibels) -> None:
        self._attenuation = attenuation

    def _read_output_enabled(self) -> bool:
        return self._emission and self._shutter_open

    def _write_output_enabled(self, enabled: bool) -> None:
        self._emission = enabled
        self._shutter_open = self._shutter_open or enabled

    def _read_emission(self) -> bool:
        return self._emission

    def _write_emission(self, emission: bool) -> None:
        self._emission = emission

    def _read_shutter_open(self) -> bool:
        return self._shutter_open

    def _write_shutter_open(self, opened: bool) -> None:
        self._shutter_open = opened

    # -- sweeps --------------------------------------------------------------------------------------

    @property
    def sweep_speed_limits(self) -> tuple[NanometresPerSecond, NanometresPerSecond]:
        """Lowest and highest speed of a continuous sweep, in nm/s."""
        return (0.5, 100.0)

    @property
    def sweep_step_limits(self) -> tuple[Nanometres, Nanometres]:
        """Least and greatest step, in nm; a continuous sweep gives a trigger at each."""
        return (0.0001, 130.0)

    def _read_sweep_state(self) -> SweepState:
        sweep = self._sweep
        if sweep is None or sweep.ended_s is not None:
            return SweepState.STOPPED
        if sweep.paused_s is not None:
            return SweepState.PAUSED
        elapsed = sweep.elapsed(self._clock())
        if elapsed >= sweep.course.duration_s:
            self._end_sweep(sweep.began_s + sweep.course.duration_s)
            return SweepState.STOPPED
        return SweepState.RUNNING if sweep.course.within(elapsed) else SweepState.RETURNING

    def _start_sweep(self) -> None:
        course, now = self._course(), self._clock()
        tuning = Tuning(self._read_wavelength(), course.start, now)
        way_s = abs(course.start - tuning.start_nm) / tuning.speed_nm_s + 20 * tuning.time_constant_s
        self._tuning, self._sweep = tuning, Sweep(course, now + way_s)

    def _pause_sweep(self) -> None:
        if self._sweep is not None:
            self._sweep = replace(self._sweep, paused_s=self._clock())

    def _resume_sweep(self) -> None:
        sweep = self._sweep
        if sweep is not None and sweep.paused_s is not None:
            held_s = self._clock() - sweep.paused_s
            self._sweep = replace(sweep, began_s=sweep.began_s + held_s, paused_s=None)

    def _stop_sweep(self) -> None:
        self._end_sweep(self._clock())

    def _end_sweep(self, now_s: Seconds) -> None:
        """It stays where it is at `now_s`, or where it was held."""
        sweep = self._sweep
        if sweep is not None and sweep.ended_s is None:
            ended_s = now_s if sweep.paused_s is None else sweep.paused_s
            self._sweep = replace(sweep, ended_s=ended_s)
            here = float(self.wavelengths_at(np.array([ended_s]))[0])
            self._tuning = replace(self._tuning, target_nm=here) if ended_s >= sweep.began_s else self._tuning

    def _read_wavelength_log(self) -> NDArray[np.float64]:
        if self._sweep is None:
            return np.empty(0)
        found = self._sweep.course.triggers(float(self._sweep.elapsed(self._clock())))
        spread = np.random.default_rng([self._log_noise, 6]).normal(0.0, self.resolution_nm, len(found))
        return np.round(found + spread, 4)
