"""Blocks of bytes as IEEE 488.2 frames them (7.7.6 and 8.7.9: definite; 8.7.10: indefinite length)."""

from __future__ import annotations

from pyrolab_drivers.quantities import Seconds
from pyrolab_drivers.transports.errors import BadReply
from pyrolab_drivers.transports.transport import Transport

#: How large a block may be, unless told otherwise.
BLOCK_MOST = 1 << 30


def encode_block(data: bytes) -> bytes:
    """Return `data` as a block of definite length: `#`, the number of digits, the length, the bytes."""
    length = str(len(data)).encode("ascii")
    if len(length) > 9:
        raise ValueError(f"a block has at most 999999999 bytes, not {len(data)}")
    return b"#%d%s%s" % (len(length), length, data)


def read_block(
    transport: Transport, terminator: bytes, timeout_s: Seconds | None = None, most: int = BLOCK_MOST
) -> bytes:
    """Return the bytes of the block that comes next, and read the terminator that follows it.

    `timeout_s` (the transport's own if None) is for each step: the header, the bytes, the terminator. Takes
    `#42000…`, `#0…` (until the bus ends the message, or for buses that cannot, until silence after the
    terminator) and `#(1234567890)…`, which R&S uses above 999999999 bytes. Raises `BadReply` if it is not a
    block, or has more than `most` bytes, `ReplyTimeout` if less comes than was announced.
    """
    mark = transport.read_exactly(1, timeout_s)
    digits = transport.read_exactly(1, timeout_s) if mark == b"#" else b""
    if digits == b"0":
        return _indefinite(transport, terminator, timeout_s)
    if digits == b"(":
        length = transport.read_until(b")", timeout_s, 20)
    elif digits.isdigit():
        length = transport.read_exactly(int(digits), timeout_s)
    else:
        raise _bad(transport, f"{mark + digits!r} is not the beginning of a block, which is # and a digit")
    if not length.isdigit():
        raise _bad(transport, f"{length!r} is not the length of a block")
    if int(length) > most:
        raise _bad(transport, f"a block of {int(length)} bytes is more than the {most} that are allowed")
    data = transport.read_exactly(int(length), timeout_s)
    after = transport.read_until(terminator, timeout_s)
    if after.strip():
        raise _bad(transport, f"{after!r} follows a block of {int(length)} bytes, where nothing should")
    return data


def _indefinite(transport: Transport, terminator: bytes, timeout_s: Seconds | None) -> bytes:
    data = transport.read_until_quiet(timeout_s)
    if not data.endswith(terminator):
        raise _bad(transport, f"a block of indefinite length does not end with {terminator!r}")
    return data[: -len(terminator)]


def _bad(transport: Transport, what: str) -> BadReply:
    transport.doubt()
    return BadReply(f"{transport.name}: {what}")
