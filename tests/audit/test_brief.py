"""Values in a few words: bounded, whatever they are, and nothing of theirs is run."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import pathlib
import subprocess
import sys
import uuid
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pint
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrolab.audit.brief import MAX_ALL_CHARS, brief, brief_arguments
from pyrolab.protocol.records import EnumRecord, Record, TupleRecord
from values.strategies import values


class Mode(enum.Enum):
    FAST = 1


class Level(enum.IntEnum):
    HIGH = 3


@dataclasses.dataclass
class Sweep:
    start_nm: float
    mode: Mode


class Point(NamedTuple):
    x: float
    y: float


class Hostile:
    """Runs for ever, or raises, wherever it is looked at."""

    def __repr__(self) -> str:
        raise AssertionError("nobody may ask")

    def __getattr__(self, name: str) -> Any:
        raise AssertionError("nobody may ask")

    __str__ = __len__ = __iter__ = __eq__ = __hash__ = __bool__ = __repr__  # type: ignore[assignment]


class HostileList(list[int]):
    __repr__ = __iter__ = __len__ = Hostile.__repr__  # type: ignore[assignment]


class HostileNumber(int):
    __repr__ = __str__ = __eq__ = __hash__ = Hostile.__repr__  # type: ignore[assignment]


class HostileText(str):
    __slots__ = ()
    __repr__ = __len__ = __getitem__ = Hostile.__repr__  # type: ignore[assignment]


SHOWN: list[tuple[Any, str]] = [
    (None, "None"),
    (True, "True"),
    (12.5, "12.5"),
    (float("nan"), "nan"),
    (-3, "-3"),
    (1 << 300, "<int of 301 bits>"),
    (1 + 2j, "(1+2j)"),
    ("fast", "'fast'"),
    ("x" * 100, "'" + "x" * 60 + "'+40 more"),
    ("\x1b[2J\n", r"'\x1b[2J\n'"),
    (b"\x00\xff", r"b'\x00\xff'"),
    (b"x" * 1000, "<1000 bytes>"),
    (bytearray(17), "<17 bytes>"),
    (memoryview(bytes(32)), "<32 bytes>"),
    ([1, (2, 3), {4}], "[1, (2, 3), {4}]"),
    ({"a": 1, 2: [3]}, "{'a': 1, 2: [3]}"),
    ({(1, 2): 3}, "{(...): 3}"),
    (list(range(10)), "[0, 1, 2, 3, 4, 5, 6, 7, +2 more]"),
    ([[[[1]]]], "[[[[...]]]]"),
    (dict.fromkeys(range(9), 0), "{0: 0, 1: 0, 2: 0, 3: 0, 4: 0, 5: 0, 6: 0, 7: 0, +1 more}"),
    (slice(1, None, 2), "slice(1, None, 2)"),
    (slice(Hostile()), "<slice>"),
    (..., "..."),
    (Mode.FAST, "Mode.FAST"),
    (Level.HIGH, "Level.HIGH"),
    (datetime.datetime(2026, 11, 24, 10), "2026-11-24 10:00:00"),
    (datetime.timedelta(seconds=1.5), "0:00:01.500000"),
    (decimal.Decimal("1.50"), "1.50"),
    (decimal.Decimal("1" * 5000), "<Decimal>"),
    (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    (pathlib.PurePosixPath("a/b"), "a/b"),
    (Sweep(1550.0, Mode.FAST), "Sweep(start_nm=1550.0, mode=Mode.FAST)"),
    (Point(1, 2), "Point(x=1, y=2)"),
    (Record("lab:Sweep", {"a": 1}), "Sweep(a=1)"),
    (TupleRecord("lab:Point", {"x": 1, "y": 2}), "(1, 2)"),
    (EnumRecord("lab:Mode", "FAST", 1), "EnumRecord(type_name='lab:Mode', name='FAST', value=1)"),
    (np.zeros((512, 640)), "<array 512x640 float64>"),
    (np.zeros(3, [("a", "i4"), ("b", "f8")]), "<array 3 void96>"),
    (np.array(1), "<array 0-d int64>"),
    (np.float32(1.5), "1.5"),
    (np.bool_(True), "True"),
    (np.datetime64("2026-11-24"), "2026-11-24"),
    (pd.DataFrame({"a": [1, 2]}), "<DataFrame 2x1>"),
    (pd.Series([1, 2]), "<Series 2>"),
    (pint.Quantity(12.5, "mm"), "12.5 millimeter"),
    (Hostile(), "<Hostile>"),
    (Hostile, "<type>"),
    (print, "<builtin_function_or_method>"),
    ([Hostile()], "[<Hostile>]"),
    (HostileList([1]), "[1]"),
    (HostileNumber(5), "5"),
    (HostileText("five"), "'five'"),
]


# By number, as pytest would look at the values to name the tests.
@pytest.mark.parametrize("number", range(len(SHOWN)))
def test_what_values_are_shown_as(number: int) -> None:
    value, words = SHOWN[number]
    assert brief(value) == words


def test_arguments_read_like_a_call() -> None:
    assert brief_arguments((12.5, "fast"), {"steps": 3}) == "12.5, 'fast', steps=3"
    assert brief_arguments((), {}) == ""
    assert brief_arguments(range(100), {}) == "0, 1, 2, 3, 4, 5, 6, 7, ..."
    assert brief_arguments((), Hostile()) == "..."  # type: ignore[arg-type]


def test_what_is_huge_is_short_and_looked_at_in_part() -> None:
    class Counted(list[Any]):
        looked = 0

        def __init__(self) -> None:
            super().__init__([self] * 1_000_000)

    endless: list[Any] = []
    endless.append(endless)
    for value in (Counted(), endless, ["x" * 100_000] * 100, {str(i) * 1000: "y" * 1000 for i in range(500)}):
        assert len(brief(value)) <= MAX_ALL_CHARS
        assert len(brief_arguments([value] * 50, {str(i) * 1000: value for i in range(50)})) <= MAX_ALL_CHARS


@given(values)
def test_whatever_can_travel_has_a_short_text(value: Any) -> None:
    assert len(brief(value)) <= MAX_ALL_CHARS


@given(st.lists(values, max_size=3), st.dictionaries(st.text(), values, max_size=3))
def test_so_have_arguments(args: list[Any], kwargs: dict[str, Any]) -> None:
    assert len(brief_arguments(args, kwargs)) <= MAX_ALL_CHARS


def test_no_library_is_loaded_for_it() -> None:
    code = (
        "import sys; from pyrolab.audit import AuditLog; from pyrolab.audit.brief import brief;"
        "brief(object()); print([name for name in ('numpy', 'pandas', 'pint') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert done.stdout == "[]\n", done.stderr
