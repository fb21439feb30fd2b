"""A simulated source-measure unit: channel 1 heats the ring, channel 2 is wired to a photodiode.

The photodiode stands at the output fibre, in the place of the power meter, where there is light to see.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from pyrolab_drivers.instrument import Identity
from pyrolab_drivers.quantities import Amperes, Volts, Watts
from pyrolab_drivers.simulators.bench import LightSource, OpticalBench, Positioner
from pyrolab_drivers.simulators.chip import Heater
from pyrolab_drivers.simulators.faults import Simulated
from pyrolab_drivers.simulators.loads import Load, Photodiode, Resistor
from pyrolab_drivers.smu import SMU, SMUChannel, SourceMode

#: Noise of one reading that integrates one cycle of the mains: a part of the reading, and a floor.
RELATIVE_NOISE, FLOOR_V, FLOOR_A = 1e-4, 2e-6, 2e-11


class SimulatedSMUChannel(SMUChannel):
    """One channel for ±21 V and ±1 A. `load` says what is wired to it now."""

    def __init__(self, smu: SMU, number: int, load: Callable[[], Load], noise: np.random.Generator) -> None:
        super().__init__(smu, number)
        self._load = load
        self._noise = noise
        self._mode = SourceMode.VOLTAGE
        self._levels = {SourceMode.VOLTAGE: 0.0, SourceMode.CURRENT: 0.0}
        self._compliance_current: Amperes = 1e-4
        self._compliance_voltage: Volts = 2.0
        self._output_enabled = False
        self._nplc = 1.0
        self._range = 1.0
        self._autorange = True
        self._four_wire = False

    @property
    def voltage_limits(self) -> tuple[Volts, Volts]:
        """Lowest and highest voltage that can be sourced, in V."""
        return (-21.0, 21.0)

    @property
    def current_limits(self) -> tuple[Amperes, Amperes]:
        """Lowest and highest current that can be sourced, in A."""
        return (-1.0, 1.0)

    def operating_point(self) -> tuple[Volts, Amperes, bool]:
        """Voltage and current at the load now, and whether the compliance holds them; no noise in it."""
        if not self._output_enabled:
            return 0.0, 0.0, False
        load, level = self._load(), self._levels[self._mode]
        if self._mode is SourceMode.VOLTAGE:
            most = self._compliance_current
            current = load.current(level)
            held = min(max(current, -most), most)
            return (level, current, False) if held == current else (load.voltage(held), held, True)
        most = self._compliance_voltage
        voltage = load.voltage(level)
        held = min(max(voltage, -most), most)
        return (voltage, level, False) if held == voltage else (held, load.current(held), True)

    def _measure(self) -> tuple[Volts, Amperes]:
        voltage, current, _ = self.operating_point()
        quiet = RELATIVE_NOISE / np.sqrt(self._nplc)
        error_v, error_a = self._noise.normal(0.0, quiet, 2)
        floor_v, floor_a = self._noise.normal(0.0, 1.0 / np.sqrt(self._nplc), 2)
        return (
            float(voltage * (1 + error_v) + FLOOR_V * floor_v),
            float(current * (1 + error_a) + FLOOR_A * floor_a),
        )

    def _read_compliance_tripped(self) -> bool:
        return self.operating_point()[2]

    def _read_source_mode(self) -> SourceMode:
        return self._mode

    def _write_source_mode(self, mode: SourceMode) -> None:
        self._mode = mode

    def _read_source_voltage(self) -> Volts:
        return self._levels[SourceMode.VOLTAGE]

    def _write_source_voltage(self, voltage: Volts) -> None:
        self._levels[SourceMode.VOLTAGE] = voltage

    def _read_source_current(self) -> Amperes:
        return self._levels[SourceMode.CURRENT]

    def _write_source_current(self, current: Amperes) -> None:
        self._levels[SourceMode.CURRENT] = current

    def _read_compliance_current(self) -> Amperes:
        return self._compliance_current

    def _write_compliance_current(self, current: Amperes) -> None:
        self._compliance_current = current

    def _read_compliance_voltage(self) -> Volts:
        return self._compliance_voltage

    def _write_compliance_voltage(self, voltage: Volts) -> None:
        self._compliance_voltage = voltage

    def _read_output_enabled(self) -> bool:
        return self._output_enabled

    def _write_output_enabled(self, enabled: bool) -> None:
        self._output_enabled = enabled

    def _read_nplc(self) -> float:
        return self._nplc

    def _write_nplc(self, cycles: float) -> None:
        self._nplc = cycles

    def _read_range(self) -> float:
        return self._range

    def _write_range(self, largest: float) -> None:
        self._range, self._autorange = largest, False

    def _read_autorange(self) -> bool:
        return self._autorange

    def _write_autorange(self, enabled: bool) -> None:
        self._autorange = enabled

    def _read_four_wire(self) -> bool:
        return self._four_wire

    def _write_four_wire(self, enabled: bool) -> None:
        self._four_wire = enabled


class SimulatedSMU(Simulated, SMU):
    """Two channels: the heater of the ring, and a photodiode, in the dark without `stage` and `laser`."""

    def __init__(
        self, stage: Positioner | None = None, laser: LightSource | None = None, seed: int = 0
    ) -> None:
        super().__init__()
        self._serial = str(seed)
        self._heater = Heater()
        # It is its own heater: the light on the photodiode passes the ring that channel 1 heats.
        bench = (
            OpticalBench(stage, laser, seed, heater=self) if stage is not None and laser is not None else None
        )
        self._bench = bench
        noise = np.random.default_rng([seed, 9])
        self._channels = {
            1: SimulatedSMUChannel(self, 1, lambda: Resistor(self._heater.resistance), noise),
            2: SimulatedSMUChannel(self, 2, self._photodiode, noise),
        }

    @property
    def identity(self) -> Identity:
        """Vendor, model, serial number and firmware."""
        return Identity("PyroLab", "Simulated source-measure unit", self._serial, "1")

    def _close(self) -> None:
        for channel in self._channels.values():
            channel._write_output_enabled(False)

    @property
    def channels(self) -> Mapping[int, SMUChannel]:
        """The channels by their numbers: 1, the heater, and 2, the photodiode."""
        return dict(self._channels)

    @property
    def heater_power(self) -> Watts:
        """Electrical power in the heater now, V²/R, in W."""
        self._require_connection()
        return self.actual_heater_power

    @property
    def actual_heater_power(self) -> Watts:
        """The same, whatever the connection does; for other twins."""
        voltage, current, _ = self._channels[1].operating_point()
        return voltage * current

    def _photodiode(self) -> Load:
        return Photodiode(light=0.0 if self._bench is None else self._bench.light().transmitted)
