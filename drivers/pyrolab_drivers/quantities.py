"""Units and ranges of what an instrument can be set to.

A unit rides on a type (`Nanometres` is a float that says "nm"), so that a reader, a type checker and
an interface can all see it. A `Range` refuses what an instrument cannot do before it is told to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated


@dataclass(frozen=True, slots=True)
class Unit:
    """The unit of a value, as an annotation: `Annotated[float, Unit("nm")]`."""

    symbol: str


Nanometres = Annotated[float, Unit("nm")]
Micrometres = Annotated[float, Unit("µm")]
Millimetres = Annotated[float, Unit("mm")]
Terahertz = Annotated[float, Unit("THz")]
DecibelMilliwatts = Annotated[float, Unit("dBm")]
Watts = Annotated[float, Unit("W")]
Seconds = Annotated[float, Unit("s")]
Pixels = Annotated[int, Unit("px")]


class OutOfRange(ValueError):
    """A setting that the instrument cannot have; nothing was sent to it.

    `quantity`, `value`, `low`, `high` and `unit` are attributes.
    """

    def __init__(self, message: str, **fields: float | str) -> None:
        super().__init__(message)
        self.__dict__.update(fields)


class NotConnected(ConnectionError):
    """The instrument was used before `connect()` or after `close()`."""


class InstrumentBusy(RuntimeError):
    """The instrument is still doing what it was told before."""


@dataclass(frozen=True, slots=True)
class Range:
    """The closed interval of values that a setting can have."""

    low: float
    high: float
    unit: str

    def check(self, quantity: str, value: float) -> float:
        """Return `value` as a float if it lies within; raise `OutOfRange` if not, NaN included."""
        number = float(value)
        if self.low <= number <= self.high:
            return number
        raise OutOfRange(
            f"{quantity} can be {self}, not {number:g} {self.unit}",
            quantity=quantity,
            value=number,
            low=self.low,
            high=self.high,
            unit=self.unit,
        )

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g} {self.unit}"
