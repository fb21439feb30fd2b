"""Twins of drivers with enumerations and channels, as a bus sees them that was told nothing about them."""

from __future__ import annotations

from pyrolab.api import behavior
from pyrolab_drivers.simulators.laser import SimulatedLaser
from pyrolab_drivers.simulators.smu import SimulatedSMU


@behavior(instance_mode="single", exposure="public")
class SweptLaser(SimulatedLaser):
    """A laser that sweeps."""


@behavior(instance_mode="single", exposure="public")
class SourceMeter(SimulatedSMU):
    """A source-measure unit."""
