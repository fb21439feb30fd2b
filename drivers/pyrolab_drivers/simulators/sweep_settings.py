"""What a simulated laser remembers of the sweep that it will make."""

from __future__ import annotations

from pyrolab_drivers.quantities import Nanometres, NanometresPerSecond, Seconds
from pyrolab_drivers.simulators.faults import Simulated
from pyrolab_drivers.simulators.sweep_course import SweepCourse
from pyrolab_drivers.swept_laser import SweepMode, SweptLaser


class SweepSettings(Simulated, SweptLaser):
    """The settings of a sweep, kept in memory."""

    def __init__(self) -> None:
        super().__init__()
        self._start: Nanometres = 1545.0
        self._stop: Nanometres = 1555.0
        self._step: Nanometres = 0.01
        self._speed: NanometresPerSecond = 10.0
        self._dwell: Seconds = 0.0
        self._delay: Seconds = 0.0
        self._cycles = 1
        self._mode = SweepMode.CONTINUOUS_ONE_WAY

    def _course(self) -> SweepCourse:
        return SweepCourse(
            self._start,
            self._stop,
            self._step,
            self._speed,
            self._dwell,
            self._delay,
            self._cycles,
            self._mode,
        )

    def _read_sweep_start(self) -> Nanometres:
        return self._start

    def _write_sweep_start(self, wavelength: Nanometres) -> None:
        self._start = wavelength

    def _read_sweep_stop(self) -> Nanometres:
        return self._stop

    def _write_sweep_stop(self, wavelength: Nanometres) -> None:
        self._stop = wavelength

    def _read_sweep_step(self) -> Nanometres:
        return self._step

    def _write_sweep_step(self, step: Nanometres) -> None:
        self._step = step

    def _read_sweep_speed(self) -> NanometresPerSecond:
        return self._speed

    def _write_sweep_speed(self, speed: NanometresPerSecond) -> None:
        self._speed = speed

    def _read_sweep_dwell(self) -> Seconds:
        return self._dwell

    def _write_sweep_dwell(self, dwell: Seconds) -> None:
        self._dwell = dwell

    def _read_sweep_delay(self) -> Seconds:
        return self._delay

    def _write_sweep_delay(self, delay: Seconds) -> None:
        self._delay = delay

    def _read_sweep_cycles(self) -> int:
        return self._cycles

    def _write_sweep_cycles(self, cycles: int) -> None:
        self._cycles = cycles

    def _read_sweep_mode(self) -> SweepMode:
        return self._mode

    def _write_sweep_mode(self, mode: SweepMode) -> None:
        self._mode = mode
