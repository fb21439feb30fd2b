"""A simulated microscope camera that looks down on the chip, 1280 × 1024 pixels of 16 bits."""

from __future__ import annotations

import threading
import time
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pyrolab_drivers.camera import Camera, Image, Region, TriggerSource
from pyrolab_drivers.instrument import Identity
from pyrolab_drivers.quantities import Decibels, DegreesCelsius, Hertz, Micrometres, Seconds
from pyrolab_drivers.simulators.bench import (
    FineAxis,
    HeatSource,
    LightSource,
    OpticalBench,
    Positioner,
    actual,
    focus_place_mm,
)
from pyrolab_drivers.simulators.defocus import blurred, circle_of_confusion
from pyrolab_drivers.simulators.faults import Simulated
from pyrolab_drivers.simulators.scene import Grid, Scene

#: Electrons per second in a pixel that sees a perfect mirror.
ELECTRONS_PER_S = 1.5e6
#: Electrons at which a pixel saturates; they fill the 16 bits.
FULL_WELL = 30_000
#: Standard deviation of reading a pixel, in electrons.
READ_NOISE = 2.5
#: What a pixel reads without any light, in counts.
BLACK_LEVEL = 100


class SimulatedMicroscope(Simulated, Camera):
    """Sees the chip, the fibres that the stage moves above it, and the light of the laser in it.

    `focus` moves it up and down, in mm; without, it is focused.
    """

    def __init__(
        self,
        stage: Positioner,
        laser: LightSource,
        seed: int = 0,
        *,
        heater: HeatSource | None = None,
        piezo: FineAxis | None = None,
        focus: FineAxis | None = None,
    ) -> None:
        super().__init__()
        self._bench = OpticalBench(stage, laser, seed, heater=heater, piezo=piezo)
        self._focus = focus
        self._seed = seed
        self._noise = np.random.default_rng([seed, 4])
        self._exposure_time: Seconds = 0.02
        self._roi: Region = (0, 0, 1280, 1024)
        self._frame_rate: Hertz = 100.0
        self._next_s: Seconds = 0.0
        self._gain: Decibels = 0.0
        self._pixel_format = "Mono16"
        self._binning = (1, 1)
        self._trigger_source = TriggerSource.FREE_RUN

    @property
    def identity(self) -> Identity:
        """Vendor, model, serial number and firmware."""
        return Identity("PyroLab", "Simulated microscope", str(self._seed), "1")

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

    def _read_pixel_format(self) -> str:
        return self._pixel_format

    def _write_pixel_format(self, pixel_format: str) -> None:
        self._pixel_format = pixel_format

    @property
    def pixel_formats(self) -> tuple[str, ...]:
        """What `pixel_format` can be."""
        return ("Mono8", "Mono16")

    def _read_exposure_time(self) -> Seconds:
        return self._exposure_time

    def _write_exposure_time(self, exposure_time: Seconds) -> None:
        self._exposure_time = exposure_time

    def _read_roi(self) -> Region:
        return self._roi

    def _write_roi(self, roi: Region) -> None:
        self._roi = roi

    @property
    def frame_rate_limits(self) -> tuple[Hertz, Hertz]:
        """Lowest and highest frame rate, in Hz; a long exposure makes it lower."""
        return (0.1, 100.0)

    def _read_frame_rate(self) -> Hertz:
        return min(self._frame_rate, 1.0 / self._exposure_time)

    def _write_frame_rate(self, frame_rate: Hertz) -> None:
        self._frame_rate = frame_rate

    @property
    def gain_limits(self) -> tuple[Decibels, Decibels]:
        """Lowest and highest gain, in dB."""
        return (0.0, 24.0)

    def _read_gain(self) -> Decibels:
        return self._gain

    def _write_gain(self, gain: Decibels) -> None:
        self._gain = gain

    @property
    def binnings(self) -> tuple[tuple[int, int], ...]:
        """What `binning` can be; the electrons of the pixels are added."""
        return ((1, 1), (2, 2), (4, 4))

    def _read_binning(self) -> tuple[int, int]:
        return self._binning

    def _write_binning(self, binning: tuple[int, int]) -> None:
        self._binning = binning

    @property
    def trigger_sources(self) -> tuple[TriggerSource, ...]:
        """What `trigger_source` can be; with SOFTWARE, `snap` is the trigger."""
        return (TriggerSource.FREE_RUN, TriggerSource.SOFTWARE)

    def _read_trigger_source(self) -> TriggerSource:
        return self._trigger_source

    def _write_trigger_source(self, source: TriggerSource) -> None:
        self._trigger_source = source

    def _read_temperature(self) -> DegreesCelsius:
        return 31.5

    @cached_property
    def _scene(self) -> Scene:
        grid = Grid.of_sensor(*self.sensor_shape, self.pixel_size / self.magnification)
        return Scene.draw(self._bench.chip, grid, self._seed)

    def _expose(self) -> Image:
        self._faults.exchange(str(self.identity))
        view = self._scene.view(self._bench.light())
        self._keep_pace()
        return self._digitise(self._optics(view))

    def _keep_pace(self) -> None:
        """Wait for the exposure, and for the time of the next image."""
        wait_s = max(self._exposure_time, self._next_s - time.monotonic())
        threading.Event().wait(wait_s)
        self._next_s = time.monotonic() - self._exposure_time + 1.0 / self._frame_rate

    def _optics(self, view: NDArray[np.float32]) -> NDArray[np.float32]:
        """The part of the view that is read, as sharp as the focus makes it, with its pixels binned."""
        radius = self._blur_px()
        image = blurred(view, self._roi, radius)
        across, down = self._binning
        if (across, down) == (1, 1):
            return image
        rows, columns = image.shape[0] // down, image.shape[1] // across
        blocks = image[: rows * down, : columns * across].reshape(rows, down, columns, across)
        return np.asarray(blocks.sum(axis=(1, 3)), dtype=np.float32)

    def _blur_px(self) -> float:
        """Radius of the spot that a point of the chip makes, in pixels."""
        if self._focus is None:
            return 0.0
        place = actual(self._focus, "position", None)
        away_um = 1e3 * ((self._focus.position if place is None else place) - focus_place_mm(self._seed))
        return circle_of_confusion(away_um) * self.magnification / self.pixel_size

    def _digitise(self, view: NDArray[np.float32]) -> Image:
        """Count electrons, with shot noise and read noise, and turn them into 16 bits, or into 8.

        The Poisson law of the shot noise is replaced by its Gaussian limit, which is faster, and right
        for more than some 20 electrons in a pixel.
        """
        electrons = view * np.float32(ELECTRONS_PER_S * self._exposure_time)
        spread = np.sqrt(electrons + np.float32(READ_NOISE**2))
        electrons += spread * self._noise.standard_normal(view.shape, dtype=np.float32)
        counts_per_electron = 10 ** (self._gain / 20) * (65535 - BLACK_LEVEL) / FULL_WELL
        counts = np.clip(electrons, 0, FULL_WELL) * np.float32(counts_per_electron)
        words = np.asarray(np.rint(np.minimum(counts + BLACK_LEVEL, 65535)), dtype=np.uint16)
        return words if self._pixel_format == "Mono16" else np.asarray(words >> 8, dtype=np.uint8)
