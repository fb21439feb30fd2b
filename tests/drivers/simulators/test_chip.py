"""The chip obeys its formulae and loses no energy but where it says so."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrolab_drivers.simulators.chip import GratingCoupler, PhotonicChip, RingResonator, gaussian_overlap

WAVELENGTHS = np.linspace(1540.0, 1560.0, 200_001)
amplitudes = st.floats(0.5, 0.999)


def minima(transmission: np.ndarray) -> np.ndarray:
    inner = transmission[1:-1]
    return np.flatnonzero((inner < transmission[:-2]) & (inner < transmission[2:])) + 1


@given(r=amplitudes, a=amplitudes, wavelength=st.floats(1500, 1630))
def test_what_the_waveguide_misses_is_lost_in_the_ring(r: float, a: float, wavelength: float) -> None:
    ring = RingResonator(self_coupling=r, round_trip=a)
    transmitted, circulating = ring.transmission(wavelength), ring.circulating(wavelength)
    assert 0.0 <= float(transmitted) <= 1.0
    assert float(transmitted + (1 - a**2) * circulating) == pytest.approx(1.0, abs=1e-9)


@given(r=amplitudes, wavelength=st.floats(1500, 1630))
def test_a_ring_without_loss_passes_everything(r: float, wavelength: float) -> None:
    ring = RingResonator(self_coupling=r, round_trip=1.0)
    assert float(ring.transmission(wavelength)) == pytest.approx(1.0, abs=1e-9)


def test_critical_coupling_extinguishes_the_light_at_resonance() -> None:
    ring = RingResonator(self_coupling=0.97, round_trip=0.97)
    resonance = ring.resonances(1549.0, 1552.0)[0]
    assert float(ring.transmission(resonance)) == pytest.approx(0.0, abs=1e-9)


def test_dips_lie_at_the_resonances_and_one_free_spectral_range_apart() -> None:
    ring = RingResonator()
    found = WAVELENGTHS[minima(ring.transmission(WAVELENGTHS))]
    expected = ring.resonances(float(WAVELENGTHS[0]), float(WAVELENGTHS[-1]))
    step = float(WAVELENGTHS[1] - WAVELENGTHS[0])
    assert found == pytest.approx(expected, abs=step)
    for left, right in itertools.pairwise(expected):
        # the formula holds for small distances; between two dips λ² is their product
        assert right - left == pytest.approx(ring.free_spectral_range(math.sqrt(left * right)), rel=1e-6)


def test_a_dip_is_as_wide_as_the_formula_says_and_has_the_shape_of_lorentz() -> None:
    ring = RingResonator()
    centre, width = ring.resonances(1549.0, 1552.0)[0], ring.linewidth(1550.0)
    near = np.linspace(centre - 2 * width, centre + 2 * width, 4001)
    transmission = ring.transmission(near)
    depth = 1.0 - float(ring.transmission(centre))
    half = near[transmission < 1.0 - depth / 2]
    assert half[-1] - half[0] == pytest.approx(width, rel=0.01)
    lorentzian = 1.0 - depth / (1.0 + (2 * (near - centre) / width) ** 2)
    assert transmission == pytest.approx(lorentzian, abs=0.005)
    assert ring.quality_factor(centre) == pytest.approx(centre / width, rel=0.01)


def test_power_builds_up_in_the_ring_at_resonance_only() -> None:
    ring = RingResonator()
    on = ring.resonances(1549.0, 1552.0)[0]
    off = on + ring.free_spectral_range(on) / 2
    assert float(ring.circulating(on)) > 10 > 1 > float(ring.circulating(off))


@given(displacement=st.floats(0, 30), first=st.floats(1.0, 20.0), second=st.floats(1.0, 20.0))
def test_overlap_is_the_integral_of_the_two_modes(displacement: float, first: float, second: float) -> None:
    """η = |∫E₁·E₂ dA|² for modes of unit power: in y the integral is that of undisplaced modes."""
    axis = np.linspace(-100.0, 130.0, 4001)
    step = axis[1] - axis[0]
    one = np.exp(-((axis / first) ** 2)) * (2 / (math.pi * first**2)) ** 0.25
    two = np.exp(-(((axis - displacement) / second) ** 2)) * (2 / (math.pi * second**2)) ** 0.25
    still = np.exp(-((axis / second) ** 2)) * (2 / (math.pi * second**2)) ** 0.25
    integral = ((one * two).sum() * step) ** 2 * ((one * still).sum() * step) ** 2
    assert float(gaussian_overlap(displacement, first, second)) == pytest.approx(integral, abs=1e-6)


def test_equal_modes_lose_one_over_e_squared_at_root_two_radii() -> None:
    assert float(gaussian_overlap(0.0, 5.0, 5.0)) == pytest.approx(1.0)
    assert float(gaussian_overlap(5.0 * math.sqrt(2), 5.0, 5.0)) == pytest.approx(math.exp(-2))


def test_a_grating_has_its_passband_and_its_best_place() -> None:
    grating = GratingCoupler()
    edge = grating.centre_nm + grating.bandwidth_nm / 2
    assert float(grating.passband(edge)) == pytest.approx(grating.peak / 2)
    there = grating.coupling(grating.centre_nm, np.linspace(0, 20, 50), 5.2)
    assert float(there[0]) == pytest.approx(grating.peak)
    assert np.all(np.diff(there) < 0)


def test_the_chip_counts_both_gratings() -> None:
    chip = PhotonicChip()
    facet = chip.coupling(1550.0, 3.0)
    expected = facet**2 * chip.propagation * chip.ring.transmission(1550.0)
    assert float(chip.transmission(1550.0, 3.0)) == pytest.approx(float(expected))
    assert np.all(chip.transmission(WAVELENGTHS) < chip.grating.peak**2)
