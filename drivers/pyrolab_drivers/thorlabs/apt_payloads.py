"""What Thorlabs' APT messages carry: payloads with their layouts, and the bits of a status.

Layouts are those of the MIT-licensed codec thorlabs-apt-protocol 29; all numbers are little-endian.
"""

from __future__ import annotations

import struct
from dataclasses import astuple, dataclass
from enum import IntFlag
from typing import ClassVar

from typing_extensions import Self


class MotorStatus(IntFlag):
    """Bits of a motor's status. Libraries disagree which way 1 and 2 are, so the names don't say."""

    LIMIT_1 = 1 << 0
    LIMIT_2 = 1 << 1
    SOFT_LIMIT_1 = 1 << 2
    SOFT_LIMIT_2 = 1 << 3
    MOVING_1 = 1 << 4
    MOVING_2 = 1 << 5
    JOGGING_1 = 1 << 6
    JOGGING_2 = 1 << 7
    CONNECTED = 1 << 8
    HOMING = 1 << 9
    HOMED = 1 << 10
    TRACKING = 1 << 12
    SETTLED = 1 << 13
    MOTION_ERROR = 1 << 14
    CURRENT_LIMIT = 1 << 24
    ACTIVE = 1 << 29
    ERROR = 1 << 30
    ENABLED = 1 << 31

    #: Any kind of motion.
    IN_MOTION = MOVING_1 | MOVING_2 | JOGGING_1 | JOGGING_2 | HOMING


class PiezoStatusBits(IntFlag):
    """Bits of a piezo channel's status."""

    CONNECTED = 1 << 0
    ZEROED = 1 << 4
    ZEROING = 1 << 5
    GAUGE_CONNECTED = 1 << 8
    CLOSED_LOOP = 1 << 10
    RANGE_75_V = 1 << 12
    RANGE_100_V = 1 << 13
    RANGE_150_V = 1 << 14
    ACTIVE = 1 << 29
    ENABLED = 1 << 31


class Payload:
    """What follows a header. A subclass is a dataclass whose fields are those of `layout`, in order."""

    layout: ClassVar[struct.Struct]

    def encode(self) -> bytes:
        """The bytes of the payload."""
        return self.layout.pack(*astuple(self))  # type: ignore[call-overload]

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The payload in `data`. Raises `ValueError` where the length is not that of the layout."""
        if len(data) != cls.layout.size:
            raise ValueError(f"{cls.__name__} has {cls.layout.size} bytes, not {len(data)}")
        return cls(*cls.layout.unpack(data))


@dataclass(frozen=True, slots=True)
class HardwareInfo(Payload):
    """Answer to HW_REQ_INFO; the firmware's version has its least significant byte first."""

    layout = struct.Struct("<i8sH4s60sHHH")
    serial_number: int
    model: bytes
    kind: int
    firmware: bytes
    notes: bytes
    hardware_version: int
    modification: int
    channels: int

    @property
    def model_name(self) -> str:
        """The model without padding."""
        return self.model.split(b"\0")[0].decode("ascii", "replace").strip()

    @property
    def firmware_version(self) -> str:
        """Major, interim and minor number."""
        minor, interim, major, _ = self.firmware
        return f"{major}.{interim}.{minor}"


@dataclass(frozen=True, slots=True)
class RichError(Payload):
    """An error: the message that caused it (0: none), a code and a text."""

    layout = struct.Struct("<HH64s")
    message_id: int
    code: int
    notes: bytes

    @property
    def text(self) -> str:
        """The text without padding."""
        return self.notes.split(b"\0")[0].decode("latin-1").strip()


@dataclass(frozen=True, slots=True)
class Counts(Payload):
    """A channel and a position or a distance, in encoder counts."""

    layout = struct.Struct("<Hi")
    channel: int
    counts: int


@dataclass(frozen=True, slots=True)
class VelocityParameters(Payload):
    """Velocities and acceleration of moves, in the controller's units."""

    layout = struct.Struct("<Hiii")
    channel: int
    minimum: int
    acceleration: int
    maximum: int


@dataclass(frozen=True, slots=True)
class JogParameters(Payload):
    """How to jog: mode 1 continuous, 2 one step; stop mode 1 immediate, 2 profiled."""

    layout = struct.Struct("<HHiiiiH")
    channel: int
    mode: int
    step: int
    minimum: int
    acceleration: int
    maximum: int
    stop_mode: int


@dataclass(frozen=True, slots=True)
class HomeParameters(Payload):
    """How to home: direction 1 forward, 2 reverse; switch 1 reverse, 4 forward."""

    layout = struct.Struct("<HHHii")
    channel: int
    direction: int
    switch: int
    velocity: int
    offset: int


@dataclass(frozen=True, slots=True)
class LimitParameters(Payload):
    """Hardware switches and software limits, the latter in counts."""

    layout = struct.Struct("<HHHiiH")
    channel: int
    clockwise_switch: int
    counterclockwise_switch: int
    clockwise_position: int
    counterclockwise_position: int
    software_mode: int


@dataclass(frozen=True, slots=True)
class DCStatus(Payload):
    """Position in counts, velocity (signed, whatever the document says) and `MotorStatus` bits."""

    layout = struct.Struct("<HihHI")
    channel: int
    position: int
    velocity: int
    reserved: int
    bits: int


@dataclass(frozen=True, slots=True)
class StatusBits(Payload):
    """`MotorStatus` bits alone."""

    layout = struct.Struct("<HI")
    channel: int
    bits: int


@dataclass(frozen=True, slots=True)
class PiezoVoltage(Payload):
    """A voltage; ±32767 is plus or minus the greatest voltage."""

    layout = struct.Struct("<Hh")
    channel: int
    value: int


@dataclass(frozen=True, slots=True)
class PiezoLength(Payload):
    """A position, or the travel in steps of 100 nm."""

    layout = struct.Struct("<HH")
    channel: int
    value: int


@dataclass(frozen=True, slots=True)
class PiezoStatus(Payload):
    """Voltage, position and `PiezoStatusBits`."""

    layout = struct.Struct("<HhhI")
    channel: int
    voltage: int
    position: int
    bits: int
