"""Cameras that Micro-Manager has a device adapter for, through its core (`pymmcore`) alone.

Source of its calls: the documentation of CMMCore (MMCore API), device interface 70 and later.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyrolab_drivers.camera import Region
from pyrolab_drivers.cameras.streaming import Arrival, StreamingCamera
from pyrolab_drivers.instrument import Identity
from pyrolab_drivers.quantities import Micrometres, NotSupported, OutOfRange, Seconds

_LABEL = "camera"
_MS_PER_S = 1e3
#: By bytes of a pixel and its components.
_FORMATS = {(1, 1): "Mono8", (2, 1): "Mono16", (4, 4): "BGRa8"}


class MicroManagerCamera(StreamingCamera):
    """A camera by its names in Micro-Manager, adapter and device: `MicroManagerCamera("DemoCamera", "DCam")`.

    `adapter_paths` are the folders with Micro-Manager's adapters, of the same device interface as `pymmcore`.
    `properties` are set before it is initialised if they have to be, else after. `exposure_limits` in s are
    those of the camera's data sheet, where the adapter does not tell any.
    """

    def __init__(
        self,
        adapter: str,
        device: str,
        *,
        adapter_paths: Sequence[str | Path],
        properties: Mapping[str, str | int | float] | None = None,
        exposure_limits: tuple[Seconds, Seconds] = (1e-6, 3600.0),
        pixel_size: Micrometres | None = None,
        timeout: Seconds = 5.0,
    ) -> None:
        super().__init__(timeout)
        self._adapter, self._device = adapter, device
        self._paths = [str(path) for path in adapter_paths]
        self._properties = dict(properties or {})
        self._exposure_limits = exposure_limits
        self._pixel_size = pixel_size
        self._core: Any = None
        self._sensor_shape: tuple[int, int] | None = None

    @property
    def identity(self) -> Identity:
        """The adapter and its device; Micro-Manager has no common way to ask for a serial number."""
        return Identity("Micro-Manager", f"{self._adapter} {self._device}", "")

    # -- the connection ----------------------------------------------------------------------------------

    def _open(self) -> None:
        core = _library().CMMCore()
        core.setDeviceAdapterSearchPaths(self._paths)
        with self._errors("open it"):
            core.loadDevice(_LABEL, self._adapter, self._device)
            early = {name for name in self._properties if core.isPropertyPreInit(_LABEL, name)}
            for name in early:
                core.setProperty(_LABEL, name, self._properties[name])
            core.initializeDevice(_LABEL)
            for name in self._properties.keys() - early:
                core.setProperty(_LABEL, name, self._properties[name])
            core.setCameraDevice(_LABEL)
        self._core, self._sensor_shape = core, None

    def _shut(self) -> None:
        core, self._core = self._core, None
        if core is not None:
            core.reset()

    @contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        """The core has one kind of error for all."""
        try:
            yield
        except RuntimeError as error:
            if isinstance(error, NotSupported):
                raise
            raise ConnectionError(
                f"{self.identity}: cannot {what}: {error}; check its cable, its adapter and its settings, "
                "then close() and connect() again"
            ) from error

    # -- settings ----------------------------------------------------------------------------------------

    @property
    def properties(self) -> dict[str, str]:
        """The adapter's own properties, and their values."""
        self._require_connection()
        with self._errors("be asked for its properties"):
            names = self._core.getDevicePropertyNames(_LABEL)
            return {name: self._core.getProperty(_LABEL, name) for name in names}

    def set_property(self, name: str, value: str | float) -> None:
        """Set one of `properties`. Raises `OutOfRange` with what it can be, `NotSupported` if it lacks."""
        self._require_connection()
        with self._sensor, self._paused(), self._errors(f"set {name} to {value}"):
            if not self._core.hasProperty(_LABEL, name):
                raise NotSupported(f"{self.identity} has no property {name}")
            allowed = self._core.getAllowedPropertyValues(_LABEL, name)
            if allowed and str(value) not in allowed:
                raise OutOfRange(f"{name} can be {', '.join(allowed)}, not {value}", quantity=name)
            self._core.setProperty(_LABEL, name, value)
            self._sensor_shape = None
            self._forget_settings()

    @property
    def sensor_shape(self) -> tuple[int, int]:
        """Width and height of the sensor, in pixels; as binned."""
        self._require_connection()
        if self._sensor_shape is None:
            self._sensor_shape = self._measured()
        return self._sensor_shape

    def _measured(self) -> tuple[int, int]:
        """The whole image, which the core tells only without a region; once, as it interrupts the stream."""
        with self._sensor, self._paused(), self._errors("be asked for its size"):
            roi = self._core.getROI()
            self._core.clearROI()
            shape = (int(self._core.getImageWidth()), int(self._core.getImageHeight()))
            if tuple(roi[2:]) != shape:
                self._core.setROI(*roi)
        return shape

    @property
    def pixel_size(self) -> Micrometres:
        """Edge of one pixel of the sensor, in µm. Raises `NotSupported` unless it was given."""
        if self._pixel_size is None:
            raise self._not_supported("a known size of pixels; say it: pixel_size=…")
        return self._pixel_size

    @property
    def exposure_limits(self) -> tuple[Seconds, Seconds]:
        """Shortest and longest exposure time, in s: the adapter's if it tells them."""
        self._require_connection()
        with self._errors("be asked for its exposure times"):
            if self._core.hasProperty(_LABEL, "Exposure") and self._core.hasPropertyLimits(
                _LABEL, "Exposure"
            ):
                least = self._core.getPropertyLowerLimit(_LABEL, "Exposure")
                most = self._core.getPropertyUpperLimit(_LABEL, "Exposure")
                return (least / _MS_PER_S, most / _MS_PER_S)
        return self._exposure_limits

    def _read_exposure_time(self) -> Seconds:
        with self._errors("be asked for its exposure time"):
            return float(self._core.getExposure()) / _MS_PER_S

    def _write_exposure_time(self, exposure_time: Seconds) -> None:
        with self._paused(), self._errors("set its exposure time"):
            self._core.setExposure(exposure_time * _MS_PER_S)
        self._forget_settings()

    def _read_pixel_format(self) -> str:
        self._require_connection()
        with self._errors("be asked for its format"):
            key = (int(self._core.getBytesPerPixel()), int(self._core.getNumberOfComponents()))
        if key not in _FORMATS:
            raise NotSupported(
                f"{self.identity} has {key[0]} bytes a pixel in {key[1]} components; set another"
            )
        return _FORMATS[key]

    def _read_roi(self) -> Region:
        with self._errors("be asked for its region"):
            left, top, width, height = (int(edge) for edge in self._core.getROI())
        return (left, top, width, height)

    def _write_roi(self, roi: Region) -> None:
        with self._paused(), self._errors("set its region"):
            self._core.setROI(*roi)
            self._forget_settings()

    # -- images ------------------------------------------------------------------------------------------

    def _check(self) -> None:
        self._read_exposure_time()
        with self._errors("stream"):
            if not self._core.isSequenceRunning():
                raise ConnectionError(f"{self.identity} has ended its stream; close() and connect() again")

    def _begin(self) -> None:
        self._read_pixel_format()
        with self._errors("begin to stream"):
            self._core.startContinuousSequenceAcquisition(0)

    def _end(self) -> None:
        with self._errors("end the stream"):
            self._core.stopSequenceAcquisition()
            self._core.clearCircularBuffer()

    @contextmanager
    def _take(self) -> Iterator[Arrival | None]:
        with self._errors("take an image"):
            arrival = self._arrival() if self._core.getRemainingImageCount() else None
        yield arrival

    def _arrival(self) -> Arrival:
        told = _library().Metadata()
        image: NDArray[Any] = self._core.popNextImageMD(told)
        if image.dtype == np.uint32:
            image = image.view(np.uint8).reshape(*image.shape, 4)
        number = told.GetSingleTag("ImageNumber").GetValue() if told.HasTag("ImageNumber") else "0"

        def fill(out: NDArray[Any]) -> None:
            np.copyto(out, image)

        return Arrival(self._read_pixel_format(), image.shape, image.dtype, fill, int(number))


def _library() -> Any:
    try:
        import pymmcore
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "Micro-Manager's cameras need its core: pip install pyrolab[micromanager]", name="pymmcore"
        ) from error
    return pymmcore
