"""A simulated microscope camera that looks down on the chip, 1280 × 1024 pixels of 16 bits."""

from __future__ import annotations

import threading
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pyrolab_drivers.camera import Camera, Image, Region
from pyrolab_drivers.instrument import Identity
from pyrolab_drivers.quantities import Micrometres, Seconds
from pyrolab_drivers.simulators.bench import LightSource, OpticalBench, Positioner
from pyrolab_drivers.simulators.scene import Grid, Scene

#: Electrons per second in a pixel that sees a perfect mirror.
ELECTRONS_PER_S = 1.5e6
#: Electrons at which a pixel saturates; they fill the 16 bits.
FULL_WELL = 30_000
#: Standard deviation of reading a pixel, in electrons.
READ_NOISE = 2.5
#: What a pixel reads without any light, in counts.
BLACK_LEVEL = 100


class SimulatedMicroscope(Camera):
    """Sees the chip, the fibres that the stage moves above it, and the light of the laser in it."""

    def __init__(self, stage: Positioner, laser: LightSource, seed: int = 0) -> None:
        super().__init__()
        self._bench = OpticalBench(stage, laser, seed)
        self._seed = seed
        self._noise = np.random.default_rng([seed, 4])
        self._exposure_time: Seconds = 0.02
        self._roi: Region = (0, 0, 1280, 1024)

    @property
    def identity(self) -> Identity:
        """Vendor, model, serial number and firmware."""
        return Identity("PyroLab", "Simulated microscope", str(self._seed), "1")

    def _open(self) -> None: ...

    def _close(self) -> None: ...

    @property
    def sensor_shape(self) -> tuple[int, int]:
        """Width and height of the sensor, in pixels."""
        return (1280, 1024)

    @property
    def pixel_size(self) -> Micrometres:
        """Edge of one pixel of the sensor, in µm; divided by `magnification`, on the chip."""
        return 6.5

    @property
    def magnification(self) -> float:
        """Magnification of the objective."""
        return 20.0

    @property
    def exposure_limits(self) -> tuple[Seconds, Seconds]:
        """Shortest and longest exposure time, in s."""
        return (1e-4, 10.0)

    @property
    def pixel_format(self) -> str:
        """Format of a pixel by its GenICam name."""
        return "Mono16"

    def _read_exposure_time(self) -> Seconds:
        return self._exposure_time

    def _write_exposure_time(self, exposure_time: Seconds) -> None:
        self._exposure_time = exposure_time

    def _read_roi(self) -> Region:
        return self._roi

    def _write_roi(self, roi: Region) -> None:
        self._roi = roi

    @cached_property
    def _scene(self) -> Scene:
        grid = Grid.of_sensor(*self.sensor_shape, self.pixel_size / self.magnification)
        return Scene.draw(self._bench.chip, grid, self._seed)

    def _expose(self) -> Image:
        view = self._scene.view(self._bench.light())
        threading.Event().wait(self._exposure_time)
        left, top, width, height = self._roi
        return self._digitise(view[top : top + height, left : left + width])

    def _digitise(self, view: NDArray[np.float32]) -> Image:
        """Count electrons, with shot noise and read noise, and turn them into 16 bits.

        The Poisson law of the shot noise is replaced by its Gaussian limit, which is faster, and right
        for more than some 20 electrons in a pixel.
        """
        electrons = view * np.float32(ELECTRONS_PER_S * self._exposure_time)
        spread = np.sqrt(electrons + np.float32(READ_NOISE**2))
        electrons += spread * self._noise.standard_normal(view.shape, dtype=np.float32)
        counts = np.clip(electrons, 0, FULL_WELL) * np.float32((65535 - BLACK_LEVEL) / FULL_WELL)
        return np.asarray(np.rint(counts + BLACK_LEVEL), dtype=np.uint16)
