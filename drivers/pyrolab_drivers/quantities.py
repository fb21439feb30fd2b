"""Units and ranges of what an instrument can be set to.

A unit rides on a type (`Nanometres` is a float that says "nm"), so that a reader, a type checker and
an interface can all see it. A `Range` refuses what an instrument cannot do before it is told to.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Annotated, TypeVar

_Choice = TypeVar("_Choice", bound=Enum)


@dataclass(frozen=True, slots=True)
class Unit:
    """The unit of a value, as an annotation: `Annotated[float, Unit("nm")]`."""

    symbol: str


Nanometres = Annotated[float, Unit("nm")]
NanometresPerSecond = Annotated[float, Unit("nm/s")]
Micrometres = Annotated[float, Unit("µm")]
Millimetres = Annotated[float, Unit("mm")]
Hertz = Annotated[float, Unit("Hz")]
Terahertz = Annotated[float, Unit("THz")]
Decibels = Annotated[float, Unit("dB")]
DecibelMilliwatts = Annotated[float, Unit("dBm")]
Watts = Annotated[float, Unit("W")]
Volts = Annotated[float, Unit("V")]
Amperes = Annotated[float, Unit("A")]
Ohms = Annotated[float, Unit("Ω")]
Degrees = Annotated[float, Unit("deg")]
DegreesCelsius = Annotated[float, Unit("°C")]
Seconds = Annotated[float, Unit("s")]
SamplesPerSecond = Annotated[float, Unit("Sa/s")]
Samples = Annotated[int, Unit("Sa")]
Pixels = Annotated[int, Unit("px")]


class PowerUnit(Enum):
    """What the display of an instrument shows a power in."""

    DBM = "dBm"
    MILLIWATTS = "mW"
    WATTS = "W"


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


class WrongMode(RuntimeError):
    """The instrument is in a mode in which this cannot be; nothing was sent to it."""


class NotSupported(NotImplementedError):
    """The instrument, or its driver, has not got this; nothing was sent to it."""


def choice(kind: type[_Choice], quantity: str, value: object) -> _Choice:
    """Return the member of the enumeration that `value` is, or whose value it is.

    Raises `OutOfRange` with the possible values if it is none of them.
    """
    try:
        return kind(value)
    except ValueError:
        possible = ", ".join(repr(member.value) for member in kind)
        raise OutOfRange(f"{quantity} can be {possible}, not {value!r}", quantity=quantity) from None


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

    def check_count(self, quantity: str, value: float) -> int:
        """As `check`, for whole numbers: a fraction is refused too."""
        number = self.check(quantity, value)
        if number != int(number):
            raise OutOfRange(f"{quantity} is a whole number, not {number:g}", quantity=quantity, value=number)
        return int(number)

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g} {self.unit}"
