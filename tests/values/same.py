"""Equality as a user would want it of what has travelled: the same type, all through, and the same value."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np

_FLOATS = (float, complex, np.inexact)
_MOMENTS = (dt.datetime, dt.time)


def same(one: Any, other: Any) -> bool:
    """Whether both are of the same exact types and equal; NaN is NaN, and order counts where there is one."""
    if type(one) is not type(other):
        return False
    if isinstance(one, (np.ndarray, np.void)):
        return _same_array(np.asarray(one), np.asarray(other))
    if isinstance(one, (*_FLOATS, np.datetime64, np.timedelta64)):
        return bool(one == other) or repr(one) == repr(other)
    if isinstance(one, _MOMENTS):
        return (one, one.fold, repr(one.tzinfo)) == (other, other.fold, repr(other.tzinfo))
    return _same_container(one, other)


def _same_container(one: Any, other: Any) -> bool:
    if isinstance(one, Mapping):
        return _same_items([*one.items()], [*other.items()])
    if isinstance(one, deque) and one.maxlen != other.maxlen:
        return False
    if isinstance(one, (list, tuple, deque)):
        return _same_items(one, other)
    if isinstance(one, (set, frozenset)):
        return len(one) == len(other) and _same_items(sorted(one, key=_order), sorted(other, key=_order))
    if isinstance(one, slice):
        return _same_items([one.start, one.stop, one.step], [other.start, other.stop, other.step])
    if dataclasses.is_dataclass(one):
        names = [each.name for each in dataclasses.fields(one)]
        return all(same(getattr(one, name), getattr(other, name)) for name in names)
    return repr(one) == repr(other) or bool(one == other)


def _order(value: Any) -> tuple[str, str]:
    return type(value).__name__, repr(value)


def _same_items(one: Any, other: Any) -> bool:
    return len(one) == len(other) and all(map(same, one, other))


def _same_array(one: Any, other: Any) -> bool:
    return bool(
        one.dtype == other.dtype
        and one.dtype.isalignedstruct == other.dtype.isalignedstruct
        and one.shape == other.shape
        and one.tobytes() == other.tobytes()
    )
