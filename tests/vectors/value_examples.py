"""The values of the golden vectors: each ends up in `values.json` and, as an example, in `docs/values.md`."""

from __future__ import annotations

import array
import datetime as dt
import enum
import re
import uuid
import zoneinfo
from collections import Counter, OrderedDict, defaultdict, deque
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
import pandas as pd
import pint

from pyrolab.protocol.blobs import SerializedBlob
from pyrolab.protocol.codec import encode
from pyrolab.protocol.converted import DictRecord
from values.samples import Alarm, Mode, Pose, Span

_UREG: Any = pint.get_application_registry()  # type: ignore[no-untyped-call]

#: Name → value. Sets have one element, because their order is nobody's.
VALUES: dict[str, Any] = {
    "nil": None,
    "true": True,
    "small-integer": 7,
    "largest-integer": (1 << 64) - 1,
    "big-integer": 1 << 64,
    "big-negative": -(1 << 64),
    "float": 1550.25,
    "nan": float("nan"),
    "text": "µm",
    "surrogate": "\udcff",
    "bytes": b"\x00\xff",
    "bytearray": bytearray(b"\x00\xff"),
    "list": [1, "a"],
    "map": {"speed": 3},
    "map-of-any-keys": {1: "a", (0, 1): "b"},
    "tuple": (1, 2, 3),
    "empty-tuple": (),
    "nested-tuple": ((1,), [2]),
    "set": {1},
    "frozenset": frozenset({"a"}),
    "complex": 1 - 2j,
    "ellipsis": ...,
    "range": range(0, 10, 2),
    "slice": slice(1, None),
    "date": dt.date(2026, 11, 23),
    "datetime": dt.datetime(2026, 11, 23, 12, 30, 0, 250_000),
    "datetime-utc": dt.datetime(2026, 11, 23, 12, 30, tzinfo=dt.timezone.utc),
    "datetime-zone": dt.datetime(2026, 10, 25, 2, 30, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"), fold=1),
    "datetime-named-offset": dt.datetime(2026, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=1), "LAB")),
    "time": dt.time(12, 30),
    "timedelta": dt.timedelta(days=-1, seconds=5, microseconds=7),
    "timezone": dt.timezone(dt.timedelta(hours=-3, minutes=-30)),
    "zone": zoneinfo.ZoneInfo("Asia/Tokyo"),
    "decimal": Decimal("-1.50"),
    "fraction": Fraction(-1, 3),
    "uuid": uuid.UUID("12345678-1234-5678-1234-567812345678"),
    "posix-path": PurePosixPath("/lab/data"),
    "windows-path": PureWindowsPath("C:\\lab"),
    "compact-array": array.array("h", [1, -1]),
    "deque": deque([1, 2], maxlen=4),
    "ordered-dict": OrderedDict(b=1, a=2),
    "default-dict": defaultdict(list, a=[1]),
    "counter": Counter("aab"),
    "dataclass": Pose(1.5, -2, "chip"),
    "namedtuple": Span(0, 1),
    "enum-member": Mode.SWEEP,
    "flags": Alarm.HOT | Alarm.LOUD,
    "array": np.array([[1, 2], [3, 4]], "<u2"),
    "array-fortran": np.array([[1, 2], [3, 4]], "<u2", order="F"),
    "array-big-endian": np.array([1.5], ">f8"),
    "array-of-no-dimension": np.array(5, "|i1"),
    "array-empty": np.zeros((0, 3), "<f4"),
    "array-of-moments": np.array(["2026-11-23"], "<M8[D]"),
    "array-of-text": np.array(["a", "bc"], "<U2"),
    "array-structured": np.array([(1, [2, 3])], [("t", "<u4"), ("xy", "<i2", 2)]),
    "array-large": np.arange(4096, dtype="|u1"),
    "numpy-float": np.float64(1.5),
    "numpy-bool": np.bool_(True),
    "numpy-moment": np.datetime64("2026-11-23", "D"),
    "numpy-text": np.str_("nm"),
    "numpy-bytes": np.bytes_(b"nm"),
    "series": pd.Series(np.array([1.0, 2.0], "<f8"), name="volts"),
    "quantity": _UREG.Quantity(1.5, "km/s**2"),
    "unit": _UREG.Unit("nm"),
    "exception": ValueError("too hot", 400),
    "converted": DictRecord("lab.Valve", {"number": 3}),
    "blob": SerializedBlob("weather", [1, "a"]),
}

_EXAMPLES = re.compile(r"<!-- values: (?P<names>[\w -]+) -->\n```text\n.*?```\n", re.DOTALL)
_LINE_BYTES = 24


def vectors() -> list[dict[str, Any]]:
    """All values with their bytes in hexadecimal digits."""
    return [_vector(name, value) for name, value in VALUES.items()]


def _vector(name: str, value: Any) -> dict[str, Any]:
    body, buffers = encode(value)
    return {
        "name": name,
        "value": _about(value),
        "body": body.hex(),
        "buffers": [bytes(each).hex() for each in buffers],
    }


def _about(value: Any) -> str:
    """The value as Python code or nearly so, the same with every version of every library."""
    if isinstance(value, np.ndarray):
        items = "0, 1, 2, …" if value.size > 100 else str(value.tolist())
        return f"numpy array {items} of shape {value.shape} and dtype {value.dtype}"
    if isinstance(value, np.generic):
        return f"numpy.{type(value).__name__.rstrip('_')} {value.item()!r}"
    if isinstance(value, OrderedDict):
        return f"OrderedDict({dict(value)})"
    if isinstance(value, enum.Flag):
        return f"{type(value).__name__}({value.value})"
    if isinstance(value, (pd.Series, _UREG.Quantity, _UREG.Unit)):
        return f"{type(value).__name__} " + " ".join(str(value).split())
    return repr(value)


def page_text(page: str) -> str:
    """The page with its examples made anew."""
    return _EXAMPLES.sub(lambda block: _block(block["names"]), page)


def _block(names: str) -> str:
    examples = "\n".join(_example(name) for name in names.split())
    return f"<!-- values: {names} -->\n```text\n{examples}\n```\n"


def _example(name: str) -> str:
    vector = _vector(name, VALUES[name])
    digits = re.findall("..", vector["body"])
    lines = [" ".join(digits[at : at + _LINE_BYTES]) for at in range(0, len(digits), _LINE_BYTES)]
    return "\n".join([vector["value"], *(f"    {line}" for line in lines)])
