"""Messages as people read them: hexadecimal digits on the left, what they mean on the right."""

from __future__ import annotations

from collections.abc import Iterator

from pyrolab.protocol.envelope import HEADER_BYTES, NO_DEADLINE, Flag, Kind
from vectors.transcript import Message

#: The header's fields and their bytes, as the table in docs/protocol.md has them.
FIELDS = {
    "magic": 4,
    "version": 1,
    "kind": 1,
    "flags": 1,
    "buffers": 1,
    "session": 8,
    "call": 8,
    "stamp": 8,
    "budget_ms": 4,
    "number": 4,
    "token": 8,
}
_PER_LINE = 16
_LONGEST = 640
_DIGITS = 3 * _PER_LINE


def dump(message: Message) -> str:
    """All frames of a message; of a long buffer only the start."""
    lines = [f"{message.sender} → {message.receiver}: {message.about}"]
    lines += [f"frame 1, {len(message.header)} bytes", *_header_lines(message.header)]
    for number, frame in enumerate(message.frames, 2):
        lines += [f"frame {number}, {len(frame)} bytes", *_body_lines(frame)]
    return "\n".join(lines) + "\n"


def _header_lines(header: bytes) -> Iterator[str]:
    position = 0
    for name, size in FIELDS.items():
        field = header[position : position + size]
        yield _line(field, f"{name:9} {_meaning(name, field)}")
        position += size
    assert position == HEADER_BYTES
    target = header[position:]
    for start in range(0, len(target), _PER_LINE):
        piece = target[start : start + _PER_LINE]
        yield _line(piece, f"{'' if start else 'target':9} {piece.decode()}")


def _meaning(name: str, field: bytes) -> str:
    number = int.from_bytes(field, "big")
    match name:
        case "magic":
            return field.decode()
        case "kind":
            return f"{number} {Kind(number).name}"
        case "flags" if number:
            names = [key for key, bit in vars(Flag).items() if isinstance(bit, int) and number & bit]
            return f"{number} {'+'.join(names)}"
        case "session":
            return f"{number:016x}"
        case "budget_ms" if number == NO_DEADLINE:
            return "no deadline"
    return str(number)


def _body_lines(frame: bytes) -> Iterator[str]:
    shown = frame if len(frame) <= _LONGEST else frame[: 2 * _PER_LINE]
    for start in range(0, len(shown), _PER_LINE):
        piece = shown[start : start + _PER_LINE]
        yield _line(piece, "".join(chr(byte) if 32 <= byte < 127 else "·" for byte in piece))
    if len(shown) < len(frame):
        yield f"… {len(frame) - len(shown)} more bytes"


def _line(piece: bytes, meaning: str) -> str:
    return f"{piece.hex(' '):{_DIGITS}}  {meaning}".rstrip()
