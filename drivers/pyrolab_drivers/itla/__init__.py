"""Tunable laser modules that speak the OIF's ITLA protocol."""

from pyrolab_drivers.itla.errors import ItlaError, OutputIsOn
from pyrolab_drivers.itla.itla import ITLALaser
from pyrolab_drivers.itla.ppcl550 import PPCL550, NoiseMode

__all__ = ["PPCL550", "ITLALaser", "ItlaError", "NoiseMode", "OutputIsOn"]
