"""The camera that Aravis simulates within a process, as a service."""

from __future__ import annotations

from drivers.cameras import gi_here
from pyrolab.api import behavior
from pyrolab_drivers.cameras.aravis import AravisCamera

assert gi_here.FAKE_CAMERA


@behavior(instance_mode="single", exposure="public")
class FakeCamera(AravisCamera):
    """Aravis' own."""

    def __init__(self) -> None:
        super().__init__("Fake_1", simulated=True)
        self.connect()
