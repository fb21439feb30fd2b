"""A simulated oscilloscope: channel 1 sees a detector at the output fibre, channel 2 the laser's trigger.

While the laser sweeps, channel 1 shows the spectrum of the chip against time. What it shows is worked out
from what the laser says that it did, so the two can be in different processes of one computer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyrolab_drivers.instrument import Identity, Instrument
from pyrolab_drivers.oscilloscope import Coupling, Oscilloscope, ScopeChannel, TriggerMode, TriggerSlope
from pyrolab_drivers.power_meter import watts_from_dbm
from pyrolab_drivers.quantities import Seconds, Volts
from pyrolab_drivers.simulators.bench import HeatSource, OpticalBench, Positioner
from pyrolab_drivers.simulators.faults import Simulated
from pyrolab_drivers.waveform import Waveform

Array = NDArray[np.float64]

#: Volts for each watt of light at the detector.
DETECTOR_V_W = 1e4
#: The laser's trigger output while it sweeps.
TRIGGER_V = 3.3
#: Voltage that turns the modulator from full transmission to none.
HALF_WAVE_V = 4.0
#: Steps of the converter from the bottom of the screen to the top.
LEVELS = 1024
#: Standard deviation of the noise of the detector's amplifier.
NOISE_V: Volts = 0.0005
#: How finely a trigger is looked for, in samples of one screen, at most.
_SEARCH = 20_000


@dataclass(frozen=True, slots=True)
class Trigger:
    """What triggers: a source, crossing a level."""

    source: str = "CH2"
    level: Volts = 1.0
    slope: TriggerSlope = TriggerSlope.RISING


class SimulatedScopeChannel(ScopeChannel):
    """A channel of 10 bits."""

    def __init__(self, scope: Instrument, number: int) -> None:
        super().__init__(scope, number)
        self._enabled = True
        self._scale: Volts = 0.5
        self._offset: Volts = 2.0
        self._coupling = Coupling.DC

    @property
    def scale_limits(self) -> tuple[Volts, Volts]:
        """Least and greatest `scale`, in V per division."""
        return (0.001, 10.0)

    def seen(self, volts: Array) -> Array:
        """What the converter makes of a signal: as high as the screen, in steps."""
        if self._coupling is Coupling.GROUND:
            volts = np.zeros_like(volts)
        elif self._coupling is Coupling.AC:
            volts = volts - volts.mean()
        height = self._scale * self.divisions
        step, bottom = height / LEVELS, self._offset - height / 2
        return np.asarray(bottom + step * np.clip(np.rint((volts - bottom) / step), 0, LEVELS - 1))

    def _read_enabled(self) -> bool:
        return self._enabled

    def _write_enabled(self, enabled: bool) -> None:
        self._enabled = enabled

    def _read_scale(self) -> Volts:
        return self._scale

    def _write_scale(self, scale: Volts) -> None:
        self._scale = scale

    def _read_offset(self) -> Volts:
        return self._offset

    def _write_offset(self, offset: Volts) -> None:
        self._offset = offset

    def _read_coupling(self) -> Coupling:
        return self._coupling

    def _write_coupling(self, coupling: Coupling) -> None:
        self._coupling = coupling


class SimulatedOscilloscope(Simulated, Oscilloscope):
    """Two channels, and a trigger on one of them. `laser` is a simulated laser, or a proxy of one."""

    def __init__(
        self,
        stage: Positioner,
        laser: Any,
        seed: int = 0,
        *,
        heater: HeatSource | None = None,
        modulator: Any = None,
        clock: Callable[[], Seconds] = time.monotonic,
    ) -> None:
        super().__init__()
        self._serial = str(seed)
        self._laser = laser
        self._bench = OpticalBench(stage, laser, seed, heater=heater)
        self._modulator = modulator
        self._noise = np.random.default_rng([seed, 11])
        self._clock = clock
        self._channels = {number: SimulatedScopeChannel(self, number) for number in (1, 2)}
        self._timebase_scale: Seconds = 0.1
        self._timebase_position: Seconds = 0.5
        self._record_length = 10_000
        self._trigger = Trigger()
        self._trigger_mode = TriggerMode.AUTO
        #: When it was last told to record, when that was triggered, up to when a trigger was looked for.
        self._armed_s: Seconds | None = None
        self._trigger_s: Seconds | None = None
        self._searched_s: Seconds = 0.0
        self._continuous = False
        self._record: dict[int, Waveform] = {}

    @property
    def identity(self) -> Identity:
        """Vendor, model, serial number and firmware."""
        return Identity("PyroLab", "Simulated oscilloscope", self._serial, "1")

    @property
    def channels(self) -> Mapping[int, ScopeChannel]:
        """The channels by their numbers: 1, the detector, and 2, the laser's trigger output."""
        return dict(self._channels)

    # -- the signals ---------------------------------------------------------------------------------

    def _signal(self, channel: int, moments_s: Array) -> Array:
        """The voltage at one channel at moments of the clock, without noise."""
        if channel == 2:
            return np.where(np.asarray(self._laser.sweeping_at(moments_s)), TRIGGER_V, 0.0)
        wavelengths = np.asarray(self._laser.wavelengths_at(moments_s))
        launched = watts_from_dbm(self._laser.actual_light[1])
        return DETECTOR_V_W * launched * self._bench.transmission(wavelengths) * self._modulation(moments_s)

    def _modulation(self, moments_s: Array) -> Array:
        """What a modulator before the chip, biased at half transmission, lets through."""
        frequency, amplitude, phase = (0.0, 0.0, 0.0)
        if self._modulator is not None:
            frequency, amplitude, phase = self._modulator.actual_drive
        if not amplitude:
            return np.ones_like(moments_s)
        drive = amplitude * np.sin(2 * np.pi * frequency * moments_s + np.deg2rad(phase))
        return np.asarray(0.5 * (1.0 + np.sin(np.pi * drive / HALF_WAVE_V)))

    # -- recording -----------------------------------------------------------------------------------

    def _run(self) -> None:
        self._arm(continuous=True)

    def _single(self) -> None:
        self._arm(continuous=False)

    def _stop(self) -> None:
        self._armed_s = None

    def _arm(self, *, continuous: bool) -> None:
        self._armed_s = self._searched_s = self._clock()
        self._trigger_s = None
        self._continuous = continuous

    def _read_running(self) -> bool:
        self._look()
        return self._armed_s is not None

    def _look(self) -> None:
        """Record what has been triggered since it was last looked, if it is complete."""
        if self._armed_s is None:
            return
        now = self._clock()
        after = self._timebase_position + self._timebase_scale * self.divisions / 2
        if self._trigger_s is None:
            self._trigger_s = self._find_trigger(now)
            self._searched_s = now
        if self._trigger_s is None and self._waited_enough(now - after):
            self._trigger_s = now - after
        if self._trigger_s is None or self._trigger_s + after > now:
            return
        self._record = {number: self._sample(number, self._trigger_s) for number in self._channels}
        self._armed_s, self._trigger_s = (now if self._continuous else None), None

    def _waited_enough(self, since_s: Seconds) -> bool:
        """Whether a waveform is due without a trigger."""
        armed_s = self._armed_s
        return self._trigger_mode is not TriggerMode.NORMAL and armed_s is not None and armed_s < since_s

    def _find_trigger(self, now: Seconds) -> Seconds | None:
        """The first crossing of the level, in the wanted direction, since it was last looked."""
        if self._trigger_mode is TriggerMode.FREE_RUN or now <= self._searched_s:
            return None
        spacing = self._timebase_scale * self.divisions / min(self._record_length, _SEARCH)
        count = int(min((now - self._searched_s) / spacing, 50 * _SEARCH)) + 2
        moments: Array = np.linspace(self._searched_s, now, count)
        above = self._signal(int(self._trigger.source[-1]), moments) > self._trigger.level
        rising, falling = ~above[:-1] & above[1:], above[:-1] & ~above[1:]
        wanted = {
            TriggerSlope.RISING: rising,
            TriggerSlope.FALLING: falling,
            TriggerSlope.EITHER: rising | falling,
        }[self._trigger.slope]
        found = np.flatnonzero(wanted)
        return float(moments[found[0] + 1]) if len(found) else None

    def _sample(self, number: int, trigger_s: Seconds) -> Waveform:
        width = self._timebase_scale * self.divisions
        dt, t0 = width / self._record_length, self._timebase_position - width / 2
        moments: Array = np.asarray(trigger_s + t0 + dt * np.arange(self._record_length), dtype=np.float64)
        noise = self._noise.normal(0.0, NOISE_V, self._record_length)
        return Waveform(t0, dt, self._channels[number].seen(self._signal(number, moments) + noise))

    def _read_waveform(self, channel: int) -> Waveform:
        self._look()
        if channel not in self._record:
            raise LookupError("nothing was recorded yet: single() and wait(), or run(), then waveform()")
        return self._record[channel]

    # -- settings ------------------------------------------------------------------------------------

    @property
    def timebase_limits(self) -> tuple[Seconds, Seconds]:
        """Least and greatest `timebase_scale`, in s per division."""
        return (1e-9, 100.0)

    @property
    def record_length_limits(self) -> tuple[int, int]:
        """Least and greatest `record_length`, in samples."""
        return (100, 1_000_000)

    @property
    def trigger_sources(self) -> tuple[str, ...]:
        """What `trigger_source` can be."""
        return ("CH1", "CH2")

    def _read_timebase_scale(self) -> Seconds:
        return self._timebase_scale

    def _write_timebase_scale(self, scale: Seconds) -> None:
        self._timebase_scale = scale

    def _read_timebase_position(self) -> Seconds:
        return self._timebase_position

    def _write_timebase_position(self, position: Seconds) -> None:
        self._timebase_position = position

    def _read_record_length(self) -> int:
        return self._record_length

    def _write_record_length(self, samples: int) -> None:
        self._record_length = samples

    def _read_trigger_source(self) -> str:
        return self._trigger.source

    def _write_trigger_source(self, source: str) -> None:
        self._trigger = replace(self._trigger, source=source)

    def _read_trigger_level(self) -> Volts:
        return self._trigger.level

    def _write_trigger_level(self, level: Volts) -> None:
        self._trigger = replace(self._trigger, level=level)

    def _read_trigger_slope(self) -> TriggerSlope:
        return self._trigger.slope

    def _write_trigger_slope(self, slope: TriggerSlope) -> None:
        self._trigger = replace(self._trigger, slope=slope)

    def _read_trigger_mode(self) -> TriggerMode:
        return self._trigger_mode

    def _write_trigger_mode(self, mode: TriggerMode) -> None:
        self._trigger_mode = mode
