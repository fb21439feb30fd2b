"""Source-measure units: they source a voltage or a current, and measure both.

Voltages are in V, currents in A, resistances in Ω. A level out of range is refused before it reaches the
instrument. The output is switched on in one order only: output off, function, compliance, level, output on.
"""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from pyrolab_drivers.instrument import Channel, Instrument
from pyrolab_drivers.quantities import Amperes, Ohms, OutOfRange, Range, Seconds, Volts, choice

Array = NDArray[np.float64]

#: How many points one sweep can have unless the driver says otherwise.
SWEEP_POINTS = Range(1, 2500, "points")


class SourceMode(Enum):
    """What a channel sources."""

    VOLTAGE = "voltage"
    CURRENT = "current"


@dataclass(frozen=True, eq=False)
class IVCurve:
    """What a sweep has measured: arrays of one length, `source` being what was asked for (V or A)."""

    source: Array
    voltage: Array
    current: Array


class SMUChannel(Channel):
    """One channel. A driver supplies the abstract members, and what else the channel has."""

    @property
    @abstractmethod
    def voltage_limits(self) -> tuple[Volts, Volts]:
        """Lowest and highest voltage that can be sourced, in V."""

    @property
    @abstractmethod
    def current_limits(self) -> tuple[Amperes, Amperes]:
        """Lowest and highest current that can be sourced, in A."""

    @property
    def nplc_limits(self) -> tuple[float, float]:
        """Shortest and longest integration, in cycles of the mains."""
        return (0.001, 100.0)

    @abstractmethod
    def _read_source_mode(self) -> SourceMode: ...

    @abstractmethod
    def _write_source_mode(self, mode: SourceMode) -> None: ...

    @abstractmethod
    def _read_source_voltage(self) -> Volts: ...

    @abstractmethod
    def _write_source_voltage(self, voltage: Volts) -> None: ...

    @abstractmethod
    def _read_source_current(self) -> Amperes: ...

    @abstractmethod
    def _write_source_current(self, current: Amperes) -> None: ...

    @abstractmethod
    def _read_compliance_current(self) -> Amperes: ...

    @abstractmethod
    def _write_compliance_current(self, current: Amperes) -> None: ...

    @abstractmethod
    def _read_compliance_voltage(self) -> Volts: ...

    @abstractmethod
    def _write_compliance_voltage(self, voltage: Volts) -> None: ...

    @abstractmethod
    def _read_output_enabled(self) -> bool: ...

    @abstractmethod
    def _write_output_enabled(self, enabled: bool) -> None: ...

    @abstractmethod
    def _read_compliance_tripped(self) -> bool: ...

    @abstractmethod
    def _measure(self) -> tuple[Volts, Amperes]: ...

    def _read_nplc(self) -> float:
        raise self._not_supported("an integration time that can be set")

    def _write_nplc(self, cycles: float) -> None:
        raise self._not_supported("an integration time that can be set")

    def _read_range(self) -> float:
        raise self._not_supported("measuring ranges")

    def _write_range(self, largest: float) -> None:
        raise self._not_supported("measuring ranges")

    def _read_autorange(self) -> bool:
        raise self._not_supported("measuring ranges")

    def _write_autorange(self, enabled: bool) -> None:
        raise self._not_supported("measuring ranges")

    def _read_four_wire(self) -> bool:
        raise self._not_supported("sense leads")

    def _write_four_wire(self, enabled: bool) -> None:
        raise self._not_supported("sense leads")

    def _sweep(self, levels: Array, dwell_s: Seconds) -> tuple[Array, Array]:
        """Go through `levels`, the output being on at the first of them; voltages and currents measured."""
        write = self._write_source_voltage if self._sources_voltage else self._write_source_current
        readings, pause = np.empty((2, len(levels))), threading.Event()
        for index, level in enumerate(levels):
            write(float(level))
            pause.wait(dwell_s)
            readings[:, index] = self._measure()
        return readings[0], readings[1]

    # -- the source ----------------------------------------------------------------------------------

    @property
    def source_mode(self) -> SourceMode:
        """What is sourced. To change it switches the output off."""
        self._require_connection()
        return self._read_source_mode()

    @source_mode.setter
    def source_mode(self, mode: SourceMode) -> None:
        self._require_connection()
        checked = choice(SourceMode, "source mode", mode)
        if checked is not self._read_source_mode():
            self._write_output_enabled(False)
            self._write_source_mode(checked)

    @property
    def source_voltage(self) -> Volts:
        """Voltage that is sourced in the mode `VOLTAGE`, in V."""
        self._require_connection()
        return self._read_source_voltage()

    @source_voltage.setter
    def source_voltage(self, voltage: Volts) -> None:
        self._require_connection()
        self._write_source_voltage(Range(*self.voltage_limits, "V").check("source voltage", voltage))

    @property
    def source_current(self) -> Amperes:
        """Current that is sourced in the mode `CURRENT`, in A."""
        self._require_connection()
        return self._read_source_current()

    @source_current.setter
    def source_current(self, current: Amperes) -> None:
        self._require_connection()
        self._write_source_current(Range(*self.current_limits, "A").check("source current", current))

    @property
    def compliance_current(self) -> Amperes:
        """Most current, of either sign, that flows while a voltage is sourced, in A; above 0."""
        self._require_connection()
        return self._read_compliance_current()

    @compliance_current.setter
    def compliance_current(self, current: Amperes) -> None:
        self._require_connection()
        self._write_compliance_current(self._check_compliance_current(current))

    @property
    def compliance_voltage(self) -> Volts:
        """Highest voltage, of either sign, while a current is sourced, in V; above 0."""
        self._require_connection()
        return self._read_compliance_voltage()

    @compliance_voltage.setter
    def compliance_voltage(self, voltage: Volts) -> None:
        self._require_connection()
        self._write_compliance_voltage(self._check_compliance_voltage(voltage))

    @property
    def compliance_tripped(self) -> bool:
        """True while the compliance, and not the level, decides what comes out."""
        self._require_connection()
        return self._read_compliance_tripped()

    @property
    def output_enabled(self) -> bool:
        """True while the output is on. To switch it on sends function, compliance and level before."""
        self._require_connection()
        return self._read_output_enabled()

    @output_enabled.setter
    def output_enabled(self, enabled: bool) -> None:
        self._require_connection()
        if not enabled:
            self._write_output_enabled(False)
        elif not self._read_output_enabled():
            self._switch_on(self._read_source_mode(), *self._settings())

    def apply_voltage(self, voltage: Volts, compliance_current: Amperes) -> None:
        """Source `voltage` in V with at most `compliance_current` in A; all limits are checked first."""
        self._require_connection()
        level = Range(*self.voltage_limits, "V").check("source voltage", voltage)
        self._switch_on(SourceMode.VOLTAGE, self._check_compliance_current(compliance_current), level)

    def apply_current(self, current: Amperes, compliance_voltage: Volts) -> None:
        """Source `current` in A with at most `compliance_voltage` in V; all limits are checked first."""
        self._require_connection()
        level = Range(*self.current_limits, "A").check("source current", current)
        self._switch_on(SourceMode.CURRENT, self._check_compliance_voltage(compliance_voltage), level)

    def _switch_on(self, mode: SourceMode, compliance: float, level: float) -> None:
        """The one place where an output is switched on, and the order in which that is safe."""
        self._write_output_enabled(False)
        self._write_source_mode(mode)
        if mode is SourceMode.VOLTAGE:
            self._write_compliance_current(compliance)
            self._write_source_voltage(level)
        else:
            self._write_compliance_voltage(compliance)
            self._write_source_current(level)
        self._write_output_enabled(True)

    def _settings(self) -> tuple[float, float]:
        """Compliance and level of the present function."""
        if self._sources_voltage:
            return self._read_compliance_current(), self._read_source_voltage()
        return self._read_compliance_voltage(), self._read_source_current()

    @property
    def _sources_voltage(self) -> bool:
        return self._read_source_mode() is SourceMode.VOLTAGE

    def _check_compliance_current(self, current: Amperes) -> Amperes:
        return _positive(self.current_limits, "A").check("compliance current", current)

    def _check_compliance_voltage(self, voltage: Volts) -> Volts:
        return _positive(self.voltage_limits, "V").check("compliance voltage", voltage)

    # -- measuring -----------------------------------------------------------------------------------

    @property
    def voltage(self) -> Volts:
        """Voltage at the output, measured now, in V."""
        return self.measure()[0]

    @property
    def current(self) -> Amperes:
        """Current through the output, measured now, in A."""
        return self.measure()[1]

    @property
    def resistance(self) -> Ohms:
        """Voltage over current, measured now, in Ω; infinite without a current."""
        voltage, current = self.measure()
        return voltage / current if current else float("inf")

    def measure(self) -> tuple[Volts, Amperes]:
        """Voltage in V and current in A, measured at the same time."""
        self._require_connection()
        return self._measure()

    @property
    def nplc(self) -> float:
        """How long a measurement integrates, in cycles of the mains."""
        self._require_connection()
        return self._read_nplc()

    @nplc.setter
    def nplc(self, cycles: float) -> None:
        self._require_connection()
        self._write_nplc(Range(*self.nplc_limits, "cycles").check("nplc", cycles))

    @property
    def range(self) -> float:
        """End of the measuring range: in A while a voltage is sourced, in V while a current is."""
        self._require_connection()
        return self._read_range()

    @range.setter
    def range(self, largest: float) -> None:
        self._require_connection()
        limits, unit = (self.current_limits, "A") if self._sources_voltage else (self.voltage_limits, "V")
        self._write_range(_positive(limits, unit).check("range", largest))

    @property
    def autorange(self) -> bool:
        """True while the channel chooses its measuring range by itself."""
        self._require_connection()
        return self._read_autorange()

    @autorange.setter
    def autorange(self, enabled: bool) -> None:
        self._require_connection()
        self._write_autorange(bool(enabled))

    @property
    def four_wire(self) -> bool:
        """True while the voltage is measured through leads of its own, at the device under test."""
        self._require_connection()
        return self._read_four_wire()

    @four_wire.setter
    def four_wire(self, enabled: bool) -> None:
        self._require_connection()
        self._write_four_wire(bool(enabled))

    def sweep(self, start: float, stop: float, points: int, dwell_s: Seconds = 0.0) -> IVCurve:
        """Source `points` levels from `start` to `stop` (V or A, as `source_mode` is), and measure at each.

        Begins with the output being switched on at `start`, and ends with it off, however it ends.
        Raises `OutOfRange` if one of the levels cannot be; then nothing is sent.
        """
        self._require_connection()
        count = SWEEP_POINTS.check_count("sweep", points)
        limits, unit = (self.voltage_limits, "V") if self._sources_voltage else (self.current_limits, "A")
        for level in (start, stop):
            Range(*limits, unit).check("level of the sweep", level)
        if dwell_s < 0 or dwell_s != dwell_s:
            raise OutOfRange(f"dwell can be 0 s or more, not {dwell_s:g} s", quantity="dwell", value=dwell_s)
        levels = np.linspace(start, stop, count)
        try:
            self._switch_on(self._read_source_mode(), self._settings()[0], float(start))
            voltage, current = self._sweep(levels, dwell_s)
        finally:
            self._write_output_enabled(False)
        return IVCurve(levels, voltage, current)


def _positive(limits: tuple[float, float], unit: str) -> Range:
    """What a compliance or a range can be: above 0, up to the greatest level of either sign."""
    largest = max(abs(limits[0]), abs(limits[1]))
    return Range(largest * 1e-12, largest, unit)


class SMU(Instrument):
    """Channels under their numbers: `smu.channels[1].apply_voltage(1.0, compliance_current=1e-3)`."""

    @property
    @abstractmethod
    def channels(self) -> Mapping[int, SMUChannel]:
        """The channels by their numbers."""

    def stop(self) -> None:
        """Switch all outputs off."""
        for channel in self.channels.values():
            channel.output_enabled = False
