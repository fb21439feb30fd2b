"""A simulated Firmata board in a worker, driven by the driver there."""

from __future__ import annotations

from pyrolab.api import behavior
from pyrolab_drivers.boards.firmata import FirmataBoard
from pyrolab_drivers.simulators.firmata_device import FirmataDevice, FirmataOnPty


@behavior(instance_mode="single", exposure="public")
class Board(FirmataBoard):
    """An Arduino Uno, with pin 7 driven and channel 0 at 1.25 V."""

    def __init__(self) -> None:
        self._simulated = FirmataOnPty(FirmataDevice())
        self._simulated.device.drive(7, True)
        self._simulated.device.apply(0, 1.25)
        super().__init__(self._simulated.port)
        self.connect()
