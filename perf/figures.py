"""What was measured: series of one figure per round, and a whole run with the facts of its machine.

The rounds of all series of one workload were taken side by side, so a ratio is formed round by round: what
slowed the machine down in one round slowed both down.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple


class Unit(Enum):
    """What a figure is counted in, as it is written."""

    MICROSECONDS = "µs"
    MILLISECONDS = "ms"
    MEGABYTES_PER_SECOND = "MB/s"
    CALLS_PER_SECOND = "calls/s"
    ITEMS_PER_SECOND = "items/s"
    FRAMES_PER_SECOND = "frames/s"
    VALUES_PER_SECOND = "values/s"
    MODULES = "modules"
    SECONDS = "s"
    MEBIBYTES = "MiB"
    CALLS = "calls"
    TIMES = "times"
    PERCENT = "%"


class Point(NamedTuple):
    """Which figure: what was done, and by whom."""

    workload: str
    contender: str


@dataclass(frozen=True, slots=True)
class Series:
    """One figure, measured once in each round."""

    point: Point
    unit: Unit
    rounds: tuple[float, ...]
    #: The series that it is compared with.
    baseline: Point | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """Everything that one run of the harness found."""

    machine: dict[str, Any]
    #: How the systems were set up, in words.
    setups: dict[str, str]
    series: dict[Point, Series] = field(default_factory=dict)
    #: What could not be measured, and why.
    absent: dict[str, str] = field(default_factory=dict)

    def add(self, series: Series) -> None:
        """Note a series."""
        self.series[series.point] = series

    def to_json(self) -> str:
        """The run as text; `from_json` reads it."""
        data = {
            "machine": self.machine,
            "setups": self.setups,
            "absent": self.absent,
            "series": [asdict(series) | {"unit": series.unit.value} for series in self.series.values()],
        }
        return json.dumps(data, indent=1, default=list)

    @classmethod
    def from_json(cls, text: str) -> Run:
        """The run that `to_json` wrote."""
        data = json.loads(text)
        run = cls(data["machine"], data["setups"], absent=data["absent"])
        for each in data["series"]:
            baseline = Point(*each["baseline"]) if each["baseline"] else None
            run.add(Series(Point(*each["point"]), Unit(each["unit"]), tuple(each["rounds"]), baseline))
        return run

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        path.write_text(self.to_json() + "\n", encoding="utf-8")
