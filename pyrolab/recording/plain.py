"""Values as plain data: what JSON and the attributes of a file can hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

import numpy as np

from pyrolab.protocol.records import EnumRecord

#: Longer ones are data, not settings.
MAX_ITEMS = 1000
_MAX_DEPTH = 8
_AS_TEXT = (complex, datetime, date, time, timedelta, Decimal, PurePath, UUID)


def plain(value: Any, depth: int = 0) -> Any:
    """`value` made of None, bool, int, float, str, list and dict. Raises `TypeError` for anything else."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, (Enum, EnumRecord)):
        return value.name
    if isinstance(value, np.generic):
        return plain(value.item(), depth)
    if isinstance(value, _AS_TEXT):
        return str(value)
    if isinstance(value, (np.ndarray, list, tuple, set, frozenset, Mapping)) and depth < _MAX_DEPTH:
        return _plain_items(value, depth + 1)
    raise TypeError(f"not a plain value: {type(value).__name__}")


def _plain_items(value: Any, depth: int) -> Any:
    size = value.size if isinstance(value, np.ndarray) else len(value)
    if size > MAX_ITEMS:
        raise TypeError(f"{size} items, more than {MAX_ITEMS}")
    if isinstance(value, np.ndarray):
        return plain(value.tolist(), depth)
    if isinstance(value, Mapping):
        return {str(key): plain(each, depth) for key, each in value.items()}
    return [plain(each, depth) for each in value]


def as_json(value: Any) -> str:
    """Anything as one line of JSON; what JSON does not know becomes a list or text."""
    return json.dumps(value, default=_shown, separators=(",", ":"), skipkeys=True)


def _shown(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    try:
        return plain(value)
    except TypeError:
        return str(value)
