"""Dataclasses, namedtuples and Enum members, where their class is known and where it is not."""

from __future__ import annotations

import copy
import sys
import types
from typing import Any, ClassVar

import msgpack
import numpy as np
import pytest

from pyrolab.errors import ProtocolError
from pyrolab.protocol import codes
from pyrolab.protocol.codec import decode, encode
from pyrolab.protocol.records import EnumRecord, Record, TupleRecord
from values import samples
from values.same import same
from values.samples import Alarm, Bits, Careful, Channel, Legacy, Mode, Outer, Pose, Reading, Span, Trap


def elsewhere(value: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`value` as it arrives in a process that has not imported its class."""
    body, buffers = encode(value)
    with monkeypatch.context() as patch:
        patch.delitem(sys.modules, samples.__name__)
        arrived = decode(body, buffers)
        assert encode(arrived) == (body, buffers), "what passes through must not change"
    return arrived


@pytest.mark.parametrize(
    "value",
    [
        Pose(1.5, 2),
        Reading((1, [2]), "V", ("a",)),
        Outer.Inner(3),
        Span(1, 2),
        Legacy("a", {"b": 1}),
        Mode.STEP,
        Mode.STEPWISE,
        Channel.B,
        Alarm.HOT | Alarm.LOUD,
        Alarm(0),
        Bits.LOW | Bits.HIGH,
        Bits(64),
        Bits(-1),
        samples.Label.RED,
        samples.Odd.THING,
        {Mode.SWEEP: {Channel.A}, Reading(1, "A"): Span(0, 1)},
    ],
    ids=repr,
)
def test_where_the_class_is_known_it_arrives_as_itself(value: Any) -> None:
    assert same(decode(*encode(value)), value)


def test_an_enum_member_is_the_same_object() -> None:
    assert decode(*encode(Mode.STEPWISE)) is Mode.STEP


def test_no_constructor_runs_on_arrival() -> None:
    sent = Careful(3.0)
    assert sent.power == 9.0  # the cached property stays behind
    arrived = decode(*encode(sent))
    assert (arrived.volts, arrived.built) == (3.0, ["here"])
    assert "power" not in vars(arrived)
    assert arrived.power == 9.0


def test_a_dataclass_elsewhere_is_a_record(monkeypatch: pytest.MonkeyPatch) -> None:
    record = elsewhere(Pose(1.5, 2, "a"), monkeypatch)
    assert type(record) is Record
    assert (record.x_mm, record["y_mm"], record.fields["name"]) == (1.5, 2, "a")
    assert record.type_name == "values.samples:Pose"
    assert repr(record) == "<values.samples:Pose x_mm=1.5, y_mm=2, name='a'>"
    assert record == elsewhere(Pose(1.5, 2, "a"), monkeypatch)
    assert record != elsewhere(Pose(1.5, 2, "b"), monkeypatch)
    assert hash(record) == hash(copy.deepcopy(record))
    assert "x_mm" in dir(record)
    with pytest.raises(AttributeError, match="x_mm"):
        _ = record.missing
    with pytest.raises(AttributeError, match="only be read"):
        record.x_mm = 3
    with pytest.raises(AttributeError, match="only be read"):
        del record.x_mm


def test_a_namedtuple_elsewhere_is_a_tuple_with_names(monkeypatch: pytest.MonkeyPatch) -> None:
    record = elsewhere(Span(1.5, 2), monkeypatch)
    assert type(record) is TupleRecord
    low, high = record
    assert (low, high, record[1], record.low, record.high, len(record)) == (1.5, 2, 2, 1.5, 2, 2)
    assert record == (1.5, 2)
    assert record._asdict() == {"low": 1.5, "high": 2}
    assert repr(record) == "<values.samples:Span low=1.5, high=2>"
    assert copy.deepcopy(record) == record
    with pytest.raises(AttributeError, match="low"):
        _ = record.missing
    with pytest.raises(AttributeError, match="only be read"):
        record.low = 3


def test_an_enum_member_elsewhere_keeps_its_name_and_value(monkeypatch: pytest.MonkeyPatch) -> None:
    record = elsewhere({Mode.STEP: Channel.B}, monkeypatch)
    [(mode, channel)] = record.items()
    assert mode == EnumRecord("values.samples:Mode", "STEP", ("step", 2))
    assert (channel.name, channel.value, channel.type_name) == ("B", 2, "values.samples:Channel")
    assert repr(mode) == "<values.samples:Mode.STEP: ('step', 2)>"


def test_records_within_records_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    record = elsewhere([Reading(Pose(1, np.zeros(1000)), "V"), Span(Mode.SWEEP, 1)], monkeypatch)  # type: ignore[arg-type]
    assert record[0].value.y_mm.shape == (1000,)
    assert record[1].low.name == "SWEEP"


def record_body(code: int, payload: Any) -> bytes:
    packed: Any = msgpack.packb(msgpack.ExtType(code, msgpack.packb(payload)))
    return bytes(packed)


@pytest.mark.parametrize(
    ("code", "payload"),
    [
        (codes.RECORD, ["values.samples:Pose", {"x_mm": 1}]),
        (codes.RECORD, ["values.samples:Pose", {"x_mm": 1, "y_mm": 2, "name": "", "__class__": 3}]),
        (codes.RECORD, ["values.samples:Span", {"low": 1, "high": 2}]),
        (codes.RECORD, ["values.samples:InstrumentError", {}]),
        (codes.RECORD, ["values.samples:Outer", {}]),
        (codes.RECORD, ["values.samples:", {}]),
        (codes.RECORD, ["values.samples:Outer.Missing", {}]),
        (codes.RECORD, ["values.samples:dropped", {}]),
        (codes.RECORD, ["values.samples:dropped.append", {}]),
        (codes.RECORD, ["builtins:object", {}]),
        (codes.RECORD, ["os:system", {}]),
        (codes.RECORD, ["os", {}]),
        (codes.RECORD, [":", {}]),
        (codes.NAMED_TUPLE, ["values.samples:Span", {"high": 1, "low": 2}]),
        (codes.NAMED_TUPLE, ["values.samples:Pose", {"x_mm": 1, "y_mm": 2, "name": ""}]),
        (codes.NAMED_TUPLE, ["builtins:tuple", {}]),
        (codes.ENUM, ["values.samples:Mode", "NEW", 1]),
        (codes.ENUM, ["values.samples:Alarm", None, 64]),
        (codes.ENUM, ["values.samples:Alarm", None, "HOT"]),
        (codes.ENUM, ["values.samples:Bits", None, 1 << 70]),
        (codes.ENUM, ["values.samples:Pose", "name", 1]),
    ],
    ids=str,
)
def test_what_does_not_fit_the_class_here_is_a_stand_in(code: int, payload: Any) -> None:
    if payload[-1] == 1 << 70:
        payload[-1] = "1180591620717411303424"
    assert type(decode(record_body(code, payload))) in (Record, TupleRecord, EnumRecord)


def test_a_class_that_acts_when_dropped_is_never_made() -> None:
    trap = Trap("/precious")
    arrived = decode(*encode(trap))
    assert type(arrived) is Record
    trap.path = "mine"
    del trap, arrived
    assert samples.dropped == ["mine"]


class LazyModule(types.ModuleType):
    touched: ClassVar[list[str]] = []

    def __getattribute__(self, name: str) -> Any:
        LazyModule.touched.append(name)
        return super().__getattribute__(name)


def test_looking_for_a_class_imports_nothing_and_runs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    lazy = LazyModule("lazy_lab")
    pep562 = types.ModuleType("polite_lab")
    asked: list[str] = []
    vars(pep562)["__getattr__"] = asked.append
    monkeypatch.setitem(sys.modules, "lazy_lab", lazy)
    monkeypatch.setitem(sys.modules, "polite_lab", pep562)
    LazyModule.touched.clear()
    before = set(sys.modules)
    for name in ("lazy_lab:Device", "polite_lab:Device", "this:Zen", "antigravity:Device", "xml.sax:handler"):
        assert type(decode(record_body(codes.RECORD, [name, {"a": 1}]))) is Record
    assert set(sys.modules) == before
    assert asked == []
    assert LazyModule.touched == []


def test_a_record_of_something_unhashable_is_no_key() -> None:
    body = record_body(codes.RECORD, ["a:B", {"x": []}])
    with pytest.raises(ProtocolError):
        decode(b"\x81" + body + b"\x01")


def test_many_classes_made_on_the_fly_do_not_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import make_dataclass

    from pyrolab.protocol import codec

    mine = codec.Codec()
    for number in range(codec._KNOWN_TYPES + 50):
        mine.encode(make_dataclass(f"Made{number}", ["x"])(1))
    assert len(mine.packing) <= codec._KNOWN_TYPES
    assert mine.decode(*mine.encode((1, {2}))) == (1, {2})
