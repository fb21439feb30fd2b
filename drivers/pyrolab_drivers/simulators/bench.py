"""The optical bench: where the stage, the laser, the chip, the detector and the camera meet.

An instrument on the bench sees its neighbours only through what they say of themselves, `position` or
`wavelength` and `power`. So a neighbour can be a plain object or a proxy of one in another process.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from pyrolab_drivers.power_meter import watts_from_dbm
from pyrolab_drivers.quantities import DecibelMilliwatts, Micrometres, Millimetres, Nanometres, Watts
from pyrolab_drivers.simulators.chip import PhotonicChip


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


@dataclass(frozen=True)
class OpticalBench:
    """A chip under a fibre array that `stage` moves, fed by `laser`.

    Benches made with the same seed are the same bench, in whatever process they are.
    """

    stage: Positioner
    laser: LightSource
    seed: int = 0
    chip: PhotonicChip = field(default_factory=PhotonicChip)

    @property
    def aligned_mm(self) -> tuple[Millimetres, Millimetres]:
        """The best stage position. A measurement has to find it; only tests may ask."""
        return chip_place_mm(self.seed)

    def light(self) -> Light:
        """Ask the neighbours, and work out where their light goes."""
        position = self.stage.position
        best_x, best_y = self.aligned_mm
        offset = (1e3 * (position["x"] - best_x), 1e3 * (position["y"] - best_y))
        return self._propagate(offset, self.laser.wavelength, watts_from_dbm(self.laser.power))

    def _propagate(self, offset: tuple[float, float], wavelength: Nanometres, launched: Watts) -> Light:
        facet = float(self.chip.coupling(wavelength, math.hypot(*offset)))
        entering = launched * facet
        arriving = entering * float(self.chip.guided(wavelength))
        return Light(
            offset_um=offset,
            wavelength_nm=wavelength,
            launched=launched,
            entering=entering,
            circulating=entering * float(self.chip.ring.circulating(wavelength)),
            arriving=arriving,
            transmitted=arriving * facet,
        )
