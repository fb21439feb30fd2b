"""Cameras through pylablib: Thorlabs' uc480 and scientific (TSI) cameras, and others that it knows.

pylablib is under the GPL and no part of this: it is used where a user has installed it (`pip install
pylablib`). Source of its calls: pylablib 1.4 documentation, "Cameras control basics".
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyrolab_drivers.camera import Region
from pyrolab_drivers.cameras.streaming import Arrival, StreamingCamera
from pyrolab_drivers.instrument import Identity
from pyrolab_drivers.quantities import Decibels, Hertz, Micrometres, NotSupported, Range, Seconds

#: Names of factories: where the class is, and what is said of it.
FACTORIES = {
    "uc480": "pylablib.devices.uc480:UC480Camera",
    "thorlabs_tsi": "pylablib.devices.Thorlabs:ThorlabsTLCamera",
}
_FORMATS = {(2, "uint8"): "Mono8", (2, "uint16"): "Mono16", (3, "uint8"): "RGB8", (3, "uint16"): "RGB16"}
_BUFFERED = 16


class PylablibCamera(StreamingCamera):
    """A camera of pylablib by the name of a factory: uc480, thorlabs_tsi, or `module:Class` for another one.

    `settings` go to that class (`serial="…"`, `cam_id=1`, for IDS cameras `backend="ueye"`).
    `exposure_limits` in s are those of the camera's data sheet: pylablib has no common way to ask for them.
    """

    def __init__(
        self,
        factory: str,
        *,
        exposure_limits: tuple[Seconds, Seconds] = (1e-6, 3600.0),
        pixel_size: Micrometres | None = None,
        timeout: Seconds = 5.0,
        **settings: Any,
    ) -> None:
        super().__init__(timeout)
        if factory not in FACTORIES and ":" not in factory:
            raise ValueError(f"a factory is {', '.join(FACTORIES)}, or module:Class, not {factory!r}")
        self._factory = factory
        self._settings_of_factory = settings
        self._exposure_limits = exposure_limits
        self._pixel_size = pixel_size
        self._camera: Any = None
        self._format = "Mono16"
        self._identity = Identity(
            "pylablib", factory, str(settings.get("serial", settings.get("cam_id", "")))
        )

    @property
    def identity(self) -> Identity:
        """What pylablib tells about the camera; after `connect()`."""
        return self._identity

    # -- the connection ----------------------------------------------------------------------------------

    def _open(self) -> None:
        make = _class_of(self._factory)
        try:
            self._camera = make(**self._settings_of_factory)
            self._camera.set_image_indexing("rct")  # rows from the top, as everywhere here
            told = self._camera.get_device_info()
        except Exception as error:
            raise ConnectionError(
                f"pylablib cannot open {self._factory}: {error}; check the camera's cable, that its maker's "
                "software is installed, and that no other program has it"
            ) from error
        serial = getattr(told, "serial_number", getattr(told, "serial", ""))
        self._identity = Identity("pylablib", str(getattr(told, "model", self._factory)), str(serial))

    def _shut(self) -> None:
        camera, self._camera = self._camera, None
        if camera is not None:
            camera.close()

    @contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except (NotSupported, ValueError, ConnectionError):
            raise
        except Exception as error:
            raise ConnectionError(
                f"{self.identity}: cannot {what}: {error}; check its cable, then close() and connect() again"
            ) from error

    # -- settings ----------------------------------------------------------------------------------------

    @property
    def sensor_shape(self) -> tuple[int, int]:
        """Width and height of the sensor, in pixels."""
        self._require_connection()
        with self._errors("be asked for its size"):
            width, height = self._camera.get_detector_size()
        return (int(width), int(height))

    @property
    def pixel_size(self) -> Micrometres:
        """Edge of one pixel of the sensor, in µm. Raises `NotSupported` unless it was given."""
        if self._pixel_size is None:
            raise self._not_supported("a known size of pixels; say it: pixel_size=…")
        return self._pixel_size

    @property
    def exposure_limits(self) -> tuple[Seconds, Seconds]:
        """Shortest and longest exposure time, in s, as they were given."""
        return self._exposure_limits

    def _read_exposure_time(self) -> Seconds:
        with self._errors("be asked for its exposure time"):
            return float(self._camera.get_exposure())

    def _write_exposure_time(self, exposure_time: Seconds) -> None:
        with self._errors("set its exposure time"):
            self._camera.set_exposure(exposure_time)
        self._forget_settings()

    def _read_frame_rate(self) -> Hertz:
        with self._errors("be asked for its frame rate"):
            return 1 / float(self._camera.get_frame_timings().frame_period)

    def _read_gain(self) -> Decibels:
        if not hasattr(self._camera, "get_gain"):
            raise self._not_supported("a gain in dB")
        with self._errors("be asked for its gain"):
            return float(self._camera.get_gain())

    def _read_pixel_format(self) -> str:
        self._require_connection()
        return self._format

    def _read_roi(self) -> Region:
        with self._errors("be asked for its region"):
            left, right, top, bottom = (int(edge) for edge in self._camera.get_roi()[:4])
        return (left, top, right - left, bottom - top)

    def _write_roi(self, roi: Region) -> None:
        left, top, width, height = roi
        with self._paused(), self._errors("set its region"):
            self._camera.set_roi(left, left + width, top, top + height)
            self._forget_settings()
            self._check_roi(roi)

    def _check_roi(self, roi: Region) -> None:
        """Pylablib takes the nearest region that the camera can have; say so."""
        for name, wanted, got in zip(("left", "top", "width", "height"), roi, self._read_roi(), strict=True):
            Range(got, got, "px (nearest that the camera can have)").check(f"{name} of the roi", wanted)

    # -- images ------------------------------------------------------------------------------------------

    def _check(self) -> None:
        self._read_exposure_time()

    def _begin(self) -> None:
        with self._errors("begin to stream"):
            self._camera.setup_acquisition(nframes=_BUFFERED)
            self._camera.start_acquisition()

    def _end(self) -> None:
        with self._errors("end the stream"):
            self._camera.stop_acquisition()
            self._camera.clear_acquisition()

    @contextmanager
    def _take(self) -> Iterator[Arrival | None]:
        with self._errors("take an image"):
            found = self._camera.read_oldest_image(return_info=True)
        yield None if found is None or found[0] is None else self._arrival(*found)

    def _arrival(self, image: NDArray[Any], told: Any) -> Arrival:
        form = _FORMATS.get((image.ndim, str(image.dtype)))
        if form is None:
            raise NotSupported(f"{self.identity} gives images of shape {image.shape} and type {image.dtype}")
        self._format = form

        def fill(out: NDArray[Any]) -> None:
            np.copyto(out, image)

        number = getattr(
            told, "framestamp", getattr(told, "frame_index", 0)
        )  # the camera's own, if it counts
        return Arrival(form, image.shape, image.dtype, fill, int(number))


def _class_of(factory: str) -> Any:
    module, _, name = FACTORIES.get(factory, factory).partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        if error.name and error.name.partition(".")[0] == "pylablib":
            raise ModuleNotFoundError(
                f"{factory} cameras need pylablib, which is under the GPL and does not come with PyroLab: "
                "pip install pylablib",
                name="pylablib",
            ) from error
        raise
