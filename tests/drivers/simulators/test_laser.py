"""The simulated laser: limits, the way to a new wavelength, power."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrolab_drivers.laser import SPEED_OF_LIGHT_NM_THZ
from pyrolab_drivers.quantities import NotConnected, OutOfRange
from pyrolab_drivers.simulators.laser import SimulatedLaser, Tuning

wavelengths = st.floats(1500, 1630)


@given(start=wavelengths, target=wavelengths)
def test_tuning_comes_nearer_all_the_time_and_never_faster_than_it_can(start: float, target: float) -> None:
    tuning = Tuning(start, target)
    moments = [k * 0.01 for k in range(200)]
    errors = [abs(tuning.wavelength(t) - target) for t in moments]
    assert errors[0] == pytest.approx(abs(start - target))
    assert all(late <= early for early, late in itertools.pairwise(errors))
    assert all(early - late <= 1.0 + 1e-9 for early, late in itertools.pairwise(errors))
    assert errors[-1] < 1e-4


def test_a_new_wavelength_settles() -> None:
    time = [0.0]
    with SimulatedLaser(clock=lambda: time[0]) as laser:
        assert laser.settled
        laser.wavelength = 1560.0
        assert not laser.settled
        time[0] += 0.05
        assert 1550.0 < laser.wavelength < 1560.0
        time[0] += 1.0
        assert laser.settled
        assert laser.wavelength == pytest.approx(1560.0, abs=1e-4)
        laser.frequency = 195.0
        time[0] += 1.0
        assert laser.wavelength == pytest.approx(SPEED_OF_LIGHT_NM_THZ / 195.0, abs=1e-4)


def test_wait_returns_when_it_has_settled() -> None:
    with SimulatedLaser() as laser:
        laser.wavelength = 1551.0
        laser.wait()
        assert laser.settled


@pytest.mark.parametrize("wavelength", [1499.9, 1630.1, math.nan])
def test_a_wavelength_out_of_range_changes_nothing(wavelength: float) -> None:
    with SimulatedLaser() as laser:
        with pytest.raises(OutOfRange, match="wavelength can be 1500 to 1630 nm"):
            laser.wavelength = wavelength
        assert laser.wavelength == 1550.0


def test_frequency_and_power_have_limits_too() -> None:
    with SimulatedLaser() as laser:
        with pytest.raises(OutOfRange, match=r"frequency can be 183\.922 to 199\.862 THz"):
            laser.frequency = 100.0
        laser.frequency = SPEED_OF_LIGHT_NM_THZ / 1630.0
        with pytest.raises(OutOfRange, match="power can be -15 to 13 dBm, not 20 dBm"):
            laser.power_setpoint = 20.0


def test_no_light_leaves_before_it_is_switched_on_or_after_stop() -> None:
    with SimulatedLaser() as laser:
        laser.power_setpoint = 3.0
        assert laser.power == -math.inf
        laser.output_enabled = True
        assert laser.power == 3.0
        laser.stop()
        assert laser.power == -math.inf
        laser.output_enabled = True
    with laser:
        assert not laser.output_enabled


def test_a_closed_laser_says_so() -> None:
    with pytest.raises(NotConnected, match="Simulated tunable laser"):
        SimulatedLaser().wavelength = 1550.0
