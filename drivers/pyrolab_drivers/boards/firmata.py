"""Boards that run Firmata: an Arduino with the sketch StandardFirmata, and many others.

Why no library: pyfirmata2 2.5.1 waits 5 s for every board, lets boards share what hears them, reads inputs
only by callbacks, takes every analogue input for one of 10 bits, and cannot set the level of a PWM pin beyond
15. Source: github.com/firmata/protocol, protocol.md 2.5.1 and servos.md.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping

from pyrolab_drivers.analog_io import AnalogInput, AnalogIO, AnalogOutput
from pyrolab_drivers.boards.firmata_link import FirmataLink
from pyrolab_drivers.boards.firmata_protocol import (
    Capabilities,
    ChannelsDescribed,
    Mode,
    PinsDescribed,
    PinState,
    Sysex,
    servo_range,
    set_level,
    set_mode,
    set_port,
    sysex,
)
from pyrolab_drivers.digital_io import DigitalIO, Pin, PinMode
from pyrolab_drivers.instrument import Identity
from pyrolab_drivers.quantities import Degrees, Range, Seconds, Volts, WrongMode
from pyrolab_drivers.transports import Transport, open_transport

_MODES = {
    Mode.INPUT: PinMode.INPUT,
    Mode.PULLUP: PinMode.INPUT_PULLUP,
    Mode.OUTPUT: PinMode.OUTPUT,
    Mode.PWM: PinMode.PWM,
    Mode.SERVO: PinMode.SERVO,
    Mode.ANALOG: PinMode.ANALOG_INPUT,
}
_WIRE_MODES = {mode: wire for wire, mode in _MODES.items()}
_DRIVEN = (Mode.OUTPUT, Mode.PWM, Mode.SERVO)
#: What the pulses of a servo can last; 14 bits on the wire.
_PULSES = Range(1, 16383, "µs")


class FirmataPin(Pin):
    """One pin. Its number is Firmata's: on an Arduino Uno, A0 is pin 14."""

    def __init__(
        self, board: FirmataBoard, number: int, can: Capabilities, state: PinState, channel: int | None
    ) -> None:
        super().__init__(board, number)
        self._board = board
        self._can = can
        self._channel = channel
        self._mode = state.mode
        self._written = state.state

    @property
    def modes(self) -> tuple[PinMode, ...]:
        """The modes that the board says that the pin can have."""
        can = self._can if self._channel is not None else self._can.keys() - {Mode.ANALOG}
        return tuple(mode for wire, mode in _MODES.items() if wire in can)

    @property
    def _is_high(self) -> bool:
        return self._mode == Mode.OUTPUT and bool(self._written)

    @property
    def is_digital(self) -> bool:
        """Whether the pin has a level now: not while it is an analogue input, or in an unknown mode."""
        return self._mode in (*_DRIVEN, Mode.INPUT, Mode.PULLUP)

    def _read_mode(self) -> PinMode:
        for wire, mode in _MODES.items():
            if wire == self._mode:
                return mode
        raise WrongMode(f"pin {self.number} is in a mode of Firmata that has no name here: {self._mode}")

    def _write_mode(self, mode: PinMode) -> None:
        wire = _WIRE_MODES[mode]
        self._board._set_mode(self.number, wire)
        self._mode, self._written = wire, 0

    def _read_value(self) -> bool:
        if self._mode in _DRIVEN:
            return bool(self._written)
        if not self.is_digital:
            self._require_mode(PinMode.INPUT)
        return self._board._read_level(self.number)

    def _write_value(self, value: bool) -> None:
        self._written = int(value)
        self._board._write_port(self.number // 8)

    def _read_pwm(self) -> float:
        return self._written / self._greatest if self._mode == Mode.PWM else float(self._read_value())

    def _write_pwm(self, duty: float) -> None:
        self._written = round(duty * self._greatest)
        self._board._write(set_level(self.number, self._written))

    @property
    def _greatest(self) -> int:
        return (1 << self._can[Mode.PWM]) - 1

    def _read_servo_angle(self) -> Degrees:
        if self._mode != Mode.SERVO:
            raise WrongMode(f"pin {self.number} drives no servo; set its mode to {PinMode.SERVO.value} first")
        return float(self._written)

    def _write_servo_angle(self, angle: Degrees) -> None:
        self._written = round(angle)
        self._board._write(set_level(self.number, self._written))

    def _read_voltage(self) -> Volts:
        assert self._channel is not None
        counts = self._board._read_sample(self._channel)
        return counts / ((1 << self._can[Mode.ANALOG]) - 1) * self._board.reference_voltage


class FirmataInput(AnalogInput):
    """One analogue channel: number 0 is what an Arduino calls A0. It is a pin as well."""

    def __init__(self, board: FirmataBoard, channel: int, pin: FirmataPin) -> None:
        super().__init__(board, channel)
        self._board = board
        self._pin = pin

    @property
    def voltage_limits(self) -> tuple[Volts, Volts]:
        """From 0 V to the reference voltage of the board."""
        return (0.0, self._board.reference_voltage)

    def _read_voltage(self) -> Volts:
        return self._pin.voltage


class FirmataBoard(DigitalIO, AnalogIO):
    """A board that speaks Firmata 2.x: `board.pins[13].value = True`, `board.read_analog(0)`.

    `address` is a serial port (or a transport), `reference_voltage` in V what the greatest count of an
    analogue input stands for (3.3 on many boards), `boot_timeout` in s how long the board may take to start
    after the port was opened, `servo_pulses` in µs the pulses at 0° and 180°. The sketch StandardFirmata
    talks at 57600 baud. On closing, pins that were driven become inputs, unless `keeps_outputs`.
    """

    def __init__(
        self,
        address: str | Transport,
        *,
        reference_voltage: Volts = 5.0,
        baud_rate: int = 57_600,
        boot_timeout: Seconds = 10.0,
        servo_pulses: tuple[int, int] = (544, 2400),
        keeps_outputs: bool = False,
    ) -> None:
        super().__init__()
        shortest, longest = (int(_PULSES.check("pulse of a servo", each)) for each in servo_pulses)
        self.reference_voltage = Range(0.0, 100.0, "V").check("reference voltage", reference_voltage)
        self._address = address
        self._baud_rate = baud_rate
        self._boot_timeout = boot_timeout
        self._servo_pulses = (shortest, longest)
        self._keeps_outputs = keeps_outputs
        self._identity = Identity("Firmata", "board", str(getattr(address, "name", address)))
        self._link: FirmataLink | None = None
        self._pins: dict[int, FirmataPin] = {}
        self._inputs: dict[int, FirmataInput] = {}
        self._driven: set[int] = set()
        #: Held while the outputs of a port, which travel together, are changed.
        self._ports = threading.RLock()

    @property
    def identity(self) -> Identity:
        """The sketch that runs on the board, and its version; the port stands for a serial number."""
        return self._identity

    @property
    def pins(self) -> Mapping[int, Pin]:
        """The pins that can be used, by Firmata's numbers."""
        self._require_connection()
        return self._pins

    @property
    def values(self) -> dict[int, bool]:
        """Level of each pin now, but of those that are analogue inputs."""
        self._require_connection()
        return {number: pin.value for number, pin in self._pins.items() if pin.is_digital}

    @property
    def inputs(self) -> Mapping[int, AnalogInput]:
        """The analogue channels: 0 is A0."""
        self._require_connection()
        return self._inputs

    @property
    def outputs(self) -> Mapping[int, AnalogOutput]:
        """Nothing: such boards have pulse-width modulation instead."""
        return {}

    def _require_connection(self) -> None:
        super()._require_connection()
        if self._link is not None:
            self._link.require()

    def _open(self) -> None:
        if isinstance(self._address, Transport):
            transport = self._address
        else:
            transport = open_transport(self._address, baudrate=self._baud_rate)
        link = FirmataLink(transport)
        try:
            firmware = link.greet(self._boot_timeout)
            version = f"{firmware.major}.{firmware.minor}"
            self._identity = Identity("Firmata", firmware.name or "board", transport.name, version)
            self._describe(link)
        except BaseException:
            link.close()
            raise
        self._link = link

    def _close(self) -> None:
        link, self._link = self._link, None
        if link is None:
            return
        try:
            with contextlib.suppress(ConnectionError, TimeoutError):  # it is gone: nothing can be made safe
                for pin in () if self._keeps_outputs else sorted(self._driven):
                    link.send(set_mode(pin, Mode.INPUT))
        finally:
            self._driven.clear()
            link.close()

    def _describe(self, link: FirmataLink) -> None:
        """Ask what the board has, and in which state its pins are: it may have been in use before."""
        described = link.ask(sysex(Sysex.CAPABILITY_QUERY), PinsDescribed).pins
        channels = link.ask(sysex(Sysex.ANALOG_MAPPING_QUERY), ChannelsDescribed).channels
        self._pins, self._inputs = {}, {}
        for number, can in enumerate(described):
            channel = channels[number] if number < len(channels) else None
            if any(mode in can for mode in _MODES):
                state = link.ask(sysex(Sysex.PIN_STATE_QUERY, bytes([number])), PinState)
                self._pins[number] = FirmataPin(self, number, can, state, channel)
            if channel is not None and Mode.ANALOG in can:
                self._inputs[channel] = FirmataInput(self, channel, self._pins[number])

    # -- for the pins ------------------------------------------------------------------------------------

    def _write(self, data: bytes) -> None:
        self._connected_link().send(data)

    def _set_mode(self, pin: int, mode: Mode) -> None:
        link = self._connected_link()
        if mode is Mode.SERVO:
            link.send(servo_range(pin, *self._servo_pulses))
        link.send(set_mode(pin, mode))
        if mode in _DRIVEN:
            self._driven.add(pin)
        else:
            self._driven.discard(pin)
        if mode in (Mode.INPUT, Mode.PULLUP):
            link.listen_to_port(pin // 8)

    def _read_level(self, pin: int) -> bool:
        return self._connected_link().level(pin)

    def _read_sample(self, channel: int) -> int:
        return self._connected_link().sample(channel)

    def _write_port(self, port: int) -> None:
        with self._ports:
            pins = (self._pins.get(number) for number in range(8 * port, 8 * port + 8))
            levels = sum(1 << (pin.number % 8) for pin in pins if pin is not None and pin._is_high)
            self._write(set_port(port, levels))

    def _connected_link(self) -> FirmataLink:
        self._require_connection()
        assert self._link is not None
        return self._link
