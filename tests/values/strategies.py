"""Hypothesis strategies for everything that travels."""

from __future__ import annotations

import array
import datetime as dt
import enum
import string
import zoneinfo
from collections import Counter, OrderedDict, defaultdict, deque
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from hypothesis.strategies import SearchStrategy

from values import samples

_MARGIN = dt.timedelta(days=2)  # from where a zone's offset would lead out of the calendar
_ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kolkata", "UTC", "Australia/Lord_Howe")

fixed_zones = st.builds(
    dt.timezone,
    st.timedeltas(dt.timedelta(hours=-23, minutes=-59), dt.timedelta(hours=23, minutes=59)),
) | st.builds(
    dt.timezone, st.timedeltas(dt.timedelta(hours=-23), dt.timedelta(hours=23)), st.text(max_size=8)
)
zones: SearchStrategy[Any] = (
    fixed_zones | st.sampled_from(_ZONES).map(zoneinfo.ZoneInfo) | st.just(dt.timezone.utc)
)
maybe_zones: Any = st.none() | zones
moments: SearchStrategy[dt.datetime] = st.builds(
    lambda moment, fold: moment.replace(fold=fold),
    st.datetimes(dt.datetime.min + _MARGIN, dt.datetime.max - _MARGIN, timezones=maybe_zones),
    st.integers(0, 1),
)
times = st.builds(
    lambda time, fold: time.replace(fold=fold), st.times(timezones=maybe_zones), st.integers(0, 1)
)
texts = st.text() | st.text(st.characters(categories=["Cs", "Ll", "So"]))  # lone surrogates too
names = st.text(string.ascii_letters + "/\\._ ", max_size=20)
paths = st.one_of([st.builds(kind, names) for kind in (PurePosixPath, PureWindowsPath, Path)])

members: SearchStrategy[enum.Enum] = st.one_of(
    [st.sampled_from(kind) for kind in (samples.Mode, samples.Channel, samples.Label, samples.Odd)]
)
flags = st.integers(0, 7).map(samples.Alarm) | st.integers(-40, 40).map(samples.Bits)

plain_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(1 << 200), 1 << 200),
    st.floats(),
    texts,
    st.binary(),
    st.complex_numbers(),
)
#: What can be a key or an element of a set, and is equal to nothing else.
hashable_scalars = st.one_of(
    plain_scalars,
    st.just(...),
    moments,
    st.dates(),
    times,
    st.timedeltas(),
    zones,
    st.decimals(allow_nan=False),
    st.fractions(),
    st.uuids(),
    paths,
    members,
    flags,
    st.builds(range, st.integers(-9, 9), st.integers(-9, 9), st.integers(1, 5)),
)

_unit_text = st.sampled_from(["Y", "M", "D", "h", "s", "ms", "us", "ns", "25s"])
simple_dtypes: SearchStrategy[np.dtype[Any]] = st.one_of(
    hnp.scalar_dtypes(),
    hnp.byte_string_dtypes(min_len=1, max_len=5),
    hnp.unicode_string_dtypes(min_len=1, max_len=5),
    st.sampled_from(["<g", ">g", "<G", ">G", "V3", "m8", "M8"]).map(np.dtype),
    st.builds(lambda kind, unit: np.dtype(f"{kind}8[{unit}]"), st.sampled_from("mM"), _unit_text),
)
structured_dtypes = hnp.nested_dtypes(simple_dtypes, max_leaves=4, max_itemsize=200)


@st.composite
def arrays(draw: st.DrawFn) -> Any:
    """Arrays of all dtypes, filled with whatever bytes, in all orders and strides."""
    dtype = np.dtype(draw(simple_dtypes | structured_dtypes))
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
    made: Any = np.zeros(shape, dtype)
    if made.nbytes and not _holds_text(dtype):
        content = np.frombuffer(draw(st.binary(min_size=made.nbytes, max_size=made.nbytes)), np.uint8)
        made.reshape(-1).view(np.uint8)[:] = content
    return draw(st.sampled_from(_LAYOUTS))(made)


_LAYOUTS: list[Any] = [
    lambda made: made,
    lambda made: made.T,
    lambda made: np.asfortranarray(made) if made.ndim else made,
    lambda made: made[::2] if made.ndim else made,
    lambda made: made[..., ::-1] if made.ndim else made,
]


def _holds_text(dtype: np.dtype[Any]) -> bool:
    item = dtype.base
    return item.kind == "U" if item.names is None else any(_holds_text(item[name]) for name in item.names)


numpy_scalars = arrays().filter(lambda made: made.size > 0).map(lambda made: made.reshape(-1)[0])
texts_of_numpy = st.builds(np.str_, st.text()) | st.builds(np.bytes_, st.binary())

leaves = st.one_of(
    hashable_scalars,
    st.decimals(),
    st.binary().map(bytearray),
    st.builds(slice, st.none() | st.integers(), st.none() | st.integers(), st.none() | st.text()),
    arrays(),
    numpy_scalars,
    texts_of_numpy,
    st.lists(st.integers(-9, 9)).map(lambda items: array.array("i", items)),
    st.lists(st.floats(width=32)).map(lambda items: array.array("f", items)),
)
keys = hashable_scalars | st.tuples(hashable_scalars, hashable_scalars) | st.frozensets(st.integers())


def _containers(inner: SearchStrategy[Any]) -> SearchStrategy[Any]:
    mappings = st.dictionaries(keys, inner, max_size=4)
    return st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        mappings,
        st.sets(keys, max_size=4),
        st.frozensets(keys, max_size=4),
        st.lists(inner, max_size=4).map(deque),
        st.lists(inner, max_size=4).map(lambda items: deque(items, 2)),
        mappings.map(OrderedDict),
        mappings.map(lambda items: defaultdict(list, items)),
        st.dictionaries(keys, st.integers(), max_size=4).map(Counter),
        st.builds(samples.Pose, inner, inner),
        st.builds(samples.Reading, inner, st.text()),
        st.builds(samples.Span, inner, inner),
        st.builds(samples.Legacy, inner, inner),
        st.builds(slice, inner, inner, inner),
    )


values = st.recursive(leaves, _containers, max_leaves=12)
