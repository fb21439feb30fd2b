"""Rohde & Schwarz instruments."""

from pyrolab_drivers.rohde_schwarz.rto import RohdeSchwarzRTO, RTOChannel, WaveformFormat
from pyrolab_drivers.rohde_schwarz.smcv100b import SMCV100B

__all__ = ["SMCV100B", "RTOChannel", "RohdeSchwarzRTO", "WaveformFormat"]
