"""The frames of the OIF ITLA standard: four bytes each way, big-endian, with a checksum of four bits. No I/O.

Facts are from pytla's register lists and two independent drivers; the checksum agrees in four sources. The
standard itself (OIF-ITLA-MSA-01.3) was not at hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

FRAME_SIZE = 4
_WRITE = 0x01
_LAST_RESPONSE = 0x08
_COMMUNICATION_ERROR = 0x08
_ALWAYS = 0x04


class Status(IntEnum):
    """How the module took a command."""

    OK = 0
    EXECUTION_ERROR = 1
    EXTENDED_ADDRESSING = 2
    PENDING = 3


class BadFrame(ValueError):
    """Four bytes that are no frame. `got` are the bytes."""

    got: bytes

    def __init__(self, message: str, got: bytes = b"") -> None:
        super().__init__(message)
        self.got = got


def bip4(frame: bytes) -> int:
    """The checksum of a frame: bit-interleaved parity over all but the upper half of its first byte."""
    mixed = (frame[0] & 0x0F) ^ frame[1] ^ frame[2] ^ frame[3]
    return mixed >> 4 ^ mixed & 0x0F


@dataclass(frozen=True, slots=True)
class Request:
    """From the host: read a register, or write `data` to it; with `last_response`, repeat the last answer."""

    register: int
    data: int | None = None
    last_response: bool = False

    def encode(self) -> bytes:
        """The frame."""
        flags = (_LAST_RESPONSE if self.last_response else 0) | (_WRITE if self.data is not None else 0)
        frame = bytes([flags, self.register]) + (self.data or 0).to_bytes(2, "big")
        return bytes([bip4(frame) << 4 | flags]) + frame[1:]

    @classmethod
    def decode(cls, frame: bytes) -> Request:
        """The request in four bytes. Raises `BadFrame` for a wrong checksum."""
        _check(frame)
        data = int.from_bytes(frame[2:], "big") if frame[0] & _WRITE else None
        return cls(frame[1], data, bool(frame[0] & _LAST_RESPONSE))


@dataclass(frozen=True, slots=True)
class Response:
    """From the module. With `communication_error` it did not understand the request, nor execute it."""

    status: Status
    register: int
    data: bytes
    communication_error: bool = False

    def encode(self) -> bytes:
        """The frame."""
        flags = (_COMMUNICATION_ERROR if self.communication_error else 0) | _ALWAYS | self.status
        frame = bytes([flags, self.register]) + self.data
        return bytes([bip4(frame) << 4 | flags]) + frame[1:]

    @classmethod
    def decode(cls, frame: bytes) -> Response:
        """The response in four bytes. Raises `BadFrame` for a wrong checksum.

        Bit 2 of the first byte is said to be 1 always; one source only, so that it is not looked at.
        """
        _check(frame)
        return cls(Status(frame[0] & 0x03), frame[1], frame[2:], bool(frame[0] & _COMMUNICATION_ERROR))

    @property
    def unsigned(self) -> int:
        """The data as a number."""
        return int.from_bytes(self.data, "big")

    @property
    def signed(self) -> int:
        """The data as a number with a sign."""
        return int.from_bytes(self.data, "big", signed=True)


def _check(frame: bytes) -> None:
    if len(frame) != FRAME_SIZE:
        raise BadFrame(f"a frame has {FRAME_SIZE} bytes, not {len(frame)}", frame)
    if bip4(frame) != frame[0] >> 4:
        raise BadFrame(f"the checksum of {frame.hex(' ')} is wrong", frame)
