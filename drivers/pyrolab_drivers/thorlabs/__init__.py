"""Thorlabs' controllers that speak APT over a serial line: no vendor library, no Windows."""

from pyrolab_drivers.thorlabs.apt_connection import AptError
from pyrolab_drivers.thorlabs.bpc303 import BPC303, BPC303Channel
from pyrolab_drivers.thorlabs.kdc101 import KDC101, KDC101Rotation, MoveFailed
from pyrolab_drivers.thorlabs.stages import STAGES, ServoStage

__all__ = [
    "BPC303",
    "KDC101",
    "STAGES",
    "AptError",
    "BPC303Channel",
    "KDC101Rotation",
    "MoveFailed",
    "ServoStage",
]
