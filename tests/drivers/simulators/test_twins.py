"""Any driver has a twin, by its base class, and the twins of one world see each other."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from pyrolab_drivers.analog_io import AnalogIO
from pyrolab_drivers.instrument import Identity, Instrument
from pyrolab_drivers.laser import Laser, TunableLaser
from pyrolab_drivers.motion import MotionAxis, Stage
from pyrolab_drivers.oscilloscope import Oscilloscope
from pyrolab_drivers.piezo import PiezoAxis
from pyrolab_drivers.power_meter import PowerMeter
from pyrolab_drivers.simulators.bench import chip_place_mm
from pyrolab_drivers.simulators.chip import PhotonicChip
from pyrolab_drivers.simulators.laser import SimulatedLaser
from pyrolab_drivers.simulators.motion import SimulatedAxis, SimulatedStage
from pyrolab_drivers.simulators.piezo import SimulatedPiezo
from pyrolab_drivers.simulators.twins import TWINS, twin_of
from pyrolab_drivers.simulators.world import World
from pyrolab_drivers.smu import SMU
from pyrolab_drivers.swept_laser import SweptLaser


def made(driver: type, world: World, *args: object, **kwargs: object) -> Any:
    twin = twin_of(driver, world)
    assert twin is not None
    instrument: Any = twin(*args, **kwargs)
    instrument.connect()
    return instrument


class SomeAxis(MotionAxis):
    """A rotation stage of some maker."""

    unit = "deg"

    def __init__(self, port: str, *, baudrate: int) -> None:
        raise AssertionError("a twin makes no driver")


@pytest.mark.parametrize("base", list(TWINS), ids=lambda base: base.__name__)
def test_every_base_class_has_a_twin_that_is_one_and_has_all_its_members(base: type) -> None:
    twin = twin_of(base, World())
    assert twin is not None
    assert issubclass(twin, base)
    assert not inspect.isabstract(twin)


def test_the_nearest_base_class_decides() -> None:
    world = World()
    assert issubclass(twin_of(PiezoAxis, world) or object, SimulatedPiezo)
    assert issubclass(twin_of(SomeAxis, world) or object, SimulatedAxis)
    for base in (Laser, TunableLaser, SweptLaser):
        assert issubclass(twin_of(base, world) or object, SimulatedLaser)


def test_a_twin_takes_the_arguments_of_the_driver_and_has_its_name_and_unit() -> None:
    axis = made(SomeAxis, World(), "/dev/ttyUSB0", baudrate=115200)
    assert type(axis).__name__ == "SimulatedSomeAxis"
    assert axis.unit == "deg"
    assert type(axis).__doc__ == "Simulated: A rotation stage of some maker."


def test_what_is_no_instrument_or_of_no_known_kind_has_no_twin() -> None:
    class Oven(Instrument):
        @property
        def identity(self) -> Identity:
            return Identity("", "", "")

        def _open(self) -> None: ...

        def _close(self) -> None: ...

    assert twin_of(Oven) is None
    assert twin_of(dict) is None


def test_what_is_simulated_already_stays_as_it_is() -> None:
    class Mine(SimulatedStage):
        pass

    assert twin_of(Mine) is Mine


def test_a_single_twin_finds_a_bench_that_is_aligned_and_lit() -> None:
    assert made(PowerMeter, World(7), "GPIB0::9::INSTR").power > 1e-5
    assert made(AnalogIO, World(7)).read_analog(1) > 0.1
    assert made(Oscilloscope, World(7)).trigger_sources == ("CH1", "CH2")


def test_twins_of_one_world_see_each_other_in_whatever_order_they_are_made() -> None:
    world = World(7)
    meter = made(PowerMeter, world)
    bright = meter.power
    laser = made(SweptLaser, world)
    assert meter.power < 1e-9
    laser.output_enabled = True
    assert meter.power == pytest.approx(bright, rel=0.02)
    laser.wavelength = PhotonicChip().ring.resonances(1549.0, 1552.0)[0]
    laser.wait()
    at_resonance = meter.power
    smu = made(SMU, world)
    smu.channels[1].apply_voltage(4.0, 0.05)
    heated = meter.power
    assert heated > 5 * at_resonance
    stage = made(Stage, world)
    assert meter.power < 1e-9
    x, y = chip_place_mm(7)
    stage.move_to({"x": x, "y": y})
    stage.wait()
    assert meter.power == pytest.approx(heated, rel=0.02)


def test_two_single_axes_are_a_stage() -> None:
    world = World(7)
    meter = made(PowerMeter, world)
    bright = meter.power
    x, y = made(MotionAxis, world), made(MotionAxis, world)
    assert meter.power < bright
    best_x, best_y = chip_place_mm(7)
    x.move_to(best_x)
    y.move_to(best_y)
    x.wait()
    y.wait()
    assert meter.power == pytest.approx(bright, rel=0.02)


def test_twins_of_different_worlds_do_not_meet() -> None:
    meter = made(PowerMeter, World(7))
    bright = meter.power
    made(Laser, World(7))
    assert meter.power == pytest.approx(bright, rel=0.02)
