"""A laser with all that a description can have: units, sub-objects, events, defaults of all kinds."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from pyrolab.api import Service, behavior, expose, oneway
from pyrolab.worker.events import Event
from pyrolab_drivers.quantities import Nanometres, Unit


class Mode(enum.Enum):
    CW = "cw"
    PULSED = "pulsed"


@dataclass
class Spectrum:
    """A class that no user of the laser has."""

    wavelengths: Any


@expose
class Channel:
    """One output."""

    def __init__(self, laser: Laser) -> None:
        self._laser = laser
        self._power = 0.0

    @property
    def laser(self) -> Laser:
        """Whose output it is."""
        return self._laser

    @property
    def power(self) -> Annotated[float, Unit("mW")]:
        """Power that was asked for."""
        return self._power

    @power.setter
    def power(self, value: float) -> None:
        self._power = value

    def __enter__(self) -> Channel:
        return self

    def __exit__(self, *reason: object) -> None:
        self._power = 0.0


@behavior(instance_mode="single")
@expose
class Laser(Service):
    """A laser.

    It is not a real one.
    """

    settled = Event("wavelength_nm", doc="The wavelength is what was asked for.")

    def __init__(self) -> None:
        self._wavelength = 1550.0
        self._first = Channel(self)

    @property
    def wavelength(self) -> Nanometres:
        """Wavelength in vacuum; it isn't "air"."""
        return self._wavelength

    @wavelength.setter
    def wavelength(self, value: Nanometres) -> None:
        self._wavelength = value

    @property
    def first(self) -> Channel:
        """The first output."""
        return self._first

    @property
    def last_file(self) -> Path | None:
        """Where the last sweep went."""
        return None

    def sweep(
        self,
        start: Nanometres,
        /,
        stop: Nanometres,
        *,
        points: int = 101,
        mode: Mode = Mode.CW,
        names: tuple[str, ...] = (),
    ) -> npt.NDArray[np.float64]:
        """Sweep.

        All points are equally far apart.
        """
        return np.linspace(start, stop, points)

    def spectrum(self) -> Spectrum:
        """A spectrum."""
        return Spectrum(None)

    def list(self, prefix: str = "") -> list[str]:
        """Its name hides a builtin one within the class."""
        return [prefix]

    def each(self, *powers: float, **labels: str) -> Iterator[float]:
        """One after the other."""
        yield from powers

    @oneway
    def beep(self) -> None:
        """Make a noise."""

    @staticmethod
    def detect() -> dict[str, Any]:
        """What there is."""
        return {}

    @classmethod
    def describe(cls, length: int = 5) -> str:
        """A text."""
        return "laser"[:length]
