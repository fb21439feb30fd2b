"""Frames, series, indexes and moments of pandas.

A table travels column by column, each as an array where pandas keeps one. It arrives as pandas' own type
where pandas is installed, and as a stand-in elsewhere.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from pyrolab.errors import ProtocolError, SerializeError
from pyrolab.protocol import codes, foreign

if TYPE_CHECKING:
    from msgpack import ExtType

    from pyrolab.protocol.codec import Decoder, Encoder, Packing, Unpacking


def packing_of(kind: type) -> Packing | None:
    """How instances of `kind` are packed, if they are pandas'."""
    pd = foreign.library("pandas")
    describe = _describers(pd).get(kind)
    if describe is None:
        return None

    def pack(encoder: Encoder, value: Any) -> ExtType:
        return encoder.extend(codes.PANDAS, describe(pd, value))

    return pack


def _describers(pd: Any) -> dict[type, Callable[[Any, Any], list[Any]]]:
    indexes = (pd.Index, pd.DatetimeIndex, pd.TimedeltaIndex, pd.CategoricalIndex)
    return {
        pd.DataFrame: _describe_frame,
        pd.Series: lambda pd, value: [
            "Series",
            value.name,
            value.index,
            _describe_values(pd, value),
            value.attrs,
        ],
        pd.RangeIndex: lambda pd, value: ["RangeIndex", value.name, value.start, value.stop, value.step],
        pd.MultiIndex: _describe_multi_index,
        **dict.fromkeys(indexes, _describe_index),
        pd.Timestamp: _describe_timestamp,
        pd.Timedelta: lambda pd, value: ["Timedelta", value.to_timedelta64()],
        type(pd.NaT): lambda pd, value: ["NaT"],
        type(pd.NA): lambda pd, value: ["NA"],
    }


def _describe_frame(pd: Any, frame: Any) -> list[Any]:
    columns = [_describe_values(pd, frame.iloc[:, position]) for position in range(frame.shape[1])]
    return ["DataFrame", frame.columns, frame.index, columns, frame.attrs]


def _describe_index(pd: Any, index: Any) -> list[Any]:
    parts = ["Index", index.name, _describe_values(pd, index)]
    frequency = getattr(index, "freqstr", None)
    return [*parts, frequency] if frequency else parts


def _describe_multi_index(pd: Any, index: Any) -> list[Any]:
    return ["MultiIndex", list(index.names), list(index.levels), [np.asarray(each) for each in index.codes]]


def _describe_timestamp(pd: Any, value: Any) -> list[Any]:
    return ["Timestamp", value.to_datetime64(), _zone(value.tz)]


def _zone(tz: Any) -> Any:
    """The zone of a table; older pandas have pytz for what is called `ZoneInfo` everywhere else."""
    return zoneinfo.ZoneInfo(str(tz)) if type(tz).__module__.partition(".")[0] == "pytz" else tz


def _describe_values(pd: Any, values: Any) -> list[Any]:
    """What a column or an index holds: `[kind, …]`."""
    dtype = values.dtype
    if isinstance(dtype, np.dtype):
        return ["object", list(values)] if dtype.hasobject else ["array", values.to_numpy()]
    if isinstance(dtype, pd.StringDtype):
        texts = [None if missing else text for text, missing in zip(values, values.isna(), strict=True)]
        return ["text", dtype.storage, dtype.na_value is pd.NA, texts]
    if isinstance(dtype, pd.CategoricalDtype):
        categorical = values.values
        return ["category", np.asarray(categorical.codes), categorical.categories, bool(dtype.ordered)]
    if isinstance(dtype, pd.DatetimeTZDtype):
        utc = values.array.tz_convert("UTC").tz_localize(None)
        return ["zoned", utc.to_numpy(), _zone(dtype.tz)]
    if hasattr(dtype, "numpy_dtype") and hasattr(values.array, "_mask"):
        missing = values.isna()
        kept = values.array.to_numpy(dtype=dtype.numpy_dtype, na_value=dtype.numpy_dtype.type(0))
        return ["masked", kept, np.asarray(missing)]
    raise SerializeError(f"a column of dtype {dtype} cannot travel; convert it with astype(...) first")


def _unpack(decoder: Decoder, payload: bytes) -> Any:
    data = decoder.items(payload)
    kind, *parts = data
    if kind not in _BUILDERS:
        raise ProtocolError(f"{kind!r:.40} is no kind of table")
    pd = foreign.library("pandas")
    return foreign.Foreign.of("pandas", data) if pd is None else _BUILDERS[kind](pd, *parts)


def _build_frame(pd: Any, columns: Any, index: Any, values: list[Any], attrs: Any) -> Any:
    series = {
        position: pd.Series(_build_values(pd, each), index=index) for position, each in enumerate(values)
    }
    frame = pd.DataFrame(series, index=index)
    frame.columns = columns
    frame.attrs = attrs
    return frame


def _build_series(pd: Any, name: Any, index: Any, values: Any, attrs: Any) -> Any:
    series = pd.Series(_build_values(pd, values), index=index, name=name)
    series.attrs = attrs
    return series


def _build_index(pd: Any, name: Any, values: Any, frequency: str | None = None) -> Any:
    built = _build_values(pd, values)
    index = pd.Index(built, name=name, dtype=built.dtype)
    if frequency is not None:
        index.freq = frequency
    return index


def _build_multi_index(pd: Any, names: Any, levels: Any, codes_of_levels: Any) -> Any:
    return pd.MultiIndex(levels=levels, codes=codes_of_levels, names=names)


def _build_range_index(pd: Any, name: Any, start: int, stop: int, step: int) -> Any:
    return pd.RangeIndex(start, stop, step, name=name)


def _build_timestamp(pd: Any, moment: Any, zone: Any) -> Any:
    naive = pd.Timestamp(moment)
    return naive if zone is None else naive.tz_localize("UTC").tz_convert(zone)


_BUILDERS: dict[str, Callable[..., Any]] = {
    "DataFrame": _build_frame,
    "Series": _build_series,
    "Index": _build_index,
    "RangeIndex": _build_range_index,
    "MultiIndex": _build_multi_index,
    "Timestamp": _build_timestamp,
    "Timedelta": lambda pd, value: pd.Timedelta(value),
    "NaT": lambda pd: pd.NaT,
    "NA": lambda pd: pd.NA,
}


def _build_values(pd: Any, description: list[Any]) -> Any:
    kind, *parts = description
    return _VALUES[kind](pd, *parts)


def _build_array(pd: Any, values: Any) -> Any:
    if type(values) is not np.ndarray or values.ndim != 1:
        raise ProtocolError("a column is an array of one dimension")
    return values.copy()  # pandas keeps what it is given, and users write into their tables


def _build_objects(pd: Any, items: list[Any]) -> Any:
    values = np.empty(len(items), object)
    values[:] = items
    return values


def _build_texts(pd: Any, storage: str, with_na: bool, texts: list[Any]) -> Any:
    here = "pyarrow" if storage == "pyarrow" and find_spec("pyarrow") else "python"
    items = [None if text is None else str(text) for text in texts]
    try:
        dtype = pd.StringDtype(here) if with_na else pd.StringDtype(here, na_value=np.nan)
    except TypeError:  # before pandas 2.3, text with NaN was a column of objects
        return _build_objects(pd, items)
    return pd.array(items, dtype=dtype)


def _build_category(pd: Any, positions: Any, categories: Any, ordered: bool) -> Any:
    return pd.Categorical.from_codes(positions, categories=categories, ordered=ordered)


def _build_zoned(pd: Any, moments: Any, zone: Any) -> Any:
    return pd.DatetimeIndex(moments).tz_localize("UTC").tz_convert(zone).array


def _build_masked(pd: Any, values: Any, missing: Any) -> Any:
    built = pd.array(values.copy(), dtype=_MASKED_NAMES[values.dtype.name])
    built[missing] = pd.NA
    return built


_MASKED_NAMES = {
    "bool": "boolean",
    **{
        name.lower(): name
        for name in ("Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64")
    },
    **{name.lower(): name for name in ("Float32", "Float64")},
}

_VALUES: dict[str, Callable[..., Any]] = {
    "array": _build_array,
    "object": _build_objects,
    "text": _build_texts,
    "category": _build_category,
    "zoned": _build_zoned,
    "masked": _build_masked,
}

UNPACKING: dict[int, Unpacking] = {codes.PANDAS: _unpack}
