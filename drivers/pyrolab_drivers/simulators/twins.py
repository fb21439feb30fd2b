"""Which twin stands in for which driver: `twin_of(cls)`, by the base class that the driver has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from pyrolab_drivers.analog_io import AnalogIO
from pyrolab_drivers.camera import Camera
from pyrolab_drivers.digital_io import DigitalIO
from pyrolab_drivers.instrument import Instrument
from pyrolab_drivers.laser import Laser
from pyrolab_drivers.motion import MotionAxis, Stage
from pyrolab_drivers.oscilloscope import Oscilloscope
from pyrolab_drivers.piezo import PiezoAxis
from pyrolab_drivers.power_meter import PowerMeter
from pyrolab_drivers.signal_generator import SignalGenerator
from pyrolab_drivers.simulators.io import SimulatedAnalogIO, SimulatedDigitalIO
from pyrolab_drivers.simulators.laser import SimulatedLaser
from pyrolab_drivers.simulators.microscope import SimulatedMicroscope
from pyrolab_drivers.simulators.motion import SimulatedAxis, SimulatedStage
from pyrolab_drivers.simulators.oscilloscope import SimulatedOscilloscope
from pyrolab_drivers.simulators.piezo import SimulatedPiezo
from pyrolab_drivers.simulators.power_meter import SimulatedPowerMeter
from pyrolab_drivers.simulators.signal_generator import SimulatedSignalGenerator
from pyrolab_drivers.simulators.smu import SimulatedSMU
from pyrolab_drivers.simulators.world import World
from pyrolab_drivers.smu import SMU

#: A driver's class, or a twin's: any class of instruments.
InstrumentClass = type[Instrument]
Arguments = Callable[[World], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Twin:
    """A twin, its place on the bench, and the arguments that it is made with in a world."""

    twin: InstrumentClass
    place: str
    arguments: Arguments


def _seed(world: World) -> dict[str, Any]:
    return {"seed": world.seed}


def _axis(world: World) -> dict[str, Any]:
    return {"serial": str(world.seed)}


def _at_the_chip(world: World) -> dict[str, Any]:
    return {"stage": world.neighbour("stage"), "laser": world.neighbour("laser"), "seed": world.seed}


def _meter(world: World) -> dict[str, Any]:
    return _at_the_chip(world) | {name: world.neighbour(name) for name in ("heater", "piezo")}


def _microscope(world: World) -> dict[str, Any]:
    return _at_the_chip(world) | {name: world.neighbour(name) for name in ("heater", "piezo", "focus")}


def _scope(world: World) -> dict[str, Any]:
    return _at_the_chip(world) | {name: world.neighbour(name) for name in ("heater", "modulator")}


#: The twin of each base class. A driver gets that of the nearest of its bases.
TWINS: dict[type, Twin] = {
    Laser: Twin(SimulatedLaser, "laser", _seed),
    MotionAxis: Twin(SimulatedAxis, "axis", _axis),
    PiezoAxis: Twin(SimulatedPiezo, "piezo", _seed),
    Stage: Twin(SimulatedStage, "stage", _seed),
    PowerMeter: Twin(SimulatedPowerMeter, "", _meter),
    Camera: Twin(SimulatedMicroscope, "", _microscope),
    SMU: Twin(SimulatedSMU, "heater", _at_the_chip),
    Oscilloscope: Twin(SimulatedOscilloscope, "", _scope),
    SignalGenerator: Twin(SimulatedSignalGenerator, "modulator", _seed),
    DigitalIO: Twin(SimulatedDigitalIO, "", _seed),
    AnalogIO: Twin(SimulatedAnalogIO, "", _at_the_chip),
}


@cache
def this_world() -> World:
    """The world of this process, in which twins meet unless they are told of another."""
    return World()


def twin_of(driver: type, world: World | None = None) -> InstrumentClass | None:
    """The class that stands in for `driver`, or None if that has none of the base classes.

    It takes any arguments, those of the driver, and ignores them. Twins of one world see each other. What is
    simulated already is its own twin.
    """
    if not issubclass(driver, Instrument):
        return None
    if issubclass(driver, tuple(entry.twin for entry in TWINS.values())):
        return driver
    found = next((TWINS[base] for base in driver.__mro__ if base in TWINS), None)
    return None if found is None else _adapted(driver, found, world)


def _adapted(driver: InstrumentClass, entry: Twin, world: World | None) -> InstrumentClass:
    """A subclass of the twin with the name of the driver and a constructor that ignores its arguments."""

    def make(self: Any, *args: object, **kwargs: object) -> None:
        home = world or this_world()
        entry.twin.__init__(self, **entry.arguments(home))
        home.put(entry.place, self)

    members: dict[str, Any] = {
        "__init__": make,
        "__module__": driver.__module__,
        "__doc__": f"Simulated: {driver.__doc__ or driver.__name__}",
    }
    if issubclass(driver, MotionAxis):
        members["unit"] = driver.unit
    return type(f"Simulated{driver.__name__}", (entry.twin,), members)
