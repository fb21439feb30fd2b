"""How the frames of a stream are wanted, and how that is typed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pyrolab.errors import PyroError


@dataclass(frozen=True, slots=True)
class Asked:
    """How the frames of a stream are wanted, as of `subscribe`. `grid` says how many cells there are for it.

    With a grid, and no binning of your own, a source beyond a network is asked to bin what would not fit.
    """

    region: tuple[slice, ...] | None = None
    binning: int = 1
    max_rate: float | None = 25.0
    #: The same for single values; None: each of them.
    value_rate: float | None = None
    compression: str | None = None
    path: str | None = None
    grid: Callable[[], tuple[int, int]] | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """In words."""
        notes = []
        if self.region is not None:
            notes.append("region " + region_text(self.region))
        if self.binning > 1:
            notes.append(f"binned {self.binning} × {self.binning}")
        if self.compression is not None:
            notes.append("jpeg, not exact" if self.compression == "jpeg" else self.compression)
        return tuple(notes)

    @property
    def origin(self) -> tuple[int, int]:
        """Row and column of the first pixel, as far as the region says them."""
        starts = [each.start or 0 for each in self.region or ()][:2]
        row, column = [*starts, 0, 0][:2]
        return max(row, 0), max(column, 0)


def region_text(region: tuple[slice, ...]) -> str:
    """Slices as they are typed: 100:200,50:80."""
    ends = [
        ("" if each.start is None else each.start, "" if each.stop is None else each.stop) for each in region
    ]
    return ",".join(f"{start}:{stop}" for start, stop in ends)


def region_from(text: str) -> tuple[slice, ...]:
    """The slices that `100:200,50:80` means. Raises `PyroError` if it means none."""
    try:
        parts = [part.split(":") for part in text.split(",")]
        if not all(len(ends) == 2 for ends in parts):
            raise ValueError
        return tuple(slice(*(int(end) if end.strip() else None for end in ends)) for ends in parts)
    except ValueError:
        raise PyroError(
            f"{text!r} is no region; write rows and columns as Python's slices, 100:200,50:80"
        ) from None
