"""Tunable lasers that sweep through a range of wavelengths by themselves, and log where they were.

Wavelengths are in nm in vacuum, speeds in nm/s, times in s. A setting out of range is refused before it
reaches the laser.
"""

from __future__ import annotations

from abc import abstractmethod
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from pyrolab_drivers.instrument import wait_until
from pyrolab_drivers.laser import TunableLaser
from pyrolab_drivers.quantities import Nanometres, NanometresPerSecond, Range, Seconds, WrongMode, choice


class SweepMode(Enum):
    """How a laser goes through its range."""

    CONTINUOUS_ONE_WAY = "continuous, one way"
    CONTINUOUS_TWO_WAY = "continuous, two ways"
    STEP_ONE_WAY = "steps, one way"
    STEP_TWO_WAY = "steps, two ways"


class SweepState(Enum):
    """What a sweep is doing."""

    STOPPED = "stopped"
    RUNNING = "running"
    PAUSED = "paused"
    WAITING = "waiting for a trigger"
    RETURNING = "returning to the start"


class SweptLaser(TunableLaser):
    """A tunable laser that sweeps by itself. A driver supplies the abstract members."""

    @property
    @abstractmethod
    def sweep_speed_limits(self) -> tuple[NanometresPerSecond, NanometresPerSecond]:
        """Lowest and highest speed of a continuous sweep, in nm/s."""

    @property
    @abstractmethod
    def sweep_step_limits(self) -> tuple[Nanometres, Nanometres]:
        """Least and greatest step of a stepped sweep, in nm."""

    @property
    def sweep_dwell_limits(self) -> tuple[Seconds, Seconds]:
        """Shortest and longest stay at one step, in s."""
        return (0.0, 999.9)

    @property
    def sweep_delay_limits(self) -> tuple[Seconds, Seconds]:
        """Shortest and longest pause between two cycles, in s."""
        return (0.0, 999.9)

    @property
    def sweep_cycles_limits(self) -> tuple[int, int]:
        """Least and greatest number of cycles."""
        return (1, 999)

    @abstractmethod
    def _read_sweep_start(self) -> Nanometres: ...

    @abstractmethod
    def _write_sweep_start(self, wavelength: Nanometres) -> None: ...

    @abstractmethod
    def _read_sweep_stop(self) -> Nanometres: ...

    @abstractmethod
    def _write_sweep_stop(self, wavelength: Nanometres) -> None: ...

    @abstractmethod
    def _read_sweep_step(self) -> Nanometres: ...

    @abstractmethod
    def _write_sweep_step(self, step: Nanometres) -> None: ...

    @abstractmethod
    def _read_sweep_speed(self) -> NanometresPerSecond: ...

    @abstractmethod
    def _write_sweep_speed(self, speed: NanometresPerSecond) -> None: ...

    @abstractmethod
    def _read_sweep_dwell(self) -> Seconds: ...

    @abstractmethod
    def _write_sweep_dwell(self, dwell: Seconds) -> None: ...

    @abstractmethod
    def _read_sweep_delay(self) -> Seconds: ...

    @abstractmethod
    def _write_sweep_delay(self, delay: Seconds) -> None: ...

    @abstractmethod
    def _read_sweep_cycles(self) -> int: ...

    @abstractmethod
    def _write_sweep_cycles(self, cycles: int) -> None: ...

    @abstractmethod
    def _read_sweep_mode(self) -> SweepMode: ...

    @abstractmethod
    def _write_sweep_mode(self, mode: SweepMode) -> None: ...

    @abstractmethod
    def _read_sweep_state(self) -> SweepState: ...

    @abstractmethod
    def _start_sweep(self) -> None: ...

    @abstractmethod
    def _pause_sweep(self) -> None: ...

    @abstractmethod
    def _resume_sweep(self) -> None: ...

    @abstractmethod
    def _stop_sweep(self) -> None: ...

    @abstractmethod
    def _read_wavelength_log(self) -> NDArray[np.float64]: ...

    # -- what is swept -------------------------------------------------------------------------------

    @property
    def sweep_start(self) -> Nanometres:
        """Wavelength at which a sweep starts, in nm."""
        self._require_connection()
        return self._read_sweep_start()

    @sweep_start.setter
    def sweep_start(self, wavelength: Nanometres) -> None:
        self._require_connection()
        self._write_sweep_start(self.check(wavelength, "start of the sweep"))

    @property
    def sweep_stop(self) -> Nanometres:
        """Wavelength at which a sweep ends, in nm."""
        self._require_connection()
        return self._read_sweep_stop()

    @sweep_stop.setter
    def sweep_stop(self, wavelength: Nanometres) -> None:
        self._require_connection()
        self._write_sweep_stop(self.check(wavelength, "end of the sweep"))

    @property
    def sweep_step(self) -> Nanometres:
        """Distance of two steps of a stepped sweep, in nm."""
        self._require_connection()
        return self._read_sweep_step()

    @sweep_step.setter
    def sweep_step(self, step: Nanometres) -> None:
        self._require_connection()
        self._write_sweep_step(Range(*self.sweep_step_limits, "nm").check("step of the sweep", step))

    @property
    def sweep_speed(self) -> NanometresPerSecond:
        """Speed of a continuous sweep, in nm/s."""
        self._require_connection()
        return self._read_sweep_speed()

    @sweep_speed.setter
    def sweep_speed(self, speed: NanometresPerSecond) -> None:
        self._require_connection()
        self._write_sweep_speed(Range(*self.sweep_speed_limits, "nm/s").check("speed of the sweep", speed))

    @property
    def sweep_dwell(self) -> Seconds:
        """How long a stepped sweep stays at each step, in s."""
        self._require_connection()
        return self._read_sweep_dwell()

    @sweep_dwell.setter
    def sweep_dwell(self, dwell: Seconds) -> None:
        self._require_connection()
        self._write_sweep_dwell(Range(*self.sweep_dwell_limits, "s").check("dwell of the sweep", dwell))

    @property
    def sweep_delay(self) -> Seconds:
        """Pause between two cycles, in s."""
        self._require_connection()
        return self._read_sweep_delay()

    @sweep_delay.setter
    def sweep_delay(self, delay: Seconds) -> None:
        self._require_connection()
        self._write_sweep_delay(Range(*self.sweep_delay_limits, "s").check("delay of the sweep", delay))

    @property
    def sweep_cycles(self) -> int:
        """How often a started sweep goes through its range."""
        self._require_connection()
        return self._read_sweep_cycles()

    @sweep_cycles.setter
    def sweep_cycles(self, cycles: int) -> None:
        self._require_connection()
        allowed = Range(*self.sweep_cycles_limits, "cycles")
        self._write_sweep_cycles(allowed.check_count("number of sweeps", cycles))

    @property
    def sweep_mode(self) -> SweepMode:
        """Whether a sweep is continuous or goes in steps, and whether it also comes back."""
        self._require_connection()
        return self._read_sweep_mode()

    @sweep_mode.setter
    def sweep_mode(self, mode: SweepMode) -> None:
        self._require_connection()
        self._write_sweep_mode(choice(SweepMode, "mode of the sweep", mode))

    # -- sweeping ------------------------------------------------------------------------------------

    @property
    def sweep_state(self) -> SweepState:
        """What the sweep is doing now."""
        self._require_connection()
        return self._read_sweep_state()

    def start_sweep(self) -> None:
        """Start to sweep from `sweep_start` to `sweep_stop`; returns at once.

        Raises `WrongMode` if the range is empty or a sweep is under way; then nothing is sent.
        """
        state = self.sweep_state
        if state is not SweepState.STOPPED:
            raise WrongMode(f"a sweep is {state.value} already; stop_sweep() ends it")
        start, stop = self._read_sweep_start(), self._read_sweep_stop()
        if not start < stop:
            raise WrongMode(
                f"a sweep from {start:g} nm to {stop:g} nm is empty; set sweep_start below sweep_stop"
            )
        self._start_sweep()

    def pause_sweep(self) -> None:
        """Hold the sweep where it is; `resume_sweep` goes on. Raises `WrongMode` unless it is running."""
        self._require_state(SweepState.RUNNING)
        self._pause_sweep()

    def resume_sweep(self) -> None:
        """Go on with a sweep that was paused. Raises `WrongMode` if none was."""
        self._require_state(SweepState.PAUSED)
        self._resume_sweep()

    def stop_sweep(self) -> None:
        """End the sweep where it is. Does nothing if there is none."""
        if self.sweep_state is not SweepState.STOPPED:
            self._stop_sweep()

    def wait_sweep(self, timeout_s: Seconds = 600.0) -> None:
        """Return when the sweep has ended. Raises `TimeoutError` after `timeout_s`."""
        wait_until(lambda: self.sweep_state is SweepState.STOPPED, timeout_s, f"the sweep of {self.identity}")

    def wavelength_log(self) -> NDArray[np.float64]:
        """Wavelengths in nm at which the last sweep gave a trigger, in the order in which it did."""
        self._require_connection()
        return self._read_wavelength_log()

    def _require_state(self, wanted: SweepState) -> None:
        state = self.sweep_state
        if state is not wanted:
            raise WrongMode(f"the sweep is {state.value}, not {wanted.value}")
