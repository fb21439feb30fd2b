"""Dates and times, exact numbers, identifiers and paths of the standard library."""

from __future__ import annotations

import datetime as dt
import os
import re
import struct
import zoneinfo
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from pathlib import Path, PosixPath, PurePosixPath, PureWindowsPath, WindowsPath
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pyrolab.errors import ProtocolError, SerializeError
from pyrolab.protocol import codes
from pyrolab.protocol.codes import extension

if TYPE_CHECKING:
    from msgpack import ExtType

    from pyrolab.protocol.codec import Decoder, Encoder, Packing, Unpacking

_DURATION = struct.Struct(">iii")
_ZONE_KEY = re.compile(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+)*")
#: Bits of a fraction's parts: to check that a fraction is reduced takes time that grows faster than its size.
MAX_FRACTION_BITS = 1 << 16
_MICROSECOND = dt.timedelta(microseconds=1)


class UnknownZone(dt.tzinfo):
    """A time zone that this computer has no rules for; `offset` held at the moment that came with it."""

    __slots__ = ("key", "offset")

    def __init__(self, key: str, offset: dt.timedelta | None = None) -> None:
        self.key = key
        self.offset = offset

    def utcoffset(self, when: dt.datetime | None) -> dt.timedelta | None:
        """The one known offset."""
        return self.offset

    def dst(self, when: dt.datetime | None) -> dt.timedelta | None:
        """Unknown."""
        return None

    def tzname(self, when: dt.datetime | None) -> str:
        """The key."""
        return self.key

    def __repr__(self) -> str:
        return f"UnknownZone({self.key!r}, {self.offset!r})"

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, UnknownZone) and (self.key, self.offset) == (other.key, other.offset)

    def __hash__(self) -> int:
        return hash((self.key, self.offset))


def zone(key: str, offset: dt.timedelta | None = None) -> dt.tzinfo:
    """The zone of a key from a peer; only listed ones reach `zoneinfo`, which opens files by them."""
    if len(key) > 255 or not _ZONE_KEY.fullmatch(key):
        raise ProtocolError(f"{key!r:.60} is no name of a time zone")
    return zoneinfo.ZoneInfo(key) if key in _zone_keys() else UnknownZone(key, offset)


@lru_cache(maxsize=1)
def _zone_keys() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def _pack_zone(encoder: Encoder, value: zoneinfo.ZoneInfo | UnknownZone) -> ExtType:
    if not value.key:
        raise SerializeError("a time zone without a key cannot travel; make it with ZoneInfo('Area/City')")
    return extension(codes.ZONE, value.key.encode())


def _unpack_zone(decoder: Decoder, payload: bytes) -> dt.tzinfo:
    return zone(payload.decode())


def _pack_timezone(encoder: Encoder, value: dt.timezone) -> ExtType:
    offset = value.utcoffset(None)
    parts: list[Any] = [offset // _MICROSECOND]
    if value.tzname(None) != dt.timezone(offset).tzname(None):
        parts.append(value.tzname(None))
    return encoder.extend(codes.TIMEZONE, parts)


def _unpack_timezone(decoder: Decoder, payload: bytes) -> dt.timezone:
    offset, *name = decoder.items(payload)
    return dt.timezone(dt.timedelta(microseconds=offset), *name)


def _pack_moment(code: int) -> Packing:
    """Text with the offset; then, where the text is not all, the zone and the fold."""

    def pack(encoder: Encoder, value: dt.datetime | dt.time) -> ExtType:
        parts: list[Any] = [value.isoformat()]
        plain_zone = value.tzinfo is None or _is_plain(value.tzinfo)
        if not plain_zone or value.fold:
            parts.append(None if plain_zone else value.tzinfo)
        if value.fold:
            parts.append(value.fold)
        return encoder.extend(code, parts)

    return pack


def _is_plain(tzinfo: dt.tzinfo) -> bool:
    """Whether the offset in the text says all of it; Python 3.10 misreads parts of a second."""
    if type(tzinfo) is not dt.timezone:
        return False
    offset = tzinfo.utcoffset(None)
    return not offset.microseconds and tzinfo.tzname(None) == dt.timezone(offset).tzname(None)


def _unpack_moment(decoder: Decoder, payload: bytes, kind: type[dt.datetime] | type[dt.time]) -> Any:
    parts = decoder.items(payload)
    text, where, fold = parts + [None] * (3 - len(parts))
    value = kind.fromisoformat(text)
    if isinstance(where, UnknownZone):
        where = UnknownZone(where.key, value.utcoffset())
    return value.replace(tzinfo=where or value.tzinfo, fold=fold or 0)


def _unpack_datetime(decoder: Decoder, payload: bytes) -> dt.datetime:
    moment: dt.datetime = _unpack_moment(decoder, payload, dt.datetime)
    return moment


def _unpack_time(decoder: Decoder, payload: bytes) -> dt.time:
    moment: dt.time = _unpack_moment(decoder, payload, dt.time)
    return moment


def _pack_duration(encoder: Encoder, value: dt.timedelta) -> ExtType:
    return extension(codes.TIMEDELTA, _DURATION.pack(value.days, value.seconds, value.microseconds))


def _unpack_duration(decoder: Decoder, payload: bytes) -> dt.timedelta:
    return dt.timedelta(*_DURATION.unpack(payload))


def _pack_fraction(encoder: Encoder, value: Fraction) -> ExtType:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_FRACTION_BITS:
        raise SerializeError(
            f"a fraction of more than {MAX_FRACTION_BITS} bits cannot travel; send its two integers"
        )
    return encoder.extend(codes.FRACTION, [value.numerator, value.denominator])


def _unpack_fraction(decoder: Decoder, payload: bytes) -> Fraction:
    numerator, denominator = decoder.items(payload)
    if not type(numerator) is type(denominator) is int:
        raise ProtocolError("the parts of a fraction are integers")
    if max(numerator.bit_length(), denominator.bit_length()) > MAX_FRACTION_BITS:
        raise ProtocolError(f"a fraction of more than {MAX_FRACTION_BITS} bits")
    return Fraction(numerator, denominator)


#: First byte of a path's payload: which flavour, and capital if it is more than a name (a concrete path).
_FLAVOURS: dict[type, bytes] = {
    PurePosixPath: b"p",
    PosixPath: b"P",
    PureWindowsPath: b"w",
    WindowsPath: b"W",
}
#: A concrete path of the other system is still a path, but one that cannot be opened here.
_PATHS: dict[bytes, type[PurePosixPath | PureWindowsPath]] = {
    b"p": PurePosixPath,
    b"P": PurePosixPath if os.name == "nt" else PosixPath,
    b"w": PureWindowsPath,
    b"W": WindowsPath if os.name == "nt" else PureWindowsPath,
}


def _pack_path(encoder: Encoder, value: Path) -> ExtType:
    return extension(codes.PATH, _FLAVOURS[type(value)] + str(value).encode("utf-8", "surrogatepass"))


def _unpack_path(decoder: Decoder, payload: bytes) -> PurePosixPath | PureWindowsPath:
    return _PATHS[payload[:1]](payload[1:].decode("utf-8", "surrogatepass"))


def _unpack_decimal(decoder: Decoder, payload: bytes) -> Decimal:
    return Decimal(payload.decode("ascii"))


PACKING: dict[type, Packing] = {
    dt.date: lambda encoder, value: extension(codes.DATE, value.isoformat().encode()),
    dt.datetime: _pack_moment(codes.DATETIME),
    dt.time: _pack_moment(codes.TIME),
    dt.timedelta: _pack_duration,
    dt.timezone: _pack_timezone,
    zoneinfo.ZoneInfo: _pack_zone,
    UnknownZone: _pack_zone,
    Decimal: lambda encoder, value: extension(codes.DECIMAL, str(value).encode()),
    Fraction: _pack_fraction,
    UUID: lambda encoder, value: extension(codes.UUID, value.bytes),
    **dict.fromkeys(_FLAVOURS, _pack_path),
}

UNPACKING: dict[int, Unpacking] = {
    codes.DATE: lambda decoder, payload: dt.date.fromisoformat(payload.decode("ascii")),
    codes.DATETIME: _unpack_datetime,
    codes.TIME: _unpack_time,
    codes.TIMEDELTA: _unpack_duration,
    codes.TIMEZONE: _unpack_timezone,
    codes.ZONE: _unpack_zone,
    codes.DECIMAL: _unpack_decimal,
    codes.FRACTION: _unpack_fraction,
    codes.UUID: lambda decoder, payload: UUID(bytes=payload),
    codes.PATH: _unpack_path,
}
