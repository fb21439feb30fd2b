"""Values in a description: builtin ones as they are, others when somebody asks for them."""

from __future__ import annotations

import sys
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pytest

from pyrolab.errors import ProtocolError
from pyrolab.protocol import codec
from pyrolab.protocol.shown_values import ValueText, shown, travels, value_from_data, value_to_data
from values.samples import Mode, Reading, Span


class Mute:
    def __repr__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize("value", [None, True, 5, 2.5, "text", b"x", (1, (2, "a")), [1], {"a": {1}}, ..., 1j])
def test_builtin_values_travel_as_they_are(value: Any) -> None:
    assert value_to_data(value) == [value]
    assert value_from_data([value]) == value


@pytest.mark.parametrize(
    "value",
    [np.float64(1.5), np.arange(3), Mode.SWEEP, Reading(1, "V"), Span(1, 2), PurePosixPath("/x")],
    ids=repr,
)
def test_other_values_are_packed_beside_their_text(value: Any) -> None:
    data = value_to_data(value)
    assert data[:2] == [None, repr(value)]
    assert codec.decode_plain(codec.encode(data)[0]) == data
    found = value_from_data(data)
    assert type(found) is type(value)
    assert np.all(found == value)


@pytest.mark.parametrize(
    "value", [object(), print, "x" * 5000, np.zeros(5000), [[[[[[[[[[1]]]]]]]]]], Mute()]
)
def test_what_cannot_travel_is_shown(value: Any) -> None:
    assert not travels(value)
    assert value_from_data(value_to_data(value)) == ValueText(shown(value))


def test_a_value_of_an_unknown_class_reads_like_the_original(monkeypatch: pytest.MonkeyPatch) -> None:
    data = [value_to_data(each) for each in (Mode.SWEEP, Reading(1, "V"), Span(1, 2))]
    monkeypatch.delitem(sys.modules, "values.samples")
    texts = ["<Mode.SWEEP: 'sweep'>", "Reading(value=1, unit='V', tags=())", "Span(low=1, high=2)"]
    assert [repr(value_from_data(each)) for each in data] == texts


def test_texts_are_short_and_never_fail() -> None:
    assert shown(Mute()) == "<Mute>"
    assert shown([1] * 5000).endswith("…")
    assert len({ValueText("x"), ValueText("x")}) == 1
    assert ValueText("x") != "x"


@pytest.mark.parametrize("data", [[], [1, 2, 3, 4], 5, "x", [None, "x", "y"], [None, "x", b"\xc1"], {}])
def test_nonsense_is_refused(data: Any) -> None:
    with pytest.raises(ProtocolError):
        value_from_data(data)
