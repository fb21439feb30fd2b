"""The simulated instruments as services: the few lines that put a driver on the bus.

A driver is an ordinary class that knows nothing of a bus. Here each gets its exposure, and those that
look at the bench get proxies of their neighbours, which run in other processes.
"""

from __future__ import annotations

from typing import Any, TypeVar

from pyrolab.api import Proxy, Service, expose
from pyrolab_drivers.simulators.laser import SimulatedLaser
from pyrolab_drivers.simulators.microscope import SimulatedMicroscope
from pyrolab_drivers.simulators.motion import SimulatedAxis, SimulatedStage
from pyrolab_drivers.simulators.oscilloscope import SimulatedOscilloscope
from pyrolab_drivers.simulators.power_meter import SimulatedPowerMeter
from pyrolab_drivers.simulators.smu import SimulatedSMU

ServiceClass = TypeVar("ServiceClass", bound=type[Service])


def on_the_bus(cls: ServiceClass) -> ServiceClass:
    """Expose all public members of a class and of the driver classes from which it is derived."""
    for part in cls.__mro__:
        if part is cls or part.__module__.startswith("pyrolab_drivers."):
            expose(part)
    return cls


def neighbour(uri: str) -> Any:
    """A proxy; what it offers is known when it connects, at its first use."""
    return Proxy(uri)


@on_the_bus
class Stage(SimulatedStage, Service):
    """The stage that carries the fibres; axes `x` and `y`, in mm."""


@on_the_bus
class Laser(SimulatedLaser, Service):
    """The tunable laser at the input fibre; wavelengths in nm, powers in dBm."""


@on_the_bus
class Focus(SimulatedAxis, Service):
    """The drive that moves the microscope up and down, in mm."""


@on_the_bus
class SourceMeter(SimulatedSMU, Service):
    """Channel 1 heats the ring, channel 2 is wired to a photodiode; V and A."""

    def __init__(self, stage: str, laser: str, seed: int = 0) -> None:
        super().__init__(neighbour(stage), neighbour(laser), seed)


@on_the_bus
class PowerMeter(SimulatedPowerMeter, Service):
    """The detector at the output fibre; powers in W. Neighbours are URIs or names."""

    def __init__(self, stage: str, laser: str, seed: int = 0, heater: str = "") -> None:
        warm = neighbour(heater) if heater else None
        super().__init__(neighbour(stage), neighbour(laser), seed, heater=warm)


@on_the_bus
class Microscope(SimulatedMicroscope, Service):
    """The camera above the chip. Neighbours are URIs or names."""

    def __init__(self, stage: str, laser: str, seed: int = 0, focus: str = "") -> None:
        drive = neighbour(focus) if focus else None
        super().__init__(neighbour(stage), neighbour(laser), seed, focus=drive)


@on_the_bus
class Oscilloscope(SimulatedOscilloscope, Service):
    """Channel 1 sees a detector at the output fibre, channel 2 the laser's trigger."""

    def __init__(self, stage: str, laser: str, seed: int = 0) -> None:
        super().__init__(neighbour(stage), neighbour(laser), seed)
