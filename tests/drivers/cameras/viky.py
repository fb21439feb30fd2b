"""The three simulated GenICam cameras that come with the wheel of `genicam`, as services."""

from __future__ import annotations

import threading
from pathlib import Path

import genicam

from pyrolab.api import behavior
from pyrolab_drivers.cameras.genicam import GenICamCamera

VIKY = Path(str(genicam.__file__)).with_name("viky.cti")
GREEN, RED, BLUE = (f"VikyTL_DEV_{colour}" for colour in ("green", "red", "blue"))


class VikyService(GenICamCamera):
    """What a test wants to know from the worker."""

    def threads(self) -> list[str]:
        """The threads that take images."""
        return [each.name for each in threading.enumerate() if each.name == "live images"]

    def streaming(self) -> bool:
        """Whether the camera itself sends images."""
        with self._sensor:
            return bool(self._acquirer.is_acquiring())


@behavior(instance_mode="single", exposure="public")
class GreenCamera(VikyService):
    """One of them."""

    def __init__(self) -> None:
        super().__init__(VIKY, id=GREEN, pixel_size=5.0)
        self.connect()


@behavior(instance_mode="single", exposure="public")
class RedCamera(VikyService):
    """Another, in the same process."""

    def __init__(self) -> None:
        super().__init__(VIKY, id=RED)
        self.connect()
