"""Oscilloscopes. Voltages are in V, times in s, rates in Sa/s; a division is one square of the screen."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from enum import Enum
from typing import ClassVar

from pyrolab_drivers.instrument import Instrument, wait_until
from pyrolab_drivers.quantities import (
    OutOfRange,
    Range,
    Samples,
    SamplesPerSecond,
    Seconds,
    Volts,
    choice,
)
from pyrolab_drivers.scope_channel import Coupling, ScopeChannel
from pyrolab_drivers.waveform import Waveform

__all__ = ["Coupling", "Oscilloscope", "ScopeChannel", "TriggerMode", "TriggerSlope", "Waveform"]


class TriggerSlope(Enum):
    """Which edge of a signal triggers."""

    RISING = "rising"
    FALLING = "falling"
    EITHER = "either"


class TriggerMode(Enum):
    """What happens without a trigger: a waveform all the same, or none, or one is never waited for."""

    AUTO = "auto"
    NORMAL = "normal"
    FREE_RUN = "free run"


class Oscilloscope(Instrument):
    """An oscilloscope. A driver supplies the abstract members."""

    #: Divisions of the screen from left to right.
    divisions: ClassVar[int] = 10

    @property
    @abstractmethod
    def channels(self) -> Mapping[int, ScopeChannel]:
        """The channels by their numbers."""

    @property
    @abstractmethod
    def timebase_limits(self) -> tuple[Seconds, Seconds]:
        """Least and greatest `timebase_scale`, in s per division."""

    @property
    @abstractmethod
    def record_length_limits(self) -> tuple[int, int]:
        """Least and greatest `record_length`, in samples."""

    @property
    @abstractmethod
    def trigger_sources(self) -> tuple[str, ...]:
        """What `trigger_source` can be, for example `CH1`, `CH2`, `EXT`."""

    @property
    def trigger_level_limits(self) -> tuple[Volts, Volts]:
        """Lowest and highest `trigger_level`, in V."""
        return (-10.0, 10.0)

    @abstractmethod
    def _read_timebase_scale(self) -> Seconds: ...

    @abstractmethod
    def _write_timebase_scale(self, scale: Seconds) -> None: ...

    @abstractmethod
    def _read_timebase_position(self) -> Seconds: ...

    @abstractmethod
    def _write_timebase_position(self, position: Seconds) -> None: ...

    @abstractmethod
    def _read_record_length(self) -> int: ...

    @abstractmethod
    def _write_record_length(self, samples: int) -> None: ...

    @abstractmethod
    def _read_trigger_source(self) -> str: ...

    @abstractmethod
    def _write_trigger_source(self, source: str) -> None: ...

    @abstractmethod
    def _read_trigger_level(self) -> Volts: ...

    @abstractmethod
    def _write_trigger_level(self, level: Volts) -> None: ...

    @abstractmethod
    def _read_trigger_slope(self) -> TriggerSlope: ...

    @abstractmethod
    def _write_trigger_slope(self, slope: TriggerSlope) -> None: ...

    @abstractmethod
    def _read_trigger_mode(self) -> TriggerMode: ...

    @abstractmethod
    def _write_trigger_mode(self, mode: TriggerMode) -> None: ...

    @abstractmethod
    def _read_running(self) -> bool: ...

    @abstractmethod
    def _run(self) -> None: ...

    @abstractmethod
    def _single(self) -> None: ...

    @abstractmethod
    def _stop(self) -> None: ...

    @abstractmethod
    def _read_waveform(self, channel: int) -> Waveform: ...

    # -- time ----------------------------------------------------------------------------------------

    @property
    def timebase_scale(self) -> Seconds:
        """Width of one division, in s."""
        self._require_connection()
        return self._read_timebase_scale()

    @timebase_scale.setter
    def timebase_scale(self, scale: Seconds) -> None:
        self._require_connection()
        self._write_timebase_scale(Range(*self.timebase_limits, "s/div").check("time base", scale))

    @property
    def timebase_range(self) -> Seconds:
        """Width of the whole screen, in s; another view of `timebase_scale`."""
        return self.timebase_scale * self.divisions

    @timebase_range.setter
    def timebase_range(self, width: Seconds) -> None:
        self._require_connection()
        least, greatest = (self.divisions * limit for limit in self.timebase_limits)
        checked = Range(least, greatest, "s").check("range of the time base", width)
        self._write_timebase_scale(checked / self.divisions)

    @property
    def timebase_position(self) -> Seconds:
        """Time of the middle of the screen after the trigger, in s."""
        self._require_connection()
        return self._read_timebase_position()

    @timebase_position.setter
    def timebase_position(self, position: Seconds) -> None:
        self._require_connection()
        reach = self.divisions * self.timebase_limits[1]
        checked = Range(-reach, reach, "s").check("position of the time base", position)
        self._write_timebase_position(checked)

    @property
    def record_length(self) -> Samples:
        """How many samples one waveform has."""
        self._require_connection()
        return self._read_record_length()

    @record_length.setter
    def record_length(self, samples: Samples) -> None:
        self._require_connection()
        allowed = Range(*self.record_length_limits, "samples")
        self._write_record_length(allowed.check_count("record length", samples))

    @property
    def sample_rate(self) -> SamplesPerSecond:
        """Samples that are taken in a second, in Sa/s: `record_length` over `timebase_range`."""
        return self.record_length / self.timebase_range

    # -- trigger -------------------------------------------------------------------------------------

    @property
    def trigger_source(self) -> str:
        """What triggers; one of `trigger_sources`."""
        self._require_connection()
        return self._read_trigger_source()

    @trigger_source.setter
    def trigger_source(self, source: str) -> None:
        self._require_connection()
        if source not in self.trigger_sources:
            possible = ", ".join(self.trigger_sources)
            raise OutOfRange(f"trigger source can be {possible}, not {source!r}", quantity="trigger source")
        self._write_trigger_source(source)

    @property
    def trigger_level(self) -> Volts:
        """Voltage at which the trigger fires, in V."""
        self._require_connection()
        return self._read_trigger_level()

    @trigger_level.setter
    def trigger_level(self, level: Volts) -> None:
        self._require_connection()
        self._write_trigger_level(Range(*self.trigger_level_limits, "V").check("trigger level", level))

    @property
    def trigger_slope(self) -> TriggerSlope:
        """Which edge triggers."""
        self._require_connection()
        return self._read_trigger_slope()

    @trigger_slope.setter
    def trigger_slope(self, slope: TriggerSlope) -> None:
        self._require_connection()
        self._write_trigger_slope(choice(TriggerSlope, "trigger slope", slope))

    @property
    def trigger_mode(self) -> TriggerMode:
        """What happens without a trigger."""
        self._require_connection()
        return self._read_trigger_mode()

    @trigger_mode.setter
    def trigger_mode(self, mode: TriggerMode) -> None:
        self._require_connection()
        self._write_trigger_mode(choice(TriggerMode, "trigger mode", mode))

    # -- recording -----------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """True while waveforms are recorded, or one is waited for."""
        self._require_connection()
        return self._read_running()

    def run(self) -> None:
        """Record one waveform after the other, until `stop()`."""
        self._require_connection()
        self._run()

    def single(self) -> None:
        """Start to record one waveform; `wait()` returns when it is there."""
        self._require_connection()
        self._single()

    def stop(self) -> None:
        """Record no more; the last waveform stays."""
        self._require_connection()
        self._stop()

    def wait(self, timeout_s: Seconds = 10.0) -> None:
        """Return when a `single()` waveform is there. Raises `TimeoutError` after `timeout_s`."""
        wait_until(lambda: not self.running, timeout_s, f"the recording of {self.identity}")

    def waveform(self, channel: int = 1) -> Waveform:
        """The last waveform of one channel. Raises `LookupError` if there is no such channel."""
        self._require_connection()
        if channel not in self.channels:
            raise LookupError(f"there is no channel {channel}; the channels are {sorted(self.channels)}")
        return self._read_waveform(channel)
