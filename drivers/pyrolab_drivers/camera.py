"""Cameras.

Exposure times are in s, regions in sensor pixels; images are NumPy arrays of shape (height, width).
"""

from __future__ import annotations

import logging
import threading
from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyrolab.streams.stream import Stream
from pyrolab_drivers.instrument import Instrument
from pyrolab_drivers.quantities import Micrometres, OutOfRange, Range, Seconds

log = logging.getLogger("pyrolab.drivers")

#: After an image that failed, the next one is tried so many s later.
_PAUSE_S = 1.0

#: One image: unsigned integers of shape (height, width), rows from top to bottom.
Image = NDArray[np.unsignedinteger[Any]]
#: A region of the sensor in pixels: left, top, width, height.
Region = tuple[int, int, int, int]


class Camera(Instrument):
    """A camera. A driver supplies the abstract members.

    `frames` are live images. They are taken in a thread of their own, from the first subscriber to the last;
    a driver whose camera streams by itself, or whose library insists on one thread, supplies `_start_live`
    and `_stop_live`.
    """

    frames = Stream(on_demand=True, doc="Live images, each of shape (height, width) of `roi`.")

    def __init__(self) -> None:
        super().__init__()
        #: Held while an image is taken, or what it depends on is changed.
        self._sensor = threading.RLock()
        self._live: threading.Thread | None = None

    @property
    @abstractmethod
    def sensor_shape(self) -> tuple[int, int]:
        """Width and height of the sensor, in pixels."""

    @property
    @abstractmethod
    def pixel_size(self) -> Micrometres:
        """Edge of one pixel of the sensor, in µm."""

    @property
    @abstractmethod
    def exposure_limits(self) -> tuple[Seconds, Seconds]:
        """Shortest and longest exposure time, in s."""

    @property
    @abstractmethod
    def pixel_format(self) -> str:
        """Format of a pixel by its GenICam name, for example `Mono16`."""

    @abstractmethod
    def _read_exposure_time(self) -> Seconds: ...

    @abstractmethod
    def _write_exposure_time(self, exposure_time: Seconds) -> None: ...

    @abstractmethod
    def _read_roi(self) -> Region: ...

    @abstractmethod
    def _write_roi(self, roi: Region) -> None: ...

    @abstractmethod
    def _expose(self) -> Image: ...

    @property
    def exposure_time(self) -> Seconds:
        """How long one image is exposed, in s."""
        self._require_connection()
        return self._read_exposure_time()

    @exposure_time.setter
    def exposure_time(self, exposure_time: Seconds) -> None:
        self._require_connection()
        checked = Range(*self.exposure_limits, "s").check("exposure time", exposure_time)
        with self._sensor:
            self._write_exposure_time(checked)

    @property
    def roi(self) -> Region:
        """Region that is read: left, top, width, height, in pixels; set it to None for the whole sensor."""
        self._require_connection()
        return self._read_roi()

    @roi.setter
    def roi(self, roi: Region | None) -> None:
        self._require_connection()
        checked = self._whole_sensor() if roi is None else self._within_sensor(roi)
        with self._sensor:
            self._write_roi(checked)

    def snap(self) -> Image:
        """Expose once and return the image, shape (height, width) of `roi`. Takes `exposure_time`."""
        self._require_connection()
        with self._sensor:
            return self._expose()

    # -- live images ---------------------------------------------------------------------------------

    @frames.on_start
    def _start_live(self) -> None:
        """Begin to publish images."""
        self._require_connection()
        if self._live is None or not self._live.is_alive():
            self._live = threading.Thread(target=self._publish_images, name="live images", daemon=True)
            self._live.start()

    @frames.on_stop
    def _stop_live(self) -> None:
        """Publish no more images; waits for the one that is being taken."""
        live, self._live = self._live, None
        if live is not None:
            live.join()

    def _publish_images(self) -> None:
        while self.frames.wanted and self.connected and self._live is threading.current_thread():
            try:
                with self._sensor:
                    image, exposure_time, roi = self._expose(), self._read_exposure_time(), self._read_roi()
                self.frames.publish(image, exposure_time=exposure_time, roi=roi)
            except Exception:
                log.exception("%s could not take a live image; trying again", self.identity)
                threading.Event().wait(_PAUSE_S)

    def _whole_sensor(self) -> Region:
        return (0, 0, *self.sensor_shape)

    def _within_sensor(self, roi: Region) -> Region:
        left, top, width, height = (int(edge) for edge in roi)
        sensor_width, sensor_height = self.sensor_shape
        if not (0 <= left < left + width <= sensor_width and 0 <= top < top + height <= sensor_height):
            raise OutOfRange(
                f"roi (left, top, width, height) = {(left, top, width, height)} leaves the sensor of "
                f"{sensor_width} × {sensor_height} pixels",
                quantity="roi",
                unit="px",
            )
        return (left, top, width, height)
