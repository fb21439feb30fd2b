"""In which form a subscriber wants the frames of a stream: which part, how many pixels, compressed how.

A `Variant` is plain data that both sides check. Equal wishes are equal variants, however they were written,
so that a publisher works out each variant of a frame once.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from types import EllipsisType
from typing import Any, SupportsIndex, TypeAlias

from pyrolab.protocol.shown_values import shown
from pyrolab.streams import reduction
from pyrolab.streams.compression import COMPRESSIONS, DEFAULT_QUALITY
from pyrolab.streams.reduction import Array

#: The most axes that a region, a stride or a binning speaks of.
MAX_AXES = 8
#: The largest stride, and the most items of a block along one axis.
MAX_FACTOR = 1024
#: Where a region may begin and end: between minus and plus this.
MAX_BOUND = 1 << 31

#: What a user may write for a region: `np.s_[100:200, 50:80]`.
Region: TypeAlias = "slice | tuple[slice | EllipsisType, ...] | EllipsisType | None"
#: Where a region begins and ends along one axis; None: at the edge, negative: counted from the far edge.
Bounds: TypeAlias = "tuple[int | None, int | None]"


@dataclass(frozen=True, slots=True)
class Variant:
    """A wish, in one spelling: what would do nothing is left out. Raises `ValueError` for nonsense.

    `region`, `stride` and `binning` have an entry for each of the first axes. An image of 2048 × 1024 pixels
    with `region=((0, 1000),)` and `binning=(2, 2)` comes as 500 × 512 pixels.
    """

    region: tuple[Bounds, ...] = ()
    stride: tuple[int, ...] = ()
    binning: tuple[int, ...] = ()
    compression: str = ""
    quality: int = DEFAULT_QUALITY

    def __post_init__(self) -> None:
        _check_region(self.region)
        _check_factors("stride", self.stride)
        _check_factors("binning", self.binning)
        if any(step > 1 for step in self.stride) and any(size > 1 for size in self.binning):
            raise ValueError("a stride and a binning at once make no sense; choose one")
        if type(self.compression) is not str or self.compression not in ("", *COMPRESSIONS):
            known = ", ".join(COMPRESSIONS)
            raise ValueError(f"a compression is None or one of {known}, not {shown(self.compression):.40}")
        if not _is_within(self.quality, 1, 100):
            raise ValueError(f"quality is a whole number from 1 to 100, not {shown(self.quality):.40}")
        object.__setattr__(self, "region", _without_idle(self.region, (None, None)))
        object.__setattr__(self, "stride", _without_idle(self.stride, 1))
        object.__setattr__(self, "binning", _without_idle(self.binning, 1))
        if self.compression != "jpeg":
            object.__setattr__(self, "quality", DEFAULT_QUALITY)

    @classmethod
    def of(
        cls,
        region: Region = None,
        stride: SupportsIndex | Sequence[SupportsIndex] = 1,
        binning: SupportsIndex | Sequence[SupportsIndex] = 1,
        compression: str | None = None,
        quality: SupportsIndex = DEFAULT_QUALITY,
    ) -> Variant:
        """From what a user writes. Raises `ValueError` and `TypeError`.

        `region` is a slice or a tuple of them, for the first axes (`np.s_[100:200, 50:80]`); `...` is
        everything. `stride` and `binning` are a number for the first two axes, or one number for each.
        """
        return cls(
            _region_of(region),
            _factors_of("stride", stride),
            _factors_of("binning", binning),
            "" if compression is None else compression,
            _integer("quality", quality),
        )

    @property
    def is_plain(self) -> bool:
        """Whether frames go as they are."""
        return not (self.is_reduced or self.compression)

    @property
    def is_reduced(self) -> bool:
        """Whether frames lose anything by region, stride or binning."""
        return bool(self.region or self.stride or self.binning)

    def to_data(self) -> dict[str, Any]:
        """As plain values, for the wire."""
        return {
            **asdict(self),
            "region": [list(bounds) for bounds in self.region],
            "stride": list(self.stride),
            "binning": list(self.binning),
        }

    @classmethod
    def from_data(cls, data: Any) -> Variant:
        """From plain values, of which any may be left out. Raises `ValueError` if they are no variant."""
        if type(data) is not dict:
            raise ValueError("a variant is a map")
        unknown = [key for key in data if key not in _FIELDS]
        if unknown:
            raise ValueError(f"a variant has {', '.join(_FIELDS)}, but no {shown(unknown[0]):.40}")
        values = {name: _as_tuples(value) for name, value in data.items()}
        return cls(**values)

    def reduce(self, array: Array) -> Array:
        """The part of a frame that is wanted: region, then stride or binning.

        Without binning it is a view of `array` (or `array` itself). Raises `ValueError` if this frame has too
        few axes for the region, or a dtype that cannot be binned.
        """
        part = reduction.thinned(reduction.cut(array, self.region), self.stride)
        return reduction.binned(part, self.binning)


_FIELDS = tuple(each.name for each in fields(Variant))


# -- what a user writes ----------------------------------------------------------------------------------


def _region_of(region: Region) -> tuple[Bounds, ...]:
    parts = region if isinstance(region, tuple) else () if region is None else (region,)
    if parts and parts[-1] is ...:
        parts = parts[:-1]
    return tuple(_bounds_of(part) for part in parts)


def _bounds_of(part: Any) -> Bounds:
    if not isinstance(part, slice):
        raise TypeError(f"a region is made of slices, as np.s_[100:200, 50:80], not of {shown(part):.40}")
    if part.step not in (None, 1):
        raise ValueError("the slices of a region have no steps; ask for stride=... instead")
    first, last = (None if bound is None else _integer("region", bound) for bound in (part.start, part.stop))
    return first, last


def _factors_of(what: str, factors: SupportsIndex | Sequence[SupportsIndex]) -> tuple[int, ...]:
    if isinstance(factors, Iterable) and not isinstance(factors, (str, bytes)):
        return tuple(_integer(what, factor) for factor in factors)
    return (_integer(what, factors),) * 2


def _integer(what: str, value: Any) -> int:
    if not isinstance(value, bool):
        try:
            return operator.index(value)
        except TypeError:
            pass  # the error below says more
    raise TypeError(f"{what} takes whole numbers, not {shown(value):.40}")


# -- what comes from a peer ------------------------------------------------------------------------------


def _as_tuples(value: Any) -> Any:
    """Lists of a message as tuples, and tuples within them; nothing of a variant is deeper."""
    if type(value) is not list:
        return value
    return tuple(tuple(each) if type(each) is list else each for each in value)


def _check_region(region: Any) -> None:
    if type(region) is not tuple or len(region) > MAX_AXES:
        raise ValueError(f"a region has bounds for at most {MAX_AXES} axes")
    for bounds in region:
        if type(bounds) is not tuple or len(bounds) != 2 or not all(map(_is_bound, bounds)):
            raise ValueError(
                f"a region has a first and a last place for each axis, not {shown(bounds):.40}; each is None "
                f"or within ±{MAX_BOUND}"
            )


def _check_factors(what: str, factors: Any) -> None:
    if type(factors) is not tuple or len(factors) > MAX_AXES:
        raise ValueError(f"a {what} has numbers for at most {MAX_AXES} axes")
    for factor in factors:
        if not _is_within(factor, 1, MAX_FACTOR):
            raise ValueError(f"a {what} is whole numbers from 1 to {MAX_FACTOR}, not {shown(factor):.40}")


def _is_bound(place: Any) -> bool:
    return place is None or _is_within(place, -MAX_BOUND, MAX_BOUND)


def _is_within(number: Any, lowest: int, highest: int) -> bool:
    return type(number) is int and lowest <= number <= highest


def _without_idle(entries: tuple[Any, ...], idle: Any) -> tuple[Any, ...]:
    """Without the entries at the end that do nothing."""
    count = len(entries)
    while count and entries[count - 1] == idle:
        count -= 1
    return entries[:count]
