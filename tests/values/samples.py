"""Classes of a made-up lab, whose instances travel in tests and in the golden vectors."""

from __future__ import annotations

import enum
from collections import namedtuple
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, NamedTuple


@dataclass
class Pose:
    x_mm: float
    y_mm: float
    name: str = "here"


@dataclass(frozen=True, slots=True)
class Reading:
    value: Any
    unit: str
    tags: tuple[str, ...] = ()


@dataclass
class Careful:
    """Its constructor must not run when it arrives."""

    volts: float
    built: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.built.append("here")

    @cached_property
    def power(self) -> float:
        return self.volts**2


class Outer:
    @dataclass
    class Inner:
        size: int


class Span(NamedTuple):
    low: float
    high: float


class LabelledSpan(Span):
    """A namedtuple that can hold more than its fields."""


Legacy = namedtuple("Legacy", "first second")


class Mode(enum.Enum):
    SWEEP = "sweep"
    STEP = ("step", 2)
    STEPWISE = ("step", 2)  # noqa: PIE796 - an alias


class Channel(enum.IntEnum):
    A = 1
    B = 2


class Alarm(enum.Flag):
    HOT = 1
    FAST = 2
    LOUD = 4


class Bits(enum.IntFlag):
    LOW = 1
    HIGH = 8


class Label(str, enum.Enum):
    RED = "red"


class Odd(enum.Enum):
    """Its value cannot travel; its name can."""

    THING = object()


dropped: list[str] = []


@dataclass
class Trap:
    """What a peer must not be able to make: dropping it does something."""

    path: str

    def __del__(self) -> None:
        dropped.append(self.path)


class InstrumentError(ValueError):
    """An exception with a constructor of its own."""

    made = 0

    def __init__(self, instrument: str, code: int) -> None:
        type(self).made += 1
        super().__init__(f"{instrument} says {code}")
        self.instrument = instrument
        self.code = code


class Offline(InstrumentError, ConnectionError):
    """With two bases, of which one is an OSError."""

    def __init__(self, instrument: str) -> None:
        super().__init__(instrument, -1)


class Talkative(LookupError):
    """Its text is worked out from what it holds."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code

    def __str__(self) -> str:
        return f"code {self.code}: see the manual"


class Hooked(Exception):
    """Deriving from it runs code."""

    derived: ClassVar[list[str]] = []

    def __init_subclass__(cls) -> None:
        Hooked.derived.append(cls.__name__)
