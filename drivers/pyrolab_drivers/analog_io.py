"""Analogue inputs and outputs, in V: the converters of a data acquisition card, or of a microcontroller."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

from pyrolab_drivers.instrument import Channel, Instrument
from pyrolab_drivers.quantities import Range, Volts


class AnalogInput(Channel):
    """One input. A driver supplies the abstract members."""

    @property
    @abstractmethod
    def voltage_limits(self) -> tuple[Volts, Volts]:
        """Lowest and highest voltage that can be measured, in V."""

    @abstractmethod
    def _read_voltage(self) -> Volts: ...

    @property
    def voltage(self) -> Volts:
        """Voltage at the input now, in V."""
        self._require_connection()
        return self._read_voltage()


class AnalogOutput(Channel):
    """One output. A driver supplies the abstract members."""

    @property
    @abstractmethod
    def voltage_limits(self) -> tuple[Volts, Volts]:
        """Lowest and highest voltage that can be put out, in V."""

    @abstractmethod
    def _read_voltage(self) -> Volts: ...

    @abstractmethod
    def _write_voltage(self, voltage: Volts) -> None: ...

    @property
    def voltage(self) -> Volts:
        """Voltage that was set, in V."""
        self._require_connection()
        return self._read_voltage()

    @voltage.setter
    def voltage(self, voltage: Volts) -> None:
        self._require_connection()
        allowed = Range(*self.voltage_limits, "V")
        self._write_voltage(allowed.check(f"voltage of output {self.number}", voltage))


class AnalogIO(Instrument):
    """Inputs and outputs under their numbers: `card.outputs[1].voltage = 0.5`."""

    @property
    @abstractmethod
    def inputs(self) -> Mapping[int, AnalogInput]:
        """The inputs by their numbers; empty if there are none."""

    @property
    @abstractmethod
    def outputs(self) -> Mapping[int, AnalogOutput]:
        """The outputs by their numbers; empty if there are none."""

    def read_analog(self, number: int) -> Volts:
        """Voltage at one input now, in V. Raises `LookupError` if there is no such input."""
        if number not in self.inputs:
            raise LookupError(f"there is no input {number}; the inputs are {sorted(self.inputs)}")
        return self.inputs[number].voltage

    def write_analog(self, number: int, voltage: Volts) -> None:
        """Set the voltage of one output, in V. Raises `LookupError` if there is no such output."""
        if number not in self.outputs:
            raise LookupError(f"there is no output {number}; the outputs are {sorted(self.outputs)}")
        self.outputs[number].voltage = voltage
