"""The physics of a photonic chip: a waveguide with a ring resonator, between two grating couplers.

Pure functions of wavelength (nm, scalars or arrays) and of displacement (µm). Powers are fractions
between 0 and 1. Nothing here knows of time, of noise, or of instruments.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyrolab_drivers.quantities import Micrometres, Nanometres, Ohms, Volts, Watts

Array = NDArray[np.float64]


def gaussian_overlap(displacement: ArrayLike, radius_1: Micrometres, radius_2: Micrometres) -> Array:
    """Fraction of the power of one Gaussian mode that enters another, displaced sideways by `displacement`.

    Radii are the 1/e² radii of intensity, all lengths in µm. For parallel beams with their waists in one
    plane, η = (2 w₁ w₂ / (w₁² + w₂²))² · exp(−2 d² / (w₁² + w₂²)).
    Source: W. B. Joyce, B. C. DeLoach, "Alignment of Gaussian beams", Applied Optics 23, 4187 (1984).
    """
    squares = radius_1**2 + radius_2**2
    return np.asarray(
        (2 * radius_1 * radius_2 / squares) ** 2
        * np.exp(-2 * np.square(np.asarray(displacement, dtype=float)) / squares)
    )


@dataclass(frozen=True, slots=True)
class RingResonator:
    """A ring beside one straight waveguide (all-pass filter), in the linear regime.

    `self_coupling` is r, the part of the amplitude that stays in the waveguide at the coupler, without loss:
    r² + κ² = 1. `round_trip` is a, the part of the amplitude that is left after one turn. With the phase of
    one turn φ = 2π·n_eff·L/λ, the waveguide transmits T = (a² − 2ra·cos φ + r²) / (1 − 2ra·cos φ + r²a²).
    Source: W. Bogaerts et al., "Silicon microring resonators", Laser & Photonics Reviews 6, 47 (2012),
    equations 2 (T), 8 (width), 10 (free spectral range).
    """

    radius_um: Micrometres = 40.0
    #: n_eff and n_g at `reference_nm`; typical of a 500 nm × 220 nm silicon wire in oxide.
    effective_index: float = 2.44
    group_index: float = 4.2
    reference_nm: Nanometres = 1550.0
    self_coupling: float = 0.960
    round_trip: float = 0.972

    @property
    def length_nm(self) -> Nanometres:
        """Circumference, in nm."""
        return 2 * math.pi * self.radius_um * 1e3

    def phase(self, wavelength_nm: ArrayLike) -> Array:
        """Phase of one turn, in rad; n_eff varies linearly so that n_g = n_eff − λ·dn_eff/dλ."""
        wavelength = np.asarray(wavelength_nm, dtype=float)
        slope = (self.effective_index - self.group_index) / self.reference_nm
        index = self.effective_index + slope * (wavelength - self.reference_nm)
        return np.asarray(2 * math.pi * index * self.length_nm / wavelength)

    def warmed(self, kelvin: float) -> RingResonator:
        """The ring, so much warmer: its index is greater by dn/dT, so its resonances lie at longer waves.

        Source: dn/dT of silicon at 1.55 µm and room temperature, 1.86·10⁻⁴ /K, J. Komma et al., Applied
        Physics Letters 101, 041905 (2012); the slope of the index is taken as constant.
        """
        change = 1.86e-4 * kelvin
        return replace(
            self, effective_index=self.effective_index + change, group_index=self.group_index + change
        )

    def _denominator(self, wavelength_nm: ArrayLike) -> Array:
        ra = self.self_coupling * self.round_trip
        return np.asarray(1 - 2 * ra * np.cos(self.phase(wavelength_nm)) + ra**2)

    def transmission(self, wavelength_nm: ArrayLike) -> Array:
        """Fraction of the power that passes along the waveguide."""
        r, a = self.self_coupling, self.round_trip
        above = a**2 - 2 * r * a * np.cos(self.phase(wavelength_nm)) + r**2
        return np.asarray(above / self._denominator(wavelength_nm))

    def circulating(self, wavelength_nm: ArrayLike) -> Array:
        """Power in the ring just behind the coupler, in units of the power in the waveguide.

        At resonance it is greater than 1. What is lost in one turn, (1 − a²) of it, is what the
        waveguide misses: transmission + (1 − a²)·circulating = 1.
        """
        return np.asarray((1 - self.self_coupling**2) / self._denominator(wavelength_nm))

    def free_spectral_range(self, wavelength_nm: Nanometres) -> Nanometres:
        """Distance between neighbouring resonances, λ² / (n_g·L), in nm."""
        return wavelength_nm**2 / (self.group_index * self.length_nm)

    def linewidth(self, wavelength_nm: Nanometres) -> Nanometres:
        """Full width of a resonance at half its depth, (1 − ra)·λ² / (π·n_g·L·√(ra)), in nm."""
        ra = self.self_coupling * self.round_trip
        return (1 - ra) * self.free_spectral_range(wavelength_nm) / (math.pi * math.sqrt(ra))

    def quality_factor(self, wavelength_nm: Nanometres) -> float:
        """Loaded Q: the wavelength over the linewidth."""
        return wavelength_nm / self.linewidth(wavelength_nm)

    def resonances(self, start_nm: Nanometres, stop_nm: Nanometres) -> list[float]:
        """Wavelengths in nm between the two at which the phase is a whole number of turns, ascending."""
        turns = self.phase([start_nm, stop_nm]) / (2 * math.pi)
        orders = range(math.ceil(turns.min()), math.floor(turns.max()) + 1)
        # n_eff is linear in λ, so φ(λ) = 2π·m is solved by λ = L·intercept / (m − L·slope).
        slope = (self.effective_index - self.group_index) / self.reference_nm
        intercept = self.group_index
        return sorted(self.length_nm * intercept / (m - self.length_nm * slope) for m in orders)


@dataclass(frozen=True, slots=True)
class GratingCoupler:
    """A grating that couples a fibre above the chip to a waveguide; symmetric in its two directions."""

    centre_nm: Nanometres = 1552.0
    #: Full width of the passband at half the power.
    bandwidth_nm: Nanometres = 60.0
    #: Fraction coupled at the centre of the band with a fibre in the best place: −3.5 dB.
    peak: float = 10**-0.35
    #: 1/e² radius of the mode above the grating.
    mode_radius_um: Micrometres = 5.4

    def passband(self, wavelength_nm: ArrayLike) -> Array:
        """Fraction coupled at the best place: `peak` times a Gaussian in wavelength."""
        distance = (np.asarray(wavelength_nm, dtype=float) - self.centre_nm) / self.bandwidth_nm
        return np.asarray(self.peak * np.exp(-4 * math.log(2) * distance**2))

    def coupling(self, wavelength_nm: ArrayLike, displacement_um: ArrayLike, fibre_um: Micrometres) -> Array:
        """Fraction coupled into a fibre of mode radius `fibre_um` that is displaced by `displacement_um`."""
        best = gaussian_overlap(0.0, self.mode_radius_um, fibre_um)
        overlap = gaussian_overlap(displacement_um, self.mode_radius_um, fibre_um) / best
        return np.asarray(self.passband(wavelength_nm) * overlap)


@dataclass(frozen=True, slots=True)
class Heater:
    """A strip of metal above the ring: a resistor that warms it. P = V²/R, ΔT = R_th·P."""

    resistance: Ohms = 500.0
    #: Kelvins for each watt: some 40 mW move the resonances by one free spectral range.
    kelvin_per_watt: float = 830.0
    #: It burns through beyond this.
    max_voltage: Volts = 6.0

    def warming(self, power: Watts) -> float:
        """How much warmer the ring is, in K."""
        return self.kelvin_per_watt * power


@dataclass(frozen=True, slots=True)
class PhotonicChip:
    """The chip under test, and where its parts lie: in µm from the middle of the view, x right and y up."""

    ring: RingResonator = field(default_factory=RingResonator)
    grating: GratingCoupler = field(default_factory=GratingCoupler)
    heater: Heater = field(default_factory=Heater)
    #: Distance of the gratings and of the fibres in their array: 127 µm is the telecom standard.
    pitch_um: Micrometres = 127.0
    grating_y_um: Micrometres = -85.0
    bus_y_um: Micrometres = 10.0
    bend_radius_um: Micrometres = 20.0
    #: Distance between the edges of the ring and of the waveguide, as drawn.
    gap_um: Micrometres = 1.2
    waveguide_um: Micrometres = 1.4
    #: Propagation loss of silicon wires, 2 dB/cm, over the length of the waveguide.
    loss_db_per_cm: float = 2.0
    #: 1/e² mode radius of standard single-mode fibre at 1550 nm.
    fibre_um: Micrometres = 5.2

    @property
    def input_um(self) -> tuple[Micrometres, Micrometres]:
        """Middle of the input grating."""
        return (-self.pitch_um / 2, self.grating_y_um)

    @property
    def output_um(self) -> tuple[Micrometres, Micrometres]:
        """Middle of the output grating."""
        return (self.pitch_um / 2, self.grating_y_um)

    @property
    def ring_um(self) -> tuple[Micrometres, Micrometres]:
        """Middle of the ring."""
        return (0.0, self.bus_y_um + self.ring.radius_um + self.gap_um + self.waveguide_um)

    @property
    def propagation(self) -> float:
        """Fraction of the power that is left after the waveguide."""
        length_um = self.pitch_um + 2 * (self.bus_y_um - self.grating_y_um)
        return float(10 ** (-self.loss_db_per_cm * length_um * 1e-4 / 10))

    def heated(self, power: Watts) -> PhotonicChip:
        """The chip while so much power goes into its heater."""
        return replace(self, ring=self.ring.warmed(self.heater.warming(power))) if power else self

    def coupling(self, wavelength_nm: ArrayLike, displacement_um: ArrayLike) -> Array:
        """Fraction coupled by one grating, with the fibre array displaced by `displacement_um`."""
        return self.grating.coupling(wavelength_nm, displacement_um, self.fibre_um)

    def guided(self, wavelength_nm: ArrayLike) -> Array:
        """Fraction of the power in the waveguide at the input grating that arrives at the output grating."""
        return np.asarray(self.propagation * self.ring.transmission(wavelength_nm))

    def transmission(self, wavelength_nm: ArrayLike, displacement_um: ArrayLike = 0.0) -> Array:
        """Fraction of the power in the input fibre that reaches the output fibre.

        Both fibres sit in one array, so both are displaced alike and the overlap counts twice.
        """
        facet = self.coupling(wavelength_nm, displacement_um)
        return np.asarray(facet**2 * self.guided(wavelength_nm))
