"""Classes that say for themselves how they travel."""

from __future__ import annotations

import copy
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import msgpack
import pytest

from pyrolab.errors import ProtocolError, SerializeError
from pyrolab.protocol import codes, converted
from pyrolab.protocol.classes import MAX_CLASS_NAME_CHARS
from pyrolab.protocol.codec import CODEC, Codec, decode, encode
from pyrolab.protocol.converted import DictRecord
from pyrolab.protocol.records import Record


class Valve:
    def __init__(self, number: int, spare: Any = None) -> None:
        self.number = number
        self.spare = spare


class SafetyValve(Valve):
    pass


class Slotted:
    __slots__ = ("bar", "unset")

    def __init__(self, bar: float) -> None:
        self.bar = bar


class Stateful:
    def __init__(self) -> None:
        self.handle = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {"port": "COM3"}


@dataclass
class Reading:
    volts: float


VALVE = f"{__name__}.Valve"


@pytest.fixture(autouse=True)
def tables(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Empty tables of converters, and a codec that has met no class of this file."""
    monkeypatch.setattr(converted, "_to_dict", {})
    monkeypatch.setattr(converted, "_from_dict", {})
    yield
    for kind in [each for each in CODEC.packing if each.__module__ in (__name__, "datetime")]:
        del CODEC.packing[kind]


def number_of(valve: Valve) -> dict[str, Any]:
    return {"__class__": "lab-valve", "the number": valve.number}


def valve_of(name: str, attributes: dict[str, Any]) -> Valve:
    assert name == attributes["__class__"] == "lab-valve"
    return Valve(attributes["the number"])


def test_both_converters_bring_an_instance_across() -> None:
    converted.register_class(Valve, number_of)
    converted.register_name("lab-valve", valve_of)
    arrived = decode(*encode([Valve(3), {"spare": Valve(4)}]))
    assert [type(arrived[0]), arrived[0].number, arrived[1]["spare"].number] == [Valve, 3, 4]


def test_without_a_converter_there_it_is_a_record_that_can_be_passed_on() -> None:
    converted.register_class(Valve, number_of)
    body, buffers = encode(Valve(3))
    arrived = decode(body, buffers)
    assert type(arrived) is DictRecord
    assert isinstance(arrived, Record)
    assert (arrived.type_name, arrived["the number"]) == ("lab-valve", 3)
    assert arrived == copy.deepcopy(arrived)
    assert arrived != Record(arrived.type_name, arrived.fields)
    assert encode(arrived) == (body, buffers)


def test_nothing_travels_of_which_nobody_has_said_so() -> None:
    with pytest.raises(SerializeError, match=r"register_class_to_dict") as caught:
        encode({"a": [Valve(1)]})
    assert caught.value.path == "value['a'][0]"


def test_without_a_function_the_attributes_travel_under_the_name_of_the_class() -> None:
    converted.register_class(Valve)
    arrived = decode(*encode(Valve(3, SafetyValve(4))))
    assert arrived.type_name == VALVE
    assert arrived.fields == {
        "number": 3,
        "spare": DictRecord(f"{__name__}.SafetyValve", {"number": 4, "spare": None}),
    }


def test_attributes_are_those_in_slots_too_or_what_getstate_returns() -> None:
    assert converted.attributes_of(Slotted(1.5)) == {"bar": 1.5}
    assert converted.attributes_of(Stateful()) == {"port": "COM3"}
    assert converted.attributes_of(Valve(1)) == {"number": 1, "spare": None}


def test_a_name_that_is_registered_here_lets_its_class_be_sent_from_here() -> None:
    converted.register_name(VALVE, lambda name, attributes: ("made", attributes["number"]))
    assert decode(*encode(Valve(3))) == ("made", 3)
    with pytest.raises(SerializeError):
        encode(SafetyValve(3))
    converted.unregister_name(VALVE)
    with pytest.raises(SerializeError):
        encode(Valve(3))


def test_what_travels_anyway_is_not_changed_by_the_name_alone() -> None:
    converted.register_name(f"{__name__}.Reading", lambda name, attributes: "converted")
    assert decode(*encode(Reading(1.5))) == Reading(1.5)


def test_what_a_class_says_goes_before_what_travels_anyway_even_after_it_has_travelled() -> None:
    assert decode(*encode([Reading(1.5), date(2026, 1, 2)])) == [Reading(1.5), date(2026, 1, 2)]
    converted.register_class(Reading, lambda reading: {"__class__": "volts", "value": reading.volts})
    converted.register_class(date, lambda day: {"__class__": "day", "text": day.isoformat()})
    arrived = decode(*encode([Reading(1.5), date(2026, 1, 2)]))
    assert [(each.type_name, *each.fields.values()) for each in arrived] == [
        ("volts", 1.5),
        ("day", "2026-01-02"),
    ]
    converted.unregister_class(Reading)
    assert decode(*encode(Reading(1.5))) == Reading(1.5)


def test_a_codec_of_a_daemon_knows_the_classes_too() -> None:
    converted.register_class(Valve, number_of)
    assert decode(*Codec(CODEC).encode(Valve(3)))["the number"] == 3


def test_the_nearest_registered_class_counts() -> None:
    converted.register_class(Valve, lambda valve: {"__class__": "valve"})
    converted.register_class(SafetyValve, lambda valve: {"__class__": "safety"})
    assert [each.type_name for each in decode(*encode([Valve(1), SafetyValve(1)]))] == ["valve", "safety"]


def test_an_instance_that_holds_itself_is_refused() -> None:
    converted.register_class(Valve)
    valve = Valve(1)
    valve.spare = valve
    with pytest.raises(SerializeError, match="deeper"):
        encode(valve)


@pytest.mark.parametrize(
    ("made", "match"),
    [
        (None, "must return a dict"),
        ([("a", 1)], "must return a dict"),
        ({1: 2}, "names as keys"),
        ({"__class__": 5}, "no name of a class"),
        ({"__class__": ""}, "no name of a class"),
        ({"__class__": "x" * (MAX_CLASS_NAME_CHARS + 1)}, "no name of a class"),
        ({"lock": threading.Lock()}, "lock cannot travel"),
    ],
    ids=str,
)
def test_a_converter_that_returns_something_else_is_told(made: Any, match: str) -> None:
    converted.register_class(Valve, lambda valve: made)
    with pytest.raises(SerializeError, match=match):
        encode(Valve(1))


def test_only_classes_and_names_can_be_registered() -> None:
    with pytest.raises(TypeError, match="class itself"):
        converted.register_class(Valve(1))  # type: ignore[arg-type]
    with pytest.raises(ProtocolError):
        converted.register_name("", valve_of)


def body_of(payload: Any) -> bytes:
    packed: Any = msgpack.packb(msgpack.ExtType(codes.DICT, msgpack.packb(payload)))
    return bytes(packed)


@pytest.mark.parametrize(
    "payload",
    [
        None,
        [],
        ["a"],
        ["a", {}, 1],
        [1, {}],
        ["", {}],
        ["x" * (MAX_CLASS_NAME_CHARS + 1), {}],
        ["a", []],
        ["a", {1: 2}],
        {"a": {}},
    ],
    ids=lambda value: repr(value)[:30],
)
def test_other_payloads_are_refused(payload: Any) -> None:
    with pytest.raises(ProtocolError):
        decode(body_of(payload))


def test_a_peer_cannot_name_another_class_in_the_attributes() -> None:
    seen: list[Any] = []
    converted.register_name("lab-valve", lambda name, attributes: seen.append((name, attributes)))
    decode(body_of(["lab-valve", {"__class__": "os.system", "a": 1}]))
    assert seen == [("lab-valve", {"__class__": "lab-valve", "a": 1})]


def test_a_name_from_a_peer_reaches_nothing_but_the_table() -> None:
    before = set(sys.modules)
    for name in ("this.Zen", "antigravity", VALVE, "builtins.print", "os.system", "__class__"):
        assert type(decode(body_of([name, {"number": 1}]))) is DictRecord
    assert set(sys.modules) == before


def test_a_converter_that_fails_is_named() -> None:
    converted.register_name("lab-valve", valve_of)
    with pytest.raises(ProtocolError, match="'lab-valve' failed with KeyError") as caught:
        decode(body_of(["lab-valve", {"no": 1}]))
    assert isinstance(caught.value.__cause__, KeyError)


def test_a_process_that_passes_values_on_takes_none() -> None:
    with pytest.raises(ProtocolError):
        decode(body_of(["lab-valve", {}]), plain=True)
