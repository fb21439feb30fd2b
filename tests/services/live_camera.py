"""The simulated microscope, hosted as it is."""

from __future__ import annotations

from types import MappingProxyType

from pyrolab.api import behavior
from pyrolab_drivers.simulators.microscope import SimulatedMicroscope


class _Stage:
    """A stage at rest."""

    position = MappingProxyType({"x": 0.0, "y": 0.0})


class _Laser:
    """A laser that nobody tunes."""

    wavelength, power = 1550.0, 1.0


@behavior(instance_mode="single", exposure="public")
class LiveCamera(SimulatedMicroscope):
    """A microscope above a chip that nothing moves."""

    def __init__(self) -> None:
        super().__init__(_Stage(), _Laser())

    def published(self) -> int:
        """How many live images there have been, when none is being taken."""
        live = self._live
        if live is not None and not self.frames.wanted:
            live.join()
        return int(self.frames.published)
