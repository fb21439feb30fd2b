"""Which values fit into which columns, and that wider ones are found in few steps."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from pyrolab.recording.columns import UNFIT, Arrays, Json, Numbers, Text, column_for
from pyrolab.recording.layout import Layout

from .writing import Taken

EXACT = 1 << 53


@pytest.mark.parametrize(
    ("first", "fits", "unfit"),
    [
        (True, [False], [1, 0.5, "x", None]),
        (1, [0, -(1 << 63), (1 << 63) - 1], [1 << 63, True, 0.5, "1"]),
        (0.5, [1, 2.5, float("inf"), EXACT], [EXACT + 1, True, "x", 1j]),
        (1j, [2j], [1.0, "x"]),
        (np.uint16(5), [np.uint16(7)], [np.int16(7), 7]),
        ("abc", ["", "µ" * 16], ["µ" * 17, "x" * 33, b"abc", "a\0", 1]),
        ({"a": 1}, [[1], None, "x", {"b": "y" * 100}], ["x" * 300, np.zeros(3)]),
        (np.zeros((2, 3)), [np.ones((2, 3))], [np.zeros((3, 2)), np.zeros((2, 3), "f4"), 1.0]),
    ],
)
def test_what_fits_into_the_column_of_a_value(first: Any, fits: list[Any], unfit: list[Any]) -> None:
    column = column_for(first)
    assert all(column.cell(value) is not UNFIT for value in [first, *fits])
    assert [value for value in unfit if column.cell(value) is not UNFIT] == []


def test_the_kinds_of_columns() -> None:
    kinds = {True: Numbers, 2: Numbers, 1 << 70: Json, "x": Text, "x" * 5000: Json, None: Json}
    assert {value: type(column_for(value)) for value in kinds} == kinds
    assert isinstance(column_for(np.zeros(0)), Arrays)


def test_what_is_too_long_is_said() -> None:
    with pytest.raises(ValueError, match="publish it as an array"):
        column_for("x" * 70_000)


def layouts_of(*metadata: dict[str, Any]) -> list[Layout]:
    """The layouts that a series of frames needs, as a recording makes them."""
    made: list[Layout] = []
    for each in metadata:
        frame = Taken(1.5, 1, metadata=each)
        if not any(layout.row(frame) for layout in made):
            made.append(made[-1].widened(frame) if made else Layout.of(frame))
            assert made[-1].row(frame) is not None
    return made


def test_numbers_and_texts_have_columns() -> None:
    (layout,) = layouts_of({"a": 1, "b": 1.5, "c": True, "d": "x"}, {"a": 2, "b": 2, "c": False, "d": "yy"})
    assert list(layout.columns()) == ["metadata/a", "metadata/b", "metadata/c", "metadata/d"]


def test_integers_that_become_fractions_need_one_more_layout() -> None:
    assert len(layouts_of({"a": 1}, {"a": 1.5}, {"a": 2}, {"a": 2.5})) == 2


@pytest.mark.parametrize(
    "later", [{"b": 1}, {}, {"a": 1, "b": 1}, {"a": "x"}, {"a": None}, {"a": [1]}, {"a": 1 << 70}]
)
def test_other_keys_or_types_become_json_once(later: dict[str, Any]) -> None:
    layouts = layouts_of({"a": 1}, later, {"a": 2}, later, {"c": [1, 2]})
    assert len(layouts) == 2
    row = layouts[1].row(Taken(1.5, 1, metadata=later))
    assert row is not None
    assert json.loads(row.metadata[0]) == later


@pytest.mark.parametrize("name", ["a/b", "", ".", "a b", "x" * 200, "a\0"])
def test_names_that_files_may_not_like_are_kept_in_json(name: str) -> None:
    (layout,) = layouts_of({name: 1})
    assert list(layout.columns()) == ["metadata_json"]


def test_longer_and_longer_texts_need_few_layouts() -> None:
    assert len(layouts_of(*({"a": "x" * length} for length in range(0, 20_000, 50)))) < 16


def test_a_new_shape_keeps_the_columns_of_metadata() -> None:
    old = Layout.of(Taken(np.zeros((2, 3)), 1, metadata={"a": 1}))
    new = old.widened(Taken(np.zeros((4, 3)), 2, metadata={"a": 2}))
    assert (new.value.shape, new.metadata) == ((4, 3), old.metadata)


@pytest.mark.parametrize(
    ("value", "compressed", "wanted", "chunk", "at_once"),
    [
        (np.zeros((512, 512)), False, None, 1, 1),
        (np.zeros((512, 512)), False, 8, 8, 8),
        (np.zeros(1000), False, None, 32, 512),
        (np.zeros(1000), True, None, 1, 1),
        (1.5, False, None, 4096, 4096),
        (np.zeros(1 << 22), False, 1000, 32, 32),
    ],
)
def test_how_many_frames_are_stored_together(
    value: Any, compressed: bool, wanted: int | None, chunk: int, at_once: int
) -> None:
    layout = Layout.of(Taken(value, 1))
    found = layout.chunk_frames(wanted, compressed)
    assert (found, layout.frames_at_once(found)) == (chunk, at_once)
