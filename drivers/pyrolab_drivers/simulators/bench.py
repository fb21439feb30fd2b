"""The optical bench: where the stage, the laser, the chip, the detector and the camera meet.

An instrument on the bench sees its neighbours only through what they say of themselves, such as `position`,
or `wavelength` and `power`. So a neighbour can be a plain object or a proxy of one in another process. Twins
also have `actual_…`, which their neighbours ask for first: a faulty connection does not move a stage.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from pyrolab_drivers.power_meter import watts_from_dbm
from pyrolab_drivers.quantities import DecibelMilliwatts, Micrometres, Millimetres, Nanometres, Watts
from pyrolab_drivers.simulators.chip import PhotonicChip

_Default = TypeVar("_Default")


class Positioner(Protocol):
    """Anything that says where it is: a stage, or a proxy of one."""

    @property
    def position(self) -> Mapping[str, float]:
        """Position of the axes `x` and `y`, in mm."""
        ...


class LightSource(Protocol):
    """Anything that says what light it emits: a laser, or a proxy of one."""

    @property
    def wavelength(self) -> Nanometres:
        """Wavelength now, in nm."""
        ...

    @property
    def power(self) -> DecibelMilliwatts:
        """Power now, in dBm."""
        ...


class HeatSource(Protocol):
    """Anything that heats the ring: a source-measure unit, or a proxy of one."""

    @property
    def heater_power(self) -> Watts:
        """Electrical power in the heater now, in W."""
        ...


class FineAxis(Protocol):
    """Anything with one position: a piezo on the stage (µm), the focus drive of the microscope (mm)."""

    @property
    def position(self) -> float:
        """Position now, in its unit."""
        ...


@dataclass(frozen=True, slots=True)
class Light:
    """What light is where at one moment, in W, and how far the fibre array is from its best place, in µm."""

    offset_um: tuple[Micrometres, Micrometres]
    wavelength_nm: Nanometres
    #: In the input fibre.
    launched: Watts
    #: In the waveguide behind the input grating, in the ring, and in the waveguide before the output grating.
    entering: Watts
    circulating: Watts
    arriving: Watts
    #: In the output fibre.
    transmitted: Watts


def chip_place_mm(seed: int) -> tuple[Millimetres, Millimetres]:
    """Stage position where the fibres face the gratings; a chip put down by hand, within 45 µm of (0, 0)."""
    x, y = np.random.default_rng(seed).uniform(-0.045, 0.045, size=2)
    return (float(x), float(y))


def focus_place_mm(seed: int) -> Millimetres:
    """Position of the focus drive where the microscope sees the chip sharply, within 80 µm of 0."""
    return float(np.random.default_rng([seed, 5]).uniform(-0.08, 0.08))


def actual(neighbour: Any, name: str, otherwise: _Default) -> Any | _Default:
    """What a twin is and not only says, even while it is switched off; `otherwise` for what is no twin."""
    return getattr(neighbour, f"actual_{name}", otherwise)


@dataclass(frozen=True)
class OpticalBench:
    """A chip under a fibre array that `stage` moves, and `piezo` a little more along x, fed by `laser`.

    `heater` warms the ring. Benches made with the same seed are the same bench, in whatever process they are.
    """

    stage: Positioner
    laser: LightSource
    seed: int = 0
    chip: PhotonicChip = field(default_factory=PhotonicChip)
    heater: HeatSource | None = None
    piezo: FineAxis | None = None

    @property
    def aligned_mm(self) -> tuple[Millimetres, Millimetres]:
        """The best stage position. A measurement has to find it; only tests may ask."""
        return chip_place_mm(self.seed)

    def light(self) -> Light:
        """Ask the neighbours, and work out where their light goes."""
        offset, chip = self.offset_um(), self.chip_now()
        emitted = actual(self.laser, "light", None)
        wavelength, dbm = emitted or (self.laser.wavelength, self.laser.power)
        launched = watts_from_dbm(dbm)
        facet = float(chip.coupling(wavelength, math.hypot(*offset)))
        entering = launched * facet
        arriving = entering * float(chip.guided(wavelength))
        return Light(
            offset_um=offset,
            wavelength_nm=wavelength,
            launched=launched,
            entering=entering,
            circulating=entering * float(chip.ring.circulating(wavelength)),
            arriving=arriving,
            transmitted=arriving * facet,
        )

    def transmission(self, wavelengths: NDArray[np.float64]) -> NDArray[np.float64]:
        """Fraction of the power that reaches the output fibre at each wavelength, with the bench as it is."""
        return self.chip_now().transmission(wavelengths, math.hypot(*self.offset_um()))

    def chip_now(self) -> PhotonicChip:
        """The chip, as warm as it is now."""
        if self.heater is None:
            return self.chip
        power = actual(self.heater, "heater_power", None)
        return self.chip.heated(self.heater.heater_power if power is None else power)

    def offset_um(self) -> tuple[Micrometres, Micrometres]:
        """How far the fibre array is from its best place."""
        place = actual(self.stage, "position", None) or self.stage.position
        best_x, best_y = self.aligned_mm
        fine = 0.0 if self.piezo is None else actual(self.piezo, "position", None)
        if fine is None and self.piezo is not None:
            fine = self.piezo.position
        return (1e3 * (place["x"] - best_x) + float(fine or 0.0), 1e3 * (place["y"] - best_y))
