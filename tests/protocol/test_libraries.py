"""Tables of pandas and quantities of pint, with and without these libraries."""

from __future__ import annotations

import subprocess
import sys
import zoneinfo
from typing import Any

import numpy as np
import pandas as pd
import pint
import pytest

from pyrolab.errors import ProtocolError, SerializeError
from pyrolab.protocol import codes
from pyrolab.protocol.codec import decode, encode
from pyrolab.protocol.foreign import Foreign

UREG: Any = pint.get_application_registry()  # type: ignore[no-untyped-call]
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")


def round_trip(value: Any) -> Any:
    return decode(*encode(value))


def without(library: str, value: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`value` as it arrives where `library` is not installed."""
    body, buffers = encode(value)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, library, None)
        arrived = decode(body, buffers)
        assert encode(arrived) == (body, buffers), "what passes through must not change"
    return arrived


def measured() -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "counts": [1, 2, 3],
            "volts": [0.5, np.nan, 1e-9],
            "name": ["a", None, "c"],
            "kind": pd.Categorical(["u", "v", None], categories=["v", "u"], ordered=True),
            "when": pd.to_datetime(["2026-01-01", "2026-02-02", None]),
            "where": pd.to_datetime(["2026-01-01", "2026-10-25", None]).tz_localize(BERLIN),
            "maybe": pd.array([1, None, 3], dtype="Int64"),
            "perhaps": pd.array([True, None, False], dtype="boolean"),
            "level": pd.array([0.5, None, 1.5], dtype="Float64"),
            "mixed": [[1], (2,), pd.NaT],
            "ok": [True, False, True],
            "delta": pd.to_timedelta(["1s", None, "2h"]),
            "single": np.array([1, 2, 3], "<f4"),
            "text": pd.array(["x", None, "z"], dtype="string"),
        },
        index=pd.Index([5, 6, 7], name="run"),
    )
    frame.attrs["operator"] = ("Ada", 1)
    return frame


@pytest.mark.parametrize(
    "sent",
    [
        measured(),
        pd.DataFrame(),
        pd.DataFrame(index=range(3)),
        pd.DataFrame([[1, 2]], columns=["same", "same"]),
        pd.DataFrame({("a", "b"): [1], ("a", "c"): ["x"]}),
        pd.DataFrame({"empty": []}),
        pd.DataFrame(np.arange(20_000.0).reshape(-1, 4)),
    ],
    ids=lambda frame: str(frame.shape),
)
def test_frames(sent: pd.DataFrame) -> None:
    arrived = round_trip(sent)
    pd.testing.assert_frame_equal(arrived, sent)
    assert arrived.attrs == sent.attrs
    if arrived.size:
        arrived.iloc[0, 0] = arrived.iloc[0, 0]  # it can be written to


@pytest.mark.parametrize(
    "sent",
    [
        pd.Series([1.0, 2.0], name="q"),
        pd.Series([], dtype=object),
        pd.Series(["a"], index=pd.date_range("2026", periods=1), name=("a", 1)),
    ],
)
def test_series(sent: Any) -> None:
    pd.testing.assert_series_equal(round_trip(sent), sent)


@pytest.mark.parametrize(
    "sent",
    [
        pd.RangeIndex(3, name="i"),
        pd.MultiIndex.from_product([[1, 2], ["a", "b"]], names=["p", None]),
        pd.date_range("2026", periods=5, tz="UTC"),
        pd.date_range("2026", periods=5, freq="7h"),
        pd.timedelta_range("1s", periods=3),
        pd.CategoricalIndex(["a", "b"]),
        pd.Index(["a", "b"], name="n"),
        pd.Index([1.5]),
        pd.Index([(1,), None], dtype=object, tupleize_cols=False),
    ],
    ids=lambda index: type(index).__name__,
)
def test_indexes(sent: Any) -> None:
    arrived = round_trip(sent)
    pd.testing.assert_index_equal(arrived, sent, exact=True)
    assert getattr(arrived, "freq", None) == getattr(sent, "freq", None)


@pytest.mark.parametrize(
    "sent",
    [
        pd.Timestamp("2026-01-01 12:00:00.000000001"),
        pd.Timestamp("2026-10-25 00:30", tz="UTC").tz_convert(BERLIN),
        pd.Timestamp("2026-10-25 01:30", tz="UTC").tz_convert(BERLIN),
        pd.Timedelta("3s"),
        pd.NaT,
        pd.NA,
    ],
    ids=str,
)
def test_moments_of_pandas(sent: Any) -> None:
    arrived = round_trip([sent])[0]
    assert type(arrived) is type(sent)
    assert arrived is sent or (arrived == sent and arrived.unit == sent.unit)
    assert getattr(arrived, "fold", 0) == getattr(sent, "fold", 0)


def test_columns_that_cannot_travel_are_refused() -> None:
    periods = pd.DataFrame({"p": pd.period_range("2026", periods=2, freq="D")})
    with pytest.raises(SerializeError, match=r"value\[0\]: a column of dtype period\[D\] .* astype"):
        encode([periods])


def test_a_table_without_pandas_is_a_stand_in_that_can_be_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    arrived = without("pandas", {"t": measured()}, monkeypatch)["t"]
    assert type(arrived) is Foreign
    assert (arrived.type_name, arrived.library) == ("pandas:DataFrame", "pandas")


SPEED = UREG.Quantity(3.0, "km/s**2")


@pytest.mark.parametrize(
    "sent",
    [
        SPEED,
        UREG.Quantity(np.arange(2000.0), "degC"),
        UREG.Quantity(1, ""),
        UREG.Quantity(2, "m**0.5"),
        UREG.Quantity(2, "delta_degC/mA"),
        UREG.Unit("nm"),
    ],
    ids=str,
)
def test_quantities(sent: Any) -> None:
    arrived = round_trip(sent)
    assert type(arrived) is type(sent)
    assert np.all(arrived == sent)
    if isinstance(sent, UREG.Quantity):
        assert type(arrived.magnitude) is type(sent.magnitude)
        assert arrived.units == sent.units


def test_a_quantity_without_pint_is_a_stand_in_that_can_be_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    arrived = without("pint", SPEED, monkeypatch)
    assert arrived.type_name == "pint:Quantity"
    assert arrived.data == ["Quantity", {"kilometer": 1, "second": -2}, 3.0]


def quantity_body(payload: Any) -> bytes:
    packed, _ = encode(tuple(payload))
    return packed.replace(bytes([codes.TUPLE]), bytes([codes.QUANTITY]), 1)


@pytest.mark.parametrize("units", [{"flooz": 1}, {"km": 1}], ids=str)
def test_units_that_the_registry_does_not_know_by_this_name_make_a_stand_in(units: Any) -> None:
    assert type(decode(quantity_body(["Quantity", units, 1]))) is Foreign


@pytest.mark.parametrize(
    "payload",
    [
        ["Quantity", {"meter ** 9": 1}, 1],
        ["Quantity", {"meter": "9**9"}, 1],
        ["Quantity", {"__class__()": 1}, 1],
        ["Quantity", {"meter": 1}],
        ["Unit", {"meter": 1}, 1],
        ["Thing", {"meter": 1}, 1],
        ["Quantity", [], 1],
        [],
    ],
    ids=str,
)
def test_units_that_are_no_names_are_refused(payload: Any) -> None:
    with pytest.raises(ProtocolError):
        decode(quantity_body(payload))


SCRIPT = """
import sys
import zoneinfo
from pyrolab.protocol.codec import decode
for line in sys.stdin:
    print(type(decode(bytes.fromhex(line.strip()))).__module__)
"""


def test_where_the_libraries_are_installed_they_are_loaded_when_needed() -> None:
    bodies = [encode(each)[0].hex() for each in (pd.Series([1]), SPEED, np.float32(1))]
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT], input="\n".join(bodies), capture_output=True, text=True, check=True
    )
    assert [line.partition(".")[0] for line in ran.stdout.split()] == ["pandas", "pint", "numpy"]


def test_zones_as_pandas_itself_makes_them_of_names_arrive_as_the_same_instants() -> None:
    sent = pd.Series(pd.to_datetime(["2026-01-01", "2026-10-25"]).tz_localize("Europe/Berlin"))
    arrived = round_trip(sent)
    assert str(arrived.dt.tz) == "Europe/Berlin"
    assert (arrived == sent).all()
