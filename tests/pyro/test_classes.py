"""Pyro's names for what `tests/protocol/test_converted.py` tests, and the small marks beside them."""

from __future__ import annotations

from typing import Any

import pytest

from pyrolab.errors import SerializeError
from pyrolab.protocol import converted
from pyrolab.protocol.codec import decode, encode
from pyrolab.pyro import classes
from pyrolab.pyro.classes import SerializerBase
from pyrolab.pyro.marks import callback, is_callback
from pyrolab.pyro.metadata import type_meta


class Valve:
    def __init__(self, number: int) -> None:
        self.number = number


class SafetyValve(Valve):
    def report(self) -> None: ...

    @callback
    def closed(self) -> None: ...

    @classmethod
    def opened(cls) -> None: ...


@pytest.fixture(autouse=True)
def _tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(converted, "_to_dict", {})
    monkeypatch.setattr(converted, "_from_dict", {})


@pytest.mark.parametrize("names", [classes, SerializerBase])
def test_the_four_functions_fill_and_clear_the_tables(names: Any) -> None:
    names.register_class_to_dict(
        Valve, lambda valve: {"__class__": "valve", "n": valve.number}, serpent_too=False
    )
    assert decode(*encode(Valve(3))).n == 3
    names.register_dict_to_class("valve", lambda name, attributes: (name, attributes["n"]))
    assert decode(*encode(Valve(3))) == ("valve", 3)
    names.unregister_dict_to_class("valve")
    assert decode(*encode(Valve(3))).type_name == "valve"
    names.unregister_class_to_dict(Valve)
    with pytest.raises(SerializeError):
        encode(Valve(3))
    names.unregister_class_to_dict(Valve)
    names.unregister_dict_to_class("valve")


def test_type_meta_names_the_class_and_its_bases() -> None:
    expected = {f"class:{__name__}.Valve", f"class:{__name__}.SafetyValve"}
    assert type_meta(SafetyValve) == type_meta(SafetyValve(1)) == expected
    assert type_meta(Valve(1), prefix="is:") == {f"is:{__name__}.Valve"}
    assert type_meta(5) == set()


def test_the_callback_mark_is_seen_on_bound_and_unbound_methods() -> None:
    assert is_callback(SafetyValve.closed)
    assert is_callback(SafetyValve(1).closed)
    assert not is_callback(SafetyValve(1).report)
    callback(SafetyValve.opened)
    assert is_callback(SafetyValve.opened)
