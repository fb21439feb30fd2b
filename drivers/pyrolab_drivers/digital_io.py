"""Digital inputs and outputs, with pulse-width modulation and hobby servos where there are such pins.

Levels are True and False, duty cycles 0 to 1, angles of servos in degrees, voltages in V.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from enum import Enum

from pyrolab_drivers.instrument import Channel, Instrument
from pyrolab_drivers.quantities import Degrees, Range, Volts, WrongMode, choice

_DUTY = Range(0.0, 1.0, "of the period")


class PinMode(Enum):
    """What a pin does."""

    INPUT = "input"
    INPUT_PULLUP = "input with pull-up"
    OUTPUT = "output"
    PWM = "pulse-width modulation"
    SERVO = "servo"
    ANALOG_INPUT = "analogue input"


class Pin(Channel):
    """One pin. A driver supplies the abstract members, and what else its pins can do."""

    @property
    def modes(self) -> tuple[PinMode, ...]:
        """The modes that the pin can have."""
        return (PinMode.INPUT, PinMode.OUTPUT)

    @property
    def servo_limits(self) -> tuple[Degrees, Degrees]:
        """Least and greatest angle of a servo, in degrees."""
        return (0.0, 180.0)

    @abstractmethod
    def _read_mode(self) -> PinMode: ...

    @abstractmethod
    def _write_mode(self, mode: PinMode) -> None: ...

    @abstractmethod
    def _read_value(self) -> bool: ...

    @abstractmethod
    def _write_value(self, value: bool) -> None: ...

    def _read_pwm(self) -> float:
        raise self._not_supported("pulse-width modulation")

    def _write_pwm(self, duty: float) -> None:
        raise self._not_supported("pulse-width modulation")

    def _read_servo_angle(self) -> Degrees:
        raise self._not_supported("a servo")

    def _write_servo_angle(self, angle: Degrees) -> None:
        raise self._not_supported("a servo")

    def _read_voltage(self) -> Volts:
        raise self._not_supported("a converter")

    @property
    def mode(self) -> PinMode:
        """What the pin does. To set one that is not among `modes` raises `NotSupported`."""
        self._require_connection()
        return self._read_mode()

    @mode.setter
    def mode(self, mode: PinMode) -> None:
        self._require_connection()
        checked = choice(PinMode, "mode of a pin", mode)
        if checked not in self.modes:
            raise self._not_supported(f"the mode '{checked.value}' at pin {self.number}")
        self._write_mode(checked)

    @property
    def value(self) -> bool:
        """Level of the pin. To set it raises `WrongMode` unless the pin is an output."""
        self._require_connection()
        return self._read_value()

    @value.setter
    def value(self, value: bool) -> None:
        self._require_mode(PinMode.OUTPUT)
        self._write_value(bool(value))

    @property
    def pwm(self) -> float:
        """Part of the period during which the pin is high, 0 to 1, in the mode `PWM`."""
        self._require_connection()
        return self._read_pwm()

    @pwm.setter
    def pwm(self, duty: float) -> None:
        checked = _DUTY.check("duty cycle", duty)
        self._require_mode(PinMode.PWM)
        self._write_pwm(checked)

    @property
    def servo_angle(self) -> Degrees:
        """Angle of the servo at the pin, in degrees, in the mode `SERVO`."""
        self._require_connection()
        return self._read_servo_angle()

    @servo_angle.setter
    def servo_angle(self, angle: Degrees) -> None:
        checked = Range(*self.servo_limits, "deg").check("angle of the servo", angle)
        self._require_mode(PinMode.SERVO)
        self._write_servo_angle(checked)

    @property
    def voltage(self) -> Volts:
        """Voltage at the pin now, in V, in the mode `ANALOG_INPUT`."""
        self._require_mode(PinMode.ANALOG_INPUT)
        return self._read_voltage()

    def _require_mode(self, wanted: PinMode) -> None:
        self._require_connection()
        mode = self._read_mode()
        if mode is not wanted:
            raise WrongMode(f"pin {self.number} is set to {mode.value}; set its mode to {wanted.value} first")


class DigitalIO(Instrument):
    """Pins under their numbers: `board.pins[13].value = True`."""

    @property
    @abstractmethod
    def pins(self) -> Mapping[int, Pin]:
        """The pins by their numbers."""

    @property
    def values(self) -> dict[int, bool]:
        """Level of each pin now."""
        return {number: pin.value for number, pin in self.pins.items()}
