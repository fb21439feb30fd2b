"""Faults on demand: late, lost and unreadable replies, and instruments that are switched off."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from pyrolab_drivers.quantities import OutOfRange
from pyrolab_drivers.simulators.faults import Faults
from pyrolab_drivers.simulators.laser import SimulatedLaser
from pyrolab_drivers.simulators.motion import SimulatedStage
from pyrolab_drivers.simulators.power_meter import SimulatedPowerMeter
from pyrolab_drivers.simulators.smu import SimulatedSMU
from pyrolab_drivers.simulators.twins import TWINS, twin_of
from pyrolab_drivers.simulators.world import World


def outcomes(action: Callable[[], object], times: int) -> Counter[str]:
    found: Counter[str] = Counter()
    for _ in range(times):
        try:
            action()
            found["ok"] += 1
        except (TimeoutError, ValueError, ConnectionError) as error:
            found[type(error).__name__] += 1
    return found


def test_lost_and_unreadable_replies_come_as_often_as_they_are_asked_for_and_the_same_each_time() -> None:
    def found(seed: int) -> Counter[str]:
        with SimulatedLaser() as laser:
            laser.faults = Faults(drop=0.2, garbage=0.1, seed=seed)
            return outcomes(lambda: laser.wavelength, 2000)

    first = found(1)
    assert first == found(1)
    assert first != found(2)
    assert first["TimeoutError"] == pytest.approx(400, abs=60)
    assert first["ValueError"] == pytest.approx(160, abs=50)


def test_a_switched_off_instrument_comes_back_as_it_was() -> None:
    with SimulatedLaser() as laser:
        laser.power_setpoint = 3.0
        laser.faults.offline = True
        for action in (lambda: laser.wavelength, lambda: laser.power, laser.stop):
            with pytest.raises(ConnectionError, match="is switched off"):
                action()
        with pytest.raises(ConnectionError):
            laser.power_setpoint = 5.0
        laser.faults.offline = False
        assert laser.power_setpoint == 3.0


def test_what_is_switched_off_cannot_be_connected() -> None:
    laser = SimulatedLaser()
    laser.faults.offline = True
    with pytest.raises(ConnectionError):
        laser.connect()
    assert not laser.connected
    laser.faults.clear()
    laser.connect()
    assert laser.connected


def test_a_late_reply_is_awaited_and_a_setting_that_failed_changes_nothing() -> None:
    with SimulatedLaser() as laser:
        laser.faults.latency_s = 0.001
        assert laser.wavelength == 1550.0
        laser.faults.drop = 1.0
        with pytest.raises(TimeoutError, match="did not answer"):
            laser.power_setpoint = 5.0
        laser.faults.clear()
        assert laser.power_setpoint == 0.0


def test_the_faults_of_one_instrument_do_not_move_the_others() -> None:
    """A power meter goes on seeing the light of a laser whose cable was pulled."""
    with (
        SimulatedStage(7) as stage,
        SimulatedLaser(7) as laser,
        SimulatedPowerMeter(stage, laser, 7) as meter,
    ):
        laser.output_enabled = True
        laser.faults.offline = stage.faults.offline = True
        assert meter.power < 1e-3
        with pytest.raises(ConnectionError):
            stage.move_to({"x": 0.0})
        with pytest.raises(ConnectionError):
            _ = stage.position


def test_channels_have_the_faults_of_their_instrument() -> None:
    with SimulatedSMU() as smu:
        smu.faults.garbage = 1.0
        with pytest.raises(ValueError, match="which is no value"):
            _ = smu.channels[1].voltage


@pytest.mark.parametrize("values", [{"drop": 1.1}, {"garbage": -0.1}, {"latency_s": float("nan")}])
def test_impossible_faults_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(OutOfRange):
        Faults(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize("base", list(TWINS), ids=lambda base: base.__name__)
def test_every_twin_takes_faults(base: type) -> None:
    twin: Any = twin_of(base, World(7))
    instrument = twin()
    faults = Faults(offline=True)
    instrument.faults = faults
    assert instrument.faults is faults
    with pytest.raises(ConnectionError):
        instrument.connect()
    faults.offline = False
    with instrument:
        assert instrument.connected
