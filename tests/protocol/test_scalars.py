"""Moments, exact numbers and paths where the two sides differ in what they know."""

from __future__ import annotations

import datetime as dt
import os
import zoneinfo
from decimal import Decimal
from fractions import Fraction
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import pytest

from pyrolab.errors import ProtocolError, SerializeError
from pyrolab.protocol import scalars
from pyrolab.protocol.codec import decode, encode
from pyrolab.protocol.scalars import UnknownZone
from values.same import same

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")


def round_trip(value: Any) -> Any:
    return decode(*encode(value))


@pytest.mark.parametrize(
    "value",
    [
        dt.datetime(2026, 11, 23, 12),
        dt.datetime(2026, 11, 23, 12, tzinfo=dt.timezone.utc),
        dt.datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN),
        dt.datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1),
        dt.datetime(2026, 10, 25, 2, 30, fold=1),
        dt.datetime(2026, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=1), "LAB")),
        dt.datetime(2026, 1, 1, tzinfo=dt.timezone(dt.timedelta(seconds=1, microseconds=1))),
        dt.time(12, tzinfo=BERLIN),
        dt.time(tzinfo=dt.timezone(dt.timedelta(microseconds=1))),
        dt.time(12, 30, 0, 5, tzinfo=dt.timezone.utc, fold=1),
        dt.timezone.utc,
        dt.timezone(dt.timedelta(hours=-3), "x"),
        dt.timedelta.min,
        dt.timedelta.max,
        BERLIN,
        Decimal("-0E-5"),
        Decimal("sNaN7"),
        Decimal("1E+999999"),
        Fraction(-1, 3),
        PurePosixPath("/a/b"),
        PureWindowsPath("C:\\a"),
        Path("a") / "b",
        Path(os.fsdecode(b"\xff")) if os.name == "posix" else Path("x"),
    ],
    ids=repr,
)
def test_edges(value: Any) -> None:
    assert same(round_trip(value), value)


def test_utc_is_the_one_utc() -> None:
    assert round_trip(dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc)).tzinfo is dt.timezone.utc


@pytest.fixture
def no_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """A computer without rules for any time zone."""
    monkeypatch.setattr(scalars, "_zone_keys", frozenset)


@pytest.mark.usefixtures("no_rules")
def test_a_moment_in_a_zone_without_rules_keeps_its_instant_and_its_key() -> None:
    sent = dt.datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1)
    body, _ = encode(sent)
    arrived = decode(body)
    assert arrived.utcoffset() == dt.timedelta(hours=1)
    assert arrived.tzinfo == UnknownZone("Europe/Berlin", dt.timedelta(hours=1))
    assert (arrived.tzname(), arrived.dst()) == ("Europe/Berlin", None)
    assert arrived.astimezone(dt.timezone.utc) == sent.astimezone(dt.timezone.utc)
    assert encode(arrived)[0] == body
    for other in (BERLIN, dt.time(12, tzinfo=BERLIN)):
        body, _ = encode(other)
        assert encode(decode(body))[0] == body


@pytest.mark.parametrize("key", ["Mars/Olympus", "tzdata", "zones", "posixrules"])
def test_a_key_without_rules_opens_and_imports_nothing(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: str) -> Any:
        raise AssertionError("zoneinfo was asked")

    monkeypatch.setattr(zoneinfo, "ZoneInfo", refuse)
    assert scalars.zone(key) == UnknownZone(key)


def test_a_concrete_path_of_the_other_system_arrives_as_a_name() -> None:
    foreign = b"\xd7\x0aWC:\\lab\\"
    assert round_trip(PureWindowsPath("C:/lab")) == PureWindowsPath("C:\\lab")
    expected = PureWindowsPath if os.name != "nt" else Path
    assert isinstance(decode(foreign), expected)
    assert str(decode(foreign)) == "C:\\lab"


def test_fractions_too_large_to_be_checked_are_refused_on_both_sides() -> None:
    with pytest.raises(SerializeError, match="two integers"):
        encode(Fraction(1 << scalars.MAX_FRACTION_BITS, 3))
    body, _ = encode((1 << scalars.MAX_FRACTION_BITS, 3))
    payload = body[4:]  # of the tuple: what a fraction would hold as well
    with pytest.raises(ProtocolError):
        decode(b"\xc8" + len(payload).to_bytes(2, "big") + b"\x28" + payload)
