"""How a swept laser goes through its range. Times are arguments; nothing here has a clock."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyrolab_drivers.quantities import Nanometres, NanometresPerSecond, Seconds
from pyrolab_drivers.swept_laser import SweepMode

#: How fast a laser returns to the start of its range, in nm/s.
RETURN_NM_S: NanometresPerSecond = 100.0

Array = NDArray[np.float64]

_STEPS = (SweepMode.STEP_ONE_WAY, SweepMode.STEP_TWO_WAY)
_TWO_WAYS = (SweepMode.CONTINUOUS_TWO_WAY, SweepMode.STEP_TWO_WAY)


@dataclass(frozen=True, slots=True)
class SweepCourse:
    """A sweep, as it was started: the settings of the laser then."""

    start: Nanometres
    stop: Nanometres
    step: Nanometres
    speed: NanometresPerSecond
    dwell_s: Seconds
    delay_s: Seconds
    cycles: int
    mode: SweepMode

    @property
    def steps(self) -> Array:
        """Wavelengths in nm at which a way up gives a trigger, from the start."""
        count = math.floor((self.stop - self.start) / self.step + 1e-9) + 1
        return np.asarray(self.start + self.step * np.arange(count), dtype=np.float64)

    @property
    def way_s(self) -> Seconds:
        """How long one way through the range takes."""
        if self.mode in _STEPS:
            return len(self.steps) * self._step_s
        return (self.stop - self.start) / self.speed

    @property
    def _step_s(self) -> Seconds:
        return self.dwell_s + self.step / RETURN_NM_S

    @property
    def cycle_s(self) -> Seconds:
        """How long one cycle takes, without what is before the next: one way, or two."""
        return self.way_s * (2 if self.mode in _TWO_WAYS else 1)

    @property
    def pause_s(self) -> Seconds:
        """Time between two cycles: the return, if there is one, and the delay."""
        back_s = 0.0 if self.mode in _TWO_WAYS else (self.stop - self.start) / RETURN_NM_S
        return back_s + self.delay_s

    @property
    def duration_s(self) -> Seconds:
        """How long the whole sweep takes."""
        return self.cycles * self.cycle_s + (self.cycles - 1) * self.pause_s

    def within(self, elapsed_s: Array) -> NDArray[np.bool_]:
        """Whether it is in one of its cycles, and not before, between or after them, at each time."""
        phase = np.mod(elapsed_s, self.cycle_s + self.pause_s)
        return (elapsed_s >= 0) & (elapsed_s < self.duration_s) & (phase < self.cycle_s)

    def wavelengths(self, elapsed_s: Array) -> Array:
        """The wavelength at each time after the start; before it and after its end, where it rests then."""
        last = (self.cycles - 1) * (self.cycle_s + self.pause_s)
        elapsed = np.clip(elapsed_s, 0.0, None)
        phase = np.where(elapsed >= last, elapsed - last, np.mod(elapsed, self.cycle_s + self.pause_s))
        there = np.minimum(phase, self.way_s)
        if self.mode in _TWO_WAYS:
            there = np.where(phase > self.way_s, np.maximum(2 * self.way_s - phase, 0.0), there)
            back = np.zeros_like(phase)
        else:
            back = np.where(elapsed >= last, 0.0, np.maximum(phase - self.cycle_s, 0.0)) * RETURN_NM_S
        return np.asarray(np.maximum(self._along(there) - back, self.start))

    def _along(self, there_s: Array) -> Array:
        """The wavelength so long after the beginning of a way up."""
        if self.mode in _STEPS:
            index = np.minimum((there_s / self._step_s).astype(int), len(self.steps) - 1)
            return np.asarray(self.steps[index])
        return np.asarray(np.minimum(self.start + self.speed * there_s, self.stop))

    def triggers(self, elapsed_s: Seconds) -> Array:
        """Wavelengths at which triggers have been given by then, in their order, over all cycles."""
        ways = 2 if self.mode in _TWO_WAYS else 1
        parts = []
        for number in range(self.cycles * ways):
            cycle, way = divmod(number, ways)
            here_s = elapsed_s - cycle * (self.cycle_s + self.pause_s) - way * self.way_s
            if here_s < 0:
                break
            steps = self.steps[::-1] if way else self.steps
            done = math.floor(len(steps) * min(1.0, here_s / self.way_s) + 1e-9)
            parts.append(steps[:done])
        return np.concatenate(parts) if parts else np.empty(0)
