"""The Firmata protocol as bytes in, messages out, and bytes to send; no connection in here.

Source: github.com/firmata/protocol, protocol.md 2.5.1 and servos.md. Messages begin with a byte of 0x80 and
more, data bytes have 7 bits. What is not understood is skipped: boards may know more than is known here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

#: No board has as long a message; what is longer is noise, and skipped.
MAX_SYSEX = 16_384
_UNUSED_PIN = 127


class Command(IntEnum):
    """First byte of a message; those below 0xF0 carry a port or channel in their low four bits."""

    DIGITAL = 0x90
    REPORT_ANALOG = 0xC0
    REPORT_DIGITAL = 0xD0
    ANALOG = 0xE0
    START_SYSEX = 0xF0
    SET_PIN_MODE = 0xF4
    SET_DIGITAL_PIN = 0xF5
    END_SYSEX = 0xF7
    VERSION = 0xF9
    RESET = 0xFF


class Sysex(IntEnum):
    """First data byte of a sysex message."""

    ANALOG_MAPPING_QUERY = 0x69
    ANALOG_MAPPING_RESPONSE = 0x6A
    CAPABILITY_QUERY = 0x6B
    CAPABILITY_RESPONSE = 0x6C
    PIN_STATE_QUERY = 0x6D
    PIN_STATE_RESPONSE = 0x6E
    EXTENDED_ANALOG = 0x6F
    SERVO_CONFIG = 0x70
    STRING = 0x71
    FIRMWARE = 0x79
    SAMPLING_INTERVAL = 0x7A


class Mode(IntEnum):
    """What a pin is used as."""

    INPUT = 0
    OUTPUT = 1
    ANALOG = 2
    PWM = 3
    SERVO = 4
    PULLUP = 11


#: What a pin can do: the resolution in bits of each of its modes.
Capabilities = dict[int, int]


@dataclass(frozen=True, slots=True)
class Version:
    """The protocol that the board speaks; comes when the board has started, and when it is asked."""

    major: int
    minor: int


@dataclass(frozen=True, slots=True)
class Firmware:
    """The sketch that the board runs."""

    major: int
    minor: int
    name: str


@dataclass(frozen=True, slots=True)
class DigitalPort:
    """Levels of the eight pins from 8 × `port`, the lowest in bit 0."""

    port: int
    levels: int


@dataclass(frozen=True, slots=True)
class AnalogValue:
    """A sample of an analogue channel, in counts."""

    channel: int
    counts: int


@dataclass(frozen=True, slots=True)
class PinsDescribed:
    """What each pin of the board can do."""

    pins: tuple[Capabilities, ...]


@dataclass(frozen=True, slots=True)
class ChannelsDescribed:
    """The analogue channel of each pin, None for a pin without."""

    channels: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class PinState:
    """The mode of a pin, and what was last written to it."""

    pin: int
    mode: int
    state: int


@dataclass(frozen=True, slots=True)
class Text:
    """A message from the sketch, mostly a complaint."""

    text: str


Message = Version | Firmware | DigitalPort | AnalogValue | PinsDescribed | ChannelsDescribed | PinState | Text


class Splitter:
    """Cuts what arrives into whole messages; a message that another one breaks into is dropped."""

    def __init__(self, version_length: int) -> None:
        #: A version has three bytes when a board sends it, and one when it is asked for.
        self._lengths = {
            Command.SET_PIN_MODE: 3,
            Command.SET_DIGITAL_PIN: 3,
            Command.VERSION: version_length,
            Command.RESET: 1,
        }
        self._partial = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take what has arrived; yields each whole message, sysex with its first and last byte."""
        for byte in data:
            partial = self._partial
            if byte >= 0x80 and not (byte == Command.END_SYSEX and self._in_sysex):
                partial.clear()
            elif not partial or len(partial) >= MAX_SYSEX:
                partial.clear()
                continue
            partial.append(byte)
            if self._is_whole(byte):
                yield bytes(partial)
                partial.clear()

    @property
    def _in_sysex(self) -> bool:
        return bool(self._partial) and self._partial[0] == Command.START_SYSEX

    def _is_whole(self, newest: int) -> bool:
        first = self._partial[0]
        if first == Command.START_SYSEX:
            return newest == Command.END_SYSEX
        return len(self._partial) >= self._length(first)

    def _length(self, first: int) -> int:
        if first >= Command.START_SYSEX:
            return self._lengths.get(Command(first), 1) if first in Command._value2member_map_ else 1
        return 2 if first & 0xF0 in (Command.REPORT_ANALOG, Command.REPORT_DIGITAL) else 3


class Decoder:
    """Turns the bytes that a board sends into messages."""

    def __init__(self) -> None:
        self._splitter = Splitter(version_length=3)

    def feed(self, data: bytes) -> Iterator[Message]:
        """Take what has arrived; yields what it says. What is not known, or cut short, is skipped."""
        for raw in self._splitter.feed(data):
            message = _decode(raw)
            if message is not None:
                yield message


def _decode(raw: bytes) -> Message | None:
    first = raw[0]
    if first == Command.START_SYSEX:
        return _decode_sysex(raw[1:-1])
    if first == Command.VERSION:
        return Version(raw[1], raw[2])
    match first & 0xF0:
        case Command.DIGITAL:
            return DigitalPort(first & 0x0F, number_of(raw[1:3]))
        case Command.ANALOG:
            return AnalogValue(first & 0x0F, number_of(raw[1:3]))
    return None


def _decode_sysex(body: bytes) -> Message | None:
    kind, data = body[:1], body[1:]
    match kind[0] if kind else None:
        case Sysex.FIRMWARE if len(data) >= 2:
            return Firmware(data[0], data[1], text_of(data[2:]))
        case Sysex.CAPABILITY_RESPONSE:
            return PinsDescribed(_capabilities_of(data))
        case Sysex.ANALOG_MAPPING_RESPONSE:
            return ChannelsDescribed(tuple(None if each == _UNUSED_PIN else each for each in data))
        case Sysex.PIN_STATE_RESPONSE if len(data) >= 3:
            return PinState(data[0], data[1], number_of(data[2:]))
        case Sysex.STRING:
            return Text(text_of(data))
        case Sysex.EXTENDED_ANALOG if len(data) >= 2:
            return AnalogValue(data[0], number_of(data[1:]))
    return None


def _capabilities_of(data: bytes) -> tuple[Capabilities, ...]:
    """Pairs of mode and resolution, the pins separated by 0x7F."""
    pins = data.split(bytes([_UNUSED_PIN]))[:-1]
    return tuple(dict(zip(pin[::2], pin[1::2], strict=False)) for pin in pins)


# -- numbers and text in bytes of 7 bits ------------------------------------------------------------------


def number_of(data: bytes) -> int:
    """The number in bytes of 7 bits, the lowest first."""
    return sum((byte & 0x7F) << (7 * place) for place, byte in enumerate(data))


def septets(number: int, count: int = 2) -> bytes:
    """A number as `count` bytes of 7 bits, the lowest first, or as many more as it needs."""
    count = max(count, (number.bit_length() + 6) // 7)
    return bytes((number >> (7 * place)) & 0x7F for place in range(count))


def text_of(data: bytes) -> str:
    """A text whose bytes are sent as two bytes each."""
    pairs = zip(data[::2], data[1::2], strict=False)
    return bytes((low | high << 7) & 0xFF for low, high in pairs).decode("utf-8", "replace")


def text_septets(text: str) -> bytes:
    """A text as two bytes for each of its bytes."""
    return b"".join(septets(byte) for byte in text.encode())


# -- what is sent -----------------------------------------------------------------------------------------


def sysex(kind: Sysex, data: bytes = b"") -> bytes:
    """A sysex message."""
    return bytes([Command.START_SYSEX, kind]) + data + bytes([Command.END_SYSEX])


def set_mode(pin: int, mode: Mode) -> bytes:
    """Use a pin as this."""
    return bytes([Command.SET_PIN_MODE, pin, mode])


def set_port(port: int, levels: int) -> bytes:
    """Set the outputs among the eight pins of a port; every version of the protocol has it."""
    return bytes([Command.DIGITAL | port]) + septets(levels)


def set_level(pin: int, value: int) -> bytes:
    """Set what a PWM or servo pin puts out, in counts, degrees or µs."""
    if pin <= 15 and value < 1 << 14:
        return bytes([Command.ANALOG | pin]) + septets(value)
    return sysex(Sysex.EXTENDED_ANALOG, bytes([pin]) + septets(value))


def report_port(port: int, enabled: bool) -> bytes:
    """Report changes of the inputs of a port, or no longer."""
    return bytes([Command.REPORT_DIGITAL | port, enabled])


def report_channel(channel: int, enabled: bool) -> bytes:
    """Report samples of an analogue channel (0 to 15), or no longer."""
    return bytes([Command.REPORT_ANALOG | channel, enabled])


def servo_range(pin: int, shortest_us: int, longest_us: int) -> bytes:
    """Set the pulses of a servo at 0° and 180°, in µs."""
    return sysex(Sysex.SERVO_CONFIG, bytes([pin]) + septets(shortest_us) + septets(longest_us))
