"""A simulated signal generator. Where it drives a modulator, an oscilloscope sees its signal on the light."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pyrolab_drivers.instrument import Identity
from pyrolab_drivers.quantities import DecibelMilliwatts, Decibels, Degrees, Hertz, Seconds, Volts
from pyrolab_drivers.signal_generator import FrequencySweep, SignalGenerator, SweepSpacing
from pyrolab_drivers.simulators.faults import Simulated

#: What the output is made for, in Ω.
_LOAD_OHM = 50.0


def frequencies(sweep: FrequencySweep) -> NDArray[np.float64]:
    """The frequencies of a sweep, in their order, in Hz."""
    if sweep.spacing is SweepSpacing.LOGARITHMIC:
        return np.geomspace(sweep.start, sweep.stop, sweep.points)
    return np.linspace(sweep.start, sweep.stop, sweep.points)


class SimulatedSignalGenerator(Simulated, SignalGenerator):
    """A generator for 1 Hz to 6 GHz and −120 dBm to 20 dBm."""

    def __init__(self, seed: int = 0, *, clock: Callable[[], Seconds] = time.monotonic) -> None:
        super().__init__()
        self._serial = str(seed)
        self._clock = clock
        self._frequency: Hertz = 1e6
        self._power: DecibelMilliwatts = -30.0
        self._phase: Degrees = 0.0
        self._output_enabled = False
        self._offsets = (0.0, 0.0)
        self._sweep: tuple[FrequencySweep, Seconds] | None = None

    @property
    def identity(self) -> Identity:
        """Vendor, model, serial number and firmware."""
        return Identity("PyroLab", "Simulated signal generator", self._serial, "1")

    def _close(self) -> None:
        self._output_enabled = False

    @property
    def frequency_limits(self) -> tuple[Hertz, Hertz]:
        """Lowest and highest frequency at the output, in Hz."""
        return (1.0, 6e9)

    @property
    def power_limits(self) -> tuple[DecibelMilliwatts, DecibelMilliwatts]:
        """Lowest and highest power at the output, in dBm."""
        return (-120.0, 20.0)

    @property
    def actual_drive(self) -> tuple[Hertz, Volts, Degrees]:
        """Frequency, amplitude (0 while it is off) and phase of the output now; for other twins."""
        watts = 1e-3 * 10 ** (self._power / 10)
        amplitude = math.sqrt(2 * watts * _LOAD_OHM) if self._output_enabled else 0.0
        return (self._read_frequency(), amplitude, self._phase)

    def _read_frequency(self) -> Hertz:
        if self._sweep is None:
            return self._frequency
        sweep, began_s = self._sweep
        step = int((self._clock() - began_s) / sweep.dwell_s)
        step = step % sweep.points if sweep.repeat else min(step, sweep.points - 1)
        return float(frequencies(sweep)[step])

    def _write_frequency(self, frequency: Hertz) -> None:
        self._frequency, self._sweep = frequency, None

    def _read_power(self) -> DecibelMilliwatts:
        return self._power

    def _write_power(self, power: DecibelMilliwatts) -> None:
        self._power = power

    def _read_phase(self) -> Degrees:
        return self._phase

    def _write_phase(self, phase: Degrees) -> None:
        self._phase = phase

    def _read_output_enabled(self) -> bool:
        return self._output_enabled

    def _write_output_enabled(self, enabled: bool) -> None:
        self._output_enabled = enabled

    def _read_frequency_offset(self) -> Hertz:
        return self._offsets[0]

    def _write_frequency_offset(self, offset: Hertz) -> None:
        self._offsets = (offset, self._offsets[1])

    def _read_power_offset(self) -> Decibels:
        return self._offsets[1]

    def _write_power_offset(self, offset: Decibels) -> None:
        self._offsets = (self._offsets[0], offset)

    def _start_sweep(self, sweep: FrequencySweep) -> None:
        self._sweep = (sweep, self._clock())

    def _stop_sweep(self) -> None:
        self._frequency, self._sweep = self._read_frequency(), None

    def _read_sweep_running(self) -> bool:
        if self._sweep is None:
            return False
        sweep, began_s = self._sweep
        return sweep.repeat or self._clock() - began_s < sweep.points * sweep.dwell_s
