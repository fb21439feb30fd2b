"""Columns of a recording: which values fit into one, and which wider one takes those that do not.

A column is an array in the file, with a row for each frame. All rows have one dtype and one shape, because
that is what files with arrays are good at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from pyrolab.recording.plain import as_json

#: What `cell` returns for a value that does not fit.
UNFIT: Any = object()

BOOL, INT, FLOAT, COMPLEX = map(np.dtype, ("?", "i8", "f8", "c16"))
#: Integers up to this are exact as float64.
_EXACT = 1 << 53
_NARROWEST_TEXT, _WIDEST_TEXT = 32, 4096
_NARROWEST_JSON, _WIDEST_JSON = 256, 1 << 16


@dataclass(frozen=True, slots=True)
class Numbers:
    """A number or truth value in each row."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...] = ()

    def cell(self, value: Any) -> Any:
        """`value` as it is stored, or `UNFIT`."""
        return value if self._takes(value) else UNFIT

    def _takes(self, value: Any) -> bool:
        kind = type(value)
        if kind is float:
            return self.dtype == FLOAT
        if kind is int:
            return (self.dtype == INT and _is_int64(value)) or (self.dtype == FLOAT and abs(value) <= _EXACT)
        if kind is bool:
            return self.dtype == BOOL
        if kind is complex:
            return self.dtype == COMPLEX
        return isinstance(value, np.generic) and value.dtype == self.dtype

    def widened(self, value: Any) -> Column | None:
        """A column for what was in this one and for `value`, if there is such."""
        return Numbers(FLOAT) if self.dtype == INT and type(value) is float else None


@dataclass(frozen=True, slots=True)
class Text:
    """A text in each row, in UTF-8 of up to `width` bytes."""

    width: int
    shape: tuple[int, ...] = ()

    @property
    def dtype(self) -> np.dtype[Any]:
        """Its dtype; files may have one of their own for text."""
        return np.dtype(f"S{self.width}")

    def cell(self, value: Any) -> Any:
        """`value` as it is stored, or `UNFIT`."""
        if type(value) is not str or len(value) > self.width or "\0" in value:
            return UNFIT
        encoded = value.encode("utf-8", "backslashreplace")
        return encoded if len(encoded) <= self.width else UNFIT

    def widened(self, value: Any) -> Column | None:
        """A column for what was in this one and for `value`, if there is such."""
        return text_column(value) if type(value) is str else None


@dataclass(frozen=True, slots=True)
class Json:
    """Anything, as JSON of up to `width` bytes."""

    width: int
    shape: tuple[int, ...] = ()

    @property
    def dtype(self) -> np.dtype[Any]:
        """Its dtype; files may have one of their own for text."""
        return np.dtype(f"S{self.width}")

    def cell(self, value: Any) -> Any:
        """`value` as it is stored, or `UNFIT`."""
        if isinstance(value, np.ndarray):
            return UNFIT
        encoded = as_json(value).encode()
        return encoded if len(encoded) <= self.width else UNFIT

    def widened(self, value: Any) -> Column | None:
        """A column for what was in this one and for `value`, if there is such."""
        return json_column(value) if not isinstance(value, np.ndarray) else None


@dataclass(frozen=True, slots=True)
class Arrays:
    """An array in each row."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    def cell(self, value: Any) -> Any:
        """`value` as it is stored, or `UNFIT`."""
        fits = isinstance(value, np.ndarray) and value.shape == self.shape and value.dtype == self.dtype
        return value if fits else UNFIT

    def widened(self, value: Any) -> Column | None:
        """A column for what was in this one and for `value`: there is none."""
        return None


Column: TypeAlias = "Numbers | Text | Json | Arrays"

SEQUENCE, TIMESTAMP, EPOCH = Numbers(INT), Numbers(FLOAT), Numbers(INT)


def column_for(value: Any) -> Column:
    """The column that suits `value`. Raises `ValueError` if it is too long for any."""
    kind = type(value)
    if isinstance(value, np.ndarray):
        return Arrays(value.dtype, value.shape)
    if kind in (bool, float, complex):
        return Numbers({bool: BOOL, float: FLOAT, complex: COMPLEX}[kind])
    if kind is int and _is_int64(value):
        return Numbers(INT)
    if isinstance(value, np.generic) and value.dtype.kind in "biufc":
        return Numbers(value.dtype)
    if kind is str:
        return text_column(str(value)) or json_column(value)
    return json_column(value)


def text_column(value: str) -> Text | None:
    """A column of texts with some room beyond this one; None if it is too long, or is no text for files."""
    if "\0" in value:
        return None
    length = len(value.encode("utf-8", "backslashreplace"))
    return Text(_roomy(length, _NARROWEST_TEXT)) if length <= _WIDEST_TEXT else None


def json_column(value: Any) -> Json:
    """A column of JSON with some room beyond this value. Raises `ValueError` if it is too long."""
    length = len(as_json(value))
    if length > _WIDEST_JSON:
        raise ValueError(
            f"a {type(value).__name__} of {length} bytes as JSON is too long for a recording (most: "
            f"{_WIDEST_JSON}); publish it as an array"
        )
    return Json(_roomy(length, _NARROWEST_JSON))


def _roomy(length: int, least: int) -> int:
    """Twice the length, rounded up to a power of two, so that a few steps reach any length."""
    return max(least, 1 << (2 * length - 1).bit_length()) if length else least


def _is_int64(value: int) -> bool:
    return -(1 << 63) <= value < 1 << 63
