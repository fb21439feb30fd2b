"""The messages of Thorlabs' APT protocol: bytes in, messages out, and back. Nothing here does I/O.

A message is a header of six bytes, little-endian: an id, two parameters (or the length of a payload, which
bit 7 of the destination announces), the destination and the source. There is no checksum: what can't be a
message is skipped byte by byte. Ids and layouts are those of the MIT-licensed codec thorlabs-apt-protocol 29;
Thorlabs' own document (issue 37) was not at hand.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

from pyrolab_drivers.thorlabs.apt_payloads import (
    Counts,
    DCStatus,
    HardwareInfo,
    HomeParameters,
    JogParameters,
    LimitParameters,
    Payload,
    PiezoLength,
    PiezoStatus,
    PiezoVoltage,
    RichError,
    StatusBits,
    VelocityParameters,
)

#: Addresses on the wire.
HOST, RACK, USB_UNIT = 0x01, 0x11, 0x50
BAYS = tuple(range(0x21, 0x2B))
INSTRUMENTS = frozenset({RACK, USB_UNIT, *BAYS})

_HEADER = struct.Struct("<HBBBB")
_LONG = 0x80
#: No payload is longer; a longer one is noise.
LONGEST_PAYLOAD = 255


class MessageId(IntEnum):
    """The messages that are used here, under the protocol's own names without MGMSG_."""

    HW_DISCONNECT = 0x0002
    HW_REQ_INFO = 0x0005
    HW_GET_INFO = 0x0006
    HW_START_UPDATEMSGS = 0x0011
    HW_STOP_UPDATEMSGS = 0x0012
    RACK_REQ_BAYUSED = 0x0060
    RACK_GET_BAYUSED = 0x0061
    HW_RESPONSE = 0x0080
    HW_RICHRESPONSE = 0x0081
    MOD_SET_CHANENABLESTATE = 0x0210
    MOD_REQ_CHANENABLESTATE = 0x0211
    MOD_GET_CHANENABLESTATE = 0x0212
    MOD_IDENTIFY = 0x0223
    MOT_SET_POSCOUNTER = 0x0410
    MOT_REQ_POSCOUNTER = 0x0411
    MOT_GET_POSCOUNTER = 0x0412
    MOT_SET_VELPARAMS = 0x0413
    MOT_REQ_VELPARAMS = 0x0414
    MOT_GET_VELPARAMS = 0x0415
    MOT_SET_JOGPARAMS = 0x0416
    MOT_REQ_JOGPARAMS = 0x0417
    MOT_GET_JOGPARAMS = 0x0418
    MOT_SET_LIMSWITCHPARAMS = 0x0423
    MOT_REQ_LIMSWITCHPARAMS = 0x0424
    MOT_GET_LIMSWITCHPARAMS = 0x0425
    MOT_REQ_STATUSBITS = 0x0429
    MOT_GET_STATUSBITS = 0x042A
    MOT_SET_GENMOVEPARAMS = 0x043A
    MOT_REQ_GENMOVEPARAMS = 0x043B
    MOT_GET_GENMOVEPARAMS = 0x043C
    MOT_SET_HOMEPARAMS = 0x0440
    MOT_REQ_HOMEPARAMS = 0x0441
    MOT_GET_HOMEPARAMS = 0x0442
    MOT_MOVE_HOME = 0x0443
    MOT_MOVE_HOMED = 0x0444
    MOT_MOVE_RELATIVE = 0x0448
    MOT_MOVE_ABSOLUTE = 0x0453
    MOT_MOVE_VELOCITY = 0x0457
    MOT_MOVE_COMPLETED = 0x0464
    MOT_MOVE_STOP = 0x0465
    MOT_MOVE_STOPPED = 0x0466
    MOT_MOVE_JOG = 0x046A
    MOT_REQ_DCSTATUSUPDATE = 0x0490
    MOT_GET_DCSTATUSUPDATE = 0x0491
    MOT_ACK_DCSTATUSUPDATE = 0x0492
    PZ_SET_POSCONTROLMODE = 0x0640
    PZ_REQ_POSCONTROLMODE = 0x0641
    PZ_GET_POSCONTROLMODE = 0x0642
    PZ_SET_OUTPUTVOLTS = 0x0643
    PZ_REQ_OUTPUTVOLTS = 0x0644
    PZ_GET_OUTPUTVOLTS = 0x0645
    PZ_SET_OUTPUTPOS = 0x0646
    PZ_REQ_OUTPUTPOS = 0x0647
    PZ_GET_OUTPUTPOS = 0x0648
    PZ_REQ_MAXTRAVEL = 0x0650
    PZ_GET_MAXTRAVEL = 0x0651
    PZ_SET_ZERO = 0x0658
    PZ_REQ_PZSTATUSUPDATE = 0x0660
    PZ_GET_PZSTATUSUPDATE = 0x0661
    PZ_ACK_PZSTATUSUPDATE = 0x0662


#: The payload of each message that has one.
PAYLOADS: dict[MessageId, type[Payload]] = {
    MessageId.HW_GET_INFO: HardwareInfo,
    MessageId.HW_RICHRESPONSE: RichError,
    MessageId.MOT_SET_POSCOUNTER: Counts,
    MessageId.MOT_GET_POSCOUNTER: Counts,
    MessageId.MOT_SET_VELPARAMS: VelocityParameters,
    MessageId.MOT_GET_VELPARAMS: VelocityParameters,
    MessageId.MOT_SET_JOGPARAMS: JogParameters,
    MessageId.MOT_GET_JOGPARAMS: JogParameters,
    MessageId.MOT_SET_LIMSWITCHPARAMS: LimitParameters,
    MessageId.MOT_GET_LIMSWITCHPARAMS: LimitParameters,
    MessageId.MOT_GET_STATUSBITS: StatusBits,
    MessageId.MOT_SET_GENMOVEPARAMS: Counts,
    MessageId.MOT_GET_GENMOVEPARAMS: Counts,
    MessageId.MOT_SET_HOMEPARAMS: HomeParameters,
    MessageId.MOT_GET_HOMEPARAMS: HomeParameters,
    MessageId.MOT_MOVE_RELATIVE: Counts,
    MessageId.MOT_MOVE_ABSOLUTE: Counts,
    MessageId.MOT_MOVE_COMPLETED: DCStatus,
    MessageId.MOT_MOVE_STOPPED: DCStatus,
    MessageId.MOT_GET_DCSTATUSUPDATE: DCStatus,
    MessageId.PZ_SET_OUTPUTVOLTS: PiezoVoltage,
    MessageId.PZ_GET_OUTPUTVOLTS: PiezoVoltage,
    MessageId.PZ_SET_OUTPUTPOS: PiezoLength,
    MessageId.PZ_GET_OUTPUTPOS: PiezoLength,
    MessageId.PZ_GET_MAXTRAVEL: PiezoLength,
    MessageId.PZ_GET_PZSTATUSUPDATE: PiezoStatus,
}

#: Messages that some controllers send without their payload.
_EITHER_FORM = frozenset(
    {
        MessageId.MOT_MOVE_RELATIVE,
        MessageId.MOT_MOVE_ABSOLUTE,
        MessageId.MOT_MOVE_COMPLETED,
        MessageId.MOT_MOVE_STOPPED,
    }
)
_IDS = frozenset(MessageId)


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `payload` is None for a short one, which has `param1` and `param2` instead."""

    id: MessageId
    dest: int
    source: int = HOST
    param1: int = 0
    param2: int = 0
    payload: Payload | None = None

    def encode(self) -> bytes:
        """The message as bytes."""
        if self.payload is None:
            return _HEADER.pack(self.id, self.param1, self.param2, self.dest, self.source)
        data = self.payload.encode()
        return _HEADER.pack(self.id, len(data), 0, self.dest | _LONG, self.source) + data

    @property
    def channel(self) -> int:
        """The channel that the message is about."""
        return int(getattr(self.payload, "channel", self.param1))


class Decoder:
    """Takes bytes as they come and gives the messages in them; what is none is counted and skipped.

    `dests` and `sources` are the addresses that messages on this end of the line can have; 0 always
    passes, because some controllers leave an address out.
    """

    def __init__(self, dests: frozenset[int] | set[int], sources: frozenset[int] | set[int]) -> None:
        self._dests = frozenset(dests) | {0}
        self._sources = frozenset(sources) | {0}
        self._buffer = bytearray()
        #: Bytes that were skipped since the beginning.
        self.skipped = 0

    @property
    def missing(self) -> int:
        """How many bytes the message that has begun needs at least; read no more than these at once."""
        if len(self._buffer) < _HEADER.size:
            return _HEADER.size - len(self._buffer)
        return _HEADER.size + self._payload_size() - len(self._buffer)

    @property
    def partial(self) -> bool:
        """True if a message has begun and not ended."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> list[Message]:
        """The messages that `data` completes."""
        self._buffer += data
        messages = []
        while len(self._buffer) >= _HEADER.size:
            if not self._plausible():
                self._skip(1)
            elif len(self._buffer) < (size := _HEADER.size + self._payload_size()):
                break
            else:
                messages.append(self._message(bytes(self._buffer[:size])))
                del self._buffer[:size]
        return messages

    def reset(self) -> None:
        """Forget a message that has begun: its end will not come."""
        self._skip(len(self._buffer))

    def _skip(self, count: int) -> None:
        del self._buffer[:count]
        self.skipped += count

    def _payload_size(self) -> int:
        return self._buffer[2] | self._buffer[3] << 8 if self._buffer[4] & _LONG else 0

    def _plausible(self) -> bool:
        number, _, _, dest, source = _HEADER.unpack_from(self._buffer)
        if number not in _IDS or (dest & ~_LONG) not in self._dests or source not in self._sources:
            return False
        payload = PAYLOADS.get(MessageId(number))
        if dest & _LONG:
            return payload is not None and self._payload_size() == payload.layout.size
        return payload is None or MessageId(number) in _EITHER_FORM

    def _message(self, data: bytes) -> Message:
        number, param1, param2, dest, source = _HEADER.unpack_from(data)
        message_id = MessageId(number)
        if dest & _LONG:
            payload = PAYLOADS[message_id].decode(data[_HEADER.size :])
            return Message(message_id, dest & ~_LONG, source, payload=payload)
        return Message(message_id, dest, source, param1, param2)
