"""What a measurement of the chip finds, as data."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
#: Position of the stage: x and y in mm.
Place = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Spectrum:
    """Power through the chip over power of the laser, at each wavelength."""

    wavelength_nm: Array
    transmission: Array

    @property
    def decibels(self) -> Array:
        """Transmission in dB; what is at or below the noise of the detector is put at −90 dB."""
        return np.asarray(10 * np.log10(np.maximum(self.transmission, 1e-9)))


@dataclass(frozen=True, slots=True)
class Resonance:
    """One dip of the spectrum, as a fitted Lorentzian: 1 − depth / (1 + (2·(λ − centre)/width)²)."""

    centre_nm: float
    width_nm: float
    depth: float

    @property
    def quality_factor(self) -> float:
        """Loaded Q."""
        return self.centre_nm / self.width_nm

    @property
    def extinction_db(self) -> float:
        """How much weaker the light is in the dip than beside it."""
        return float(-10 * np.log10(max(1 - self.depth, 1e-9)))

    def shape(self, wavelength_nm: Array) -> Array:
        """The fitted curve, 1 far away."""
        distance = 2 * (wavelength_nm - self.centre_nm) / self.width_nm
        return np.asarray(1 - self.depth / (1 + distance**2))


@dataclass
class Alignment:
    """Every place that was tried (x, y in mm), with its power in W. The first `raster` are the search."""

    places: list[Place] = field(default_factory=list)
    powers: list[float] = field(default_factory=list)
    raster: int = 0

    @property
    def best(self) -> Place:
        """The place with the most light."""
        return self.places[int(np.argmax(self.powers))]


@dataclass(frozen=True)
class Pictures:
    """The chip at a resonance, and the column and row where the light of the input fibre lands."""

    image: NDArray[np.uint16]
    spot_px: tuple[float, float]
    um_per_px: float


@dataclass(frozen=True)
class Findings:
    """All that a measurement found; there is at least one resonance."""

    alignment: Alignment
    spectrum: Spectrum
    resonances: list[Resonance]
    pictures: Pictures
    insertion_loss_db: float

    @property
    def middle(self) -> Resonance:
        """The resonance in the middle."""
        return self.resonances[len(self.resonances) // 2]

    @property
    def free_spectral_range_nm(self) -> float:
        """Mean distance of neighbouring resonances; NaN with fewer than two."""
        centres = [each.centre_nm for each in self.resonances]
        return float(np.mean(np.diff(centres))) if len(centres) > 1 else float("nan")
