"""A simulated Arduino with StandardFirmata 2.5: bytes in and out, or a pseudo-terminal (not on Windows).

The pins can be looked at and driven from outside: `level`, `duty`, `angle`, `drive`, `apply`.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from types import TracebackType

from typing_extensions import Self

from pyrolab_drivers.boards.firmata_protocol import (
    Capabilities,
    Command,
    Mode,
    Splitter,
    Sysex,
    number_of,
    septets,
    sysex,
    text_septets,
)

_DIGITAL: Capabilities = {Mode.INPUT: 1, Mode.PULLUP: 1, Mode.OUTPUT: 1}
_END_OF_PIN = b"\x7f"
_VERSION = bytes([2, 5])
_SKETCH = "SimulatedFirmata.ino"


def uno() -> tuple[Capabilities, ...]:
    """The pins of an Arduino Uno: 2 to 13 digital, 14 to 19 analogue as well; 0 and 1 are its serial port."""
    return _board(14, 6, (3, 5, 6, 9, 10, 11))


def mega() -> tuple[Capabilities, ...]:
    """The pins of an Arduino Mega: 2 to 53 digital, 54 to 69 analogue as well."""
    return _board(54, 16, (*range(2, 14), 44, 45, 46))


def _board(digital: int, analog: int, pwm: tuple[int, ...]) -> tuple[Capabilities, ...]:
    serial: list[Capabilities] = [{}, {}]
    others = (
        _DIGITAL | ({Mode.PWM: 8} if pin in pwm else {}) | {Mode.SERVO: 14} for pin in range(2, digital)
    )
    return (*serial, *others, *(_DIGITAL | {Mode.ANALOG: 10} for _ in range(analog)))


class FirmataDevice:
    """The board. `receive` takes bytes and returns the answer, `sample` returns what it reports by itself."""

    def __init__(self, pins: tuple[Capabilities, ...] | None = None, reference_v: float = 5.0) -> None:
        self._pins = uno() if pins is None else pins
        self._reference_v = reference_v
        analog = [pin for pin, can in enumerate(self._pins) if Mode.ANALOG in can]
        self._channels = {pin: channel for channel, pin in enumerate(analog)}
        self._outside = [False] * len(self._pins)
        self._volts = [0.0] * len(analog)
        self._splitter = Splitter(version_length=1)
        self._lock = threading.RLock()
        self.sampling_interval_ms = 19
        #: Every whole message that came, for tests.
        self.received: list[bytes] = []
        self._restart()

    def _restart(self) -> None:
        count = len(self._pins)
        self._modes = [Mode.ANALOG if pin in self._channels else Mode.OUTPUT for pin in range(count)]
        self._written = [0] * count
        self._reported_ports: set[int] = set()
        self._reported_channels: set[int] = set()
        self._sent_levels: dict[int, int] = {}

    # -- seen from outside -------------------------------------------------------------------------------

    def mode(self, pin: int) -> Mode:
        """What the pin is used as."""
        return self._modes[pin]

    def level(self, pin: int) -> bool:
        """Whether the pin is high."""
        if self._modes[pin] is Mode.OUTPUT:
            return bool(self._written[pin])
        return self._outside[pin]

    def duty(self, pin: int) -> float:
        """Share of the time for which a PWM pin is high."""
        return self._written[pin] / 255 if self._modes[pin] is Mode.PWM else float(self.level(pin))

    def angle(self, pin: int) -> int:
        """Where the servo at this pin is, in degrees."""
        return self._written[pin]

    def drive(self, pin: int, high: bool) -> None:
        """Put a level on a pin from outside."""
        self._outside[pin] = high

    def apply(self, channel: int, volts: float) -> None:
        """Put a voltage on an analogue channel."""
        self._volts[channel] = volts

    def greeting(self) -> bytes:
        """What it sends when it has started: a reset line or a power failure."""
        with self._lock:
            self._restart()
            return bytes([Command.VERSION]) + _VERSION + self._firmware()

    # -- the protocol ------------------------------------------------------------------------------------

    def receive(self, data: bytes) -> bytes:
        """Take bytes from the host; returns the answer."""
        with self._lock:
            answers = []
            for message in self._splitter.feed(data):
                self.received.append(message)
                answers.append(self._answer(message))
            return b"".join(answers)

    def sample(self) -> bytes:
        """What it reports by itself: changed inputs, and a sample of each channel that is asked for."""
        with self._lock:
            changed = [
                self._port_report(port) for port in sorted(self._reported_ports) if self._has_changed(port)
            ]
            return b"".join([*changed, *map(self._channel_report, sorted(self._reported_channels))])

    def _answer(self, message: bytes) -> bytes:
        first = message[0]
        if first == Command.START_SYSEX:
            return self._answer_sysex(message[1], message[2:-1])
        match first:
            case Command.SET_PIN_MODE:
                self._set_mode(message[1], message[2])
            case Command.SET_DIGITAL_PIN if self._is_output(message[1]):
                self._written[message[1]] = message[2]
            case Command.VERSION:
                return bytes([Command.VERSION]) + _VERSION
            case Command.RESET:
                self._restart()
        return self._answer_numbered(first & 0xF0, first & 0x0F, message) if first < 0xF0 else b""

    def _answer_numbered(self, command: int, number: int, message: bytes) -> bytes:
        match command:
            case Command.DIGITAL:
                levels = number_of(message[1:3])
                for pin in filter(self._is_output, range(8 * number, 8 * number + 8)):
                    self._written[pin] = levels >> (pin % 8) & 1
            case Command.ANALOG:
                self._write(number, number_of(message[1:3]))
            case Command.REPORT_DIGITAL:
                self._enable(self._reported_ports, number, message[1])
                return self._port_report(number) if message[1] else b""
            case Command.REPORT_ANALOG if number < len(self._channels):
                self._enable(self._reported_channels, number, message[1])
                return self._channel_report(number) if message[1] else b""
        return b""

    def _answer_sysex(self, kind: int, data: bytes) -> bytes:
        match kind:
            case Sysex.FIRMWARE:
                return self._firmware()
            case Sysex.CAPABILITY_QUERY:
                pins = (bytes(each for pair in can.items() for each in pair) for can in self._pins)
                return sysex(Sysex.CAPABILITY_RESPONSE, b"".join(pin + _END_OF_PIN for pin in pins))
            case Sysex.ANALOG_MAPPING_QUERY:
                channels = bytes(self._channels.get(pin, 127) for pin in range(len(self._pins)))
                return sysex(Sysex.ANALOG_MAPPING_RESPONSE, channels)
            case Sysex.PIN_STATE_QUERY:
                state = bytes([data[0], self._modes[data[0]]]) + septets(self._written[data[0]])
                return sysex(Sysex.PIN_STATE_RESPONSE, state)
            case Sysex.EXTENDED_ANALOG:
                self._write(data[0], number_of(data[1:]))
            case Sysex.SERVO_CONFIG:  # as StandardFirmata does, whoever configures a servo attaches it
                self._set_mode(data[0], Mode.SERVO)
            case Sysex.SAMPLING_INTERVAL:
                self.sampling_interval_ms = max(1, number_of(data))
        return b""

    def _firmware(self) -> bytes:
        return sysex(Sysex.FIRMWARE, _VERSION + text_septets(_SKETCH))

    def _set_mode(self, pin: int, mode: int) -> None:
        if pin < len(self._pins) and mode in self._pins[pin]:
            self._modes[pin] = Mode(mode)
            self._written[pin] = 0

    def _write(self, pin: int, value: int) -> None:
        if pin < len(self._pins) and self._modes[pin] in (Mode.PWM, Mode.SERVO):
            self._written[pin] = value

    def _is_output(self, pin: int) -> bool:
        return pin < len(self._pins) and bool(self._pins[pin]) and self._modes[pin] is Mode.OUTPUT

    @staticmethod
    def _enable(reported: set[int], number: int, enabled: int) -> None:
        reported.add(number) if enabled else reported.discard(number)

    def _levels(self, port: int) -> int:
        pins = range(8 * port, min(8 * port + 8, len(self._pins)))
        inputs = [pin for pin in pins if self._modes[pin] in (Mode.INPUT, Mode.PULLUP)]
        return sum(self._outside[pin] << (pin % 8) for pin in inputs)

    def _has_changed(self, port: int) -> bool:
        return self._sent_levels.get(port) != self._levels(port)

    def _port_report(self, port: int) -> bytes:
        self._sent_levels[port] = self._levels(port)
        return bytes([Command.DIGITAL | port]) + septets(self._sent_levels[port])

    def _channel_report(self, channel: int) -> bytes:
        counts = round(self._volts[channel] / self._reference_v * 1023)
        return bytes([Command.ANALOG | channel]) + septets(min(max(counts, 0), 1023))


class FirmataOnPty:
    """The board at a pseudo-terminal: `port` is what a driver opens. Like a board without a reset line."""

    def __init__(self, device: FirmataDevice) -> None:
        import tty

        self.device = device
        self._host, self._board = os.openpty()
        tty.setraw(self._board)
        os.set_blocking(self._host, False)
        self.port = os.ttyname(self._board)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="Firmata board", daemon=True)
        self._thread.start()

    def restart(self) -> None:
        """Start the board anew, as after a power failure."""
        self._send(self.device.greeting())

    def close(self) -> None:
        """Pull the plug."""
        self._ended.set()
        self._thread.join()
        for end in (self._board, self._host):
            with contextlib.suppress(OSError):
                os.close(end)

    def _serve(self) -> None:
        due = time.monotonic()
        while not self._ended.is_set():
            interval_s = self.device.sampling_interval_ms / 1000
            readable, _, _ = select.select([self._host], [], [], max(0.0, due - time.monotonic()))
            if readable:
                self._send(self.device.receive(os.read(self._host, 4096)))
            if time.monotonic() >= due:
                self._send(self.device.sample())
                due = time.monotonic() + interval_s

    def _send(self, data: bytes) -> None:
        with contextlib.suppress(BlockingIOError):  # nobody reads: lost, as on a serial line
            os.write(self._host, data)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
