"""A simulated board with digital pins, and a simulated card with analogue inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from pyrolab_drivers.analog_io import AnalogInput, AnalogIO, AnalogOutput
from pyrolab_drivers.digital_io import DigitalIO, Pin, PinMode
from pyrolab_drivers.instrument import Identity, Instrument
from pyrolab_drivers.quantities import Degrees, Volts
from pyrolab_drivers.simulators.bench import LightSource, OpticalBench, Positioner
from pyrolab_drivers.simulators.faults import Simulated

#: Volts for each watt of light at the detector that is wired to the first analogue input.
DETECTOR_V_W = 1e4


class SimulatedPin(Pin):
    """A pin with nothing wired to it: an input reads low, or high with its pull-up."""

    def __init__(self, board: Instrument, number: int) -> None:
        super().__init__(board, number)
        self._mode = PinMode.INPUT
        self._level = False
        self._duty = 0.0
        self._angle: Degrees = 90.0

    @property
    def modes(self) -> tuple[PinMode, ...]:
        """The modes that the pin can have: all but `ANALOG_INPUT`."""
        return tuple(mode for mode in PinMode if mode is not PinMode.ANALOG_INPUT)

    def _read_mode(self) -> PinMode:
        return self._mode

    def _write_mode(self, mode: PinMode) -> None:
        self._mode = mode
        self._level = mode is PinMode.INPUT_PULLUP

    def _read_value(self) -> bool:
        return self._level

    def _write_value(self, value: bool) -> None:
        self._level = value

    def _read_pwm(self) -> float:
        return self._duty

    def _write_pwm(self, duty: float) -> None:
        self._duty = duty

    def _read_servo_angle(self) -> Degrees:
        return self._angle

    def _write_servo_angle(self, angle: Degrees) -> None:
        self._angle = angle


class SimulatedDigitalIO(Simulated, DigitalIO):
    """A board with the pins 0 to 19."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self._serial = str(seed)
        self._pins = {number: SimulatedPin(self, number) for number in range(20)}

    @property
    def identity(self) -> Identity:
        """Vendor, model, serial number and firmware."""
        return Identity("PyroLab", "Simulated digital board", self._serial, "1")

    @property
    def pins(self) -> Mapping[int, Pin]:
        """The pins by their numbers."""
        return dict(self._pins)


class SimulatedAnalogInput(AnalogInput):
    """A converter of 16 bits for ±10 V. `source` says what is wired to it now."""

    def __init__(self, card: Instrument, number: int, source: Callable[[], Volts]) -> None:
        super().__init__(card, number)
        self._source = source

    @property
    def voltage_limits(self) -> tuple[Volts, Volts]:
        """Lowest and highest voltage that can be measured, in V."""
        return (-10.0, 10.0)

    def _read_voltage(self) -> Volts:
        step = 20.0 / 65536
        return float(np.clip(round(self._source() / step), -32768, 32767)) * step


class SimulatedAnalogOutput(AnalogOutput):
    """A converter for ±10 V."""

    def __init__(self, card: Instrument, number: int) -> None:
        super().__init__(card, number)
        self._voltage: Volts = 0.0

    @property
    def voltage_limits(self) -> tuple[Volts, Volts]:
        """Lowest and highest voltage that can be put out, in V."""
        return (-10.0, 10.0)

    @property
    def actual_voltage(self) -> Volts:
        """What is at the output, whatever the connection does; for other twins."""
        return self._voltage

    def _read_voltage(self) -> Volts:
        return self._voltage

    def _write_voltage(self, voltage: Volts) -> None:
        self._voltage = voltage


class SimulatedAnalogIO(Simulated, AnalogIO):
    """A card with two outputs and three inputs.

    Input 1 is a detector at the output fibre of the chip; 2 and 3 are wired to the outputs 1 and 2.
    """

    def __init__(
        self, stage: Positioner | None = None, laser: LightSource | None = None, seed: int = 0
    ) -> None:
        super().__init__()
        self._serial = str(seed)
        self._noise = np.random.default_rng([seed, 10])
        self._bench = OpticalBench(stage, laser, seed) if stage is not None and laser is not None else None
        outputs = {number: SimulatedAnalogOutput(self, number) for number in (1, 2)}
        self._outputs = outputs
        self._inputs = {
            1: SimulatedAnalogInput(self, 1, self._detector),
            2: SimulatedAnalogInput(self, 2, lambda: outputs[1].actual_voltage),
            3: SimulatedAnalogInput(self, 3, lambda: outputs[2].actual_voltage),
        }

    @property
    def identity(self) -> Identity:
        """Vendor, model, serial number and firmware."""
        return Identity("PyroLab", "Simulated analogue card", self._serial, "1")

    @property
    def inputs(self) -> Mapping[int, AnalogInput]:
        """The inputs by their numbers."""
        return dict(self._inputs)

    @property
    def outputs(self) -> Mapping[int, AnalogOutput]:
        """The outputs by their numbers."""
        return dict(self._outputs)

    def _detector(self) -> Volts:
        light = 0.0 if self._bench is None else self._bench.light().transmitted
        return DETECTOR_V_W * light + float(self._noise.normal(0.0, 5e-4))
