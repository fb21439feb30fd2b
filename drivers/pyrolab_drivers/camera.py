"""Cameras.

Exposure times are in s, frame rates in Hz, gains in dB, regions in sensor pixels; images are NumPy arrays
of shape (height, width).
"""

from __future__ import annotations

import logging
import threading
from abc import abstractmethod
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyrolab.streams.stream import Stream
from pyrolab_drivers.instrument import Instrument
from pyrolab_drivers.quantities import (
    Decibels,
    DegreesCelsius,
    Hertz,
    Micrometres,
    OutOfRange,
    Range,
    Seconds,
    choice,
)

log = logging.getLogger("pyrolab.drivers")

#: After an image that failed, the next one is tried so many s later.
_PAUSE_S = 1.0

#: One image: unsigned integers of shape (height, width), rows from top to bottom.
Image = NDArray[np.unsignedinteger[Any]]
#: A region of the sensor in pixels: left, top, width, height.
Region = tuple[int, int, int, int]


class TriggerSource(Enum):
    """What makes a camera take an image."""

    FREE_RUN = "free run"
    SOFTWARE = "software"
    LINE_0 = "line 0"
    LINE_1 = "line 1"
    LINE_2 = "line 2"
    LINE_3 = "line 3"


class Camera(Instrument):
    """A camera. A driver supplies the abstract members, and what else the camera has.

    `frames` are live images. They are taken in a thread of their own, from the first subscriber to the last,
    or from `start()` to `stop()`; a driver whose camera streams by itself, or whose library insists on one
    thread, supplies `_start_live` and `_stop_live`. With each image travel its number, its format, its
    exposure time and its region.
    """

    frames = Stream(on_demand=True, doc="Live images, each of shape (height, width) of `roi`.")

    def __init__(self) -> None:
        super().__init__()
        #: Held while an image is taken, or what it depends on is changed.
        self._sensor = threading.RLock()
        self._live: threading.Thread | None = None
        self._started = False
        self._frame_number = 0

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

    @abstractmethod
    def _read_pixel_format(self) -> str: ...

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
    def pixel_formats(self) -> tuple[str, ...]:
        """What `pixel_format` can be."""
        return (self._read_pixel_format(),)

    def _write_pixel_format(self, pixel_format: str) -> None:
        if pixel_format != self._read_pixel_format():
            raise self._not_supported("a choice of pixel formats")

    @property
    def frame_rate_limits(self) -> tuple[Hertz, Hertz]:
        """Lowest and highest frame rate, in Hz."""
        raise self._not_supported("a frame rate that can be set")

    def _read_frame_rate(self) -> Hertz:
        raise self._not_supported("a frame rate that can be set")

    def _write_frame_rate(self, frame_rate: Hertz) -> None:
        raise self._not_supported("a frame rate that can be set")

    @property
    def gain_limits(self) -> tuple[Decibels, Decibels]:
        """Lowest and highest gain, in dB."""
        raise self._not_supported("a gain that can be set")

    def _read_gain(self) -> Decibels:
        raise self._not_supported("a gain that can be set")

    def _write_gain(self, gain: Decibels) -> None:
        raise self._not_supported("a gain that can be set")

    @property
    def binnings(self) -> tuple[tuple[int, int], ...]:
        """What `binning` can be."""
        return ((1, 1),)

    def _read_binning(self) -> tuple[int, int]:
        return (1, 1)

    def _write_binning(self, binning: tuple[int, int]) -> None: ...

    @property
    def trigger_sources(self) -> tuple[TriggerSource, ...]:
        """What `trigger_source` can be."""
        return (TriggerSource.FREE_RUN,)

    def _read_trigger_source(self) -> TriggerSource:
        return TriggerSource.FREE_RUN

    def _write_trigger_source(self, source: TriggerSource) -> None: ...

    def _read_temperature(self) -> DegreesCelsius:
        raise self._not_supported("a thermometer")

    def _acquire(self, count: int) -> Image:
        return np.stack([self._expose() for _ in range(count)])

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

    @property
    def pixel_format(self) -> str:
        """Format of a pixel by its GenICam name, for example `Mono16`."""
        self._require_connection()
        return self._read_pixel_format()

    @pixel_format.setter
    def pixel_format(self, pixel_format: str) -> None:
        self._require_connection()
        self._choose("pixel format", pixel_format, self.pixel_formats)
        with self._sensor:
            self._write_pixel_format(pixel_format)

    @property
    def frame_rate(self) -> Hertz:
        """Images in a second while they are taken without a pause, in Hz."""
        self._require_connection()
        return self._read_frame_rate()

    @frame_rate.setter
    def frame_rate(self, frame_rate: Hertz) -> None:
        self._require_connection()
        checked = Range(*self.frame_rate_limits, "Hz").check("frame rate", frame_rate)
        with self._sensor:
            self._write_frame_rate(checked)

    @property
    def gain(self) -> Decibels:
        """Amplification of the signal of the sensor, in dB."""
        self._require_connection()
        return self._read_gain()

    @gain.setter
    def gain(self, gain: Decibels) -> None:
        self._require_connection()
        checked = Range(*self.gain_limits, "dB").check("gain", gain)
        with self._sensor:
            self._write_gain(checked)

    @property
    def binning(self) -> tuple[int, int]:
        """How many pixels of the sensor make one of the image: side by side, and one above the other."""
        self._require_connection()
        return self._read_binning()

    @binning.setter
    def binning(self, binning: tuple[int, int]) -> None:
        self._require_connection()
        across, down = (int(count) for count in binning)
        self._choose("binning", (across, down), self.binnings)
        with self._sensor:
            self._write_binning((across, down))

    @property
    def trigger_source(self) -> TriggerSource:
        """What makes the camera take an image."""
        self._require_connection()
        return self._read_trigger_source()

    @trigger_source.setter
    def trigger_source(self, source: TriggerSource) -> None:
        self._require_connection()
        checked = choice(TriggerSource, "trigger source", source)
        self._choose("trigger source", checked, self.trigger_sources)
        with self._sensor:
            self._write_trigger_source(checked)

    @property
    def temperature(self) -> DegreesCelsius:
        """Temperature of the sensor, in °C."""
        self._require_connection()
        return self._read_temperature()

    @property
    def frames_dropped(self) -> int:
        """Images that were lost between the sensor and this driver since `connect()`."""
        return 0

    def snap(self) -> Image:
        """Expose once and return the image, shape (height, width) of `roi`. Takes `exposure_time`."""
        self._require_connection()
        with self._sensor:
            return self._expose()

    def acquire(self, count: int) -> Image:
        """Take `count` images without a pause; an array of shape (count, height, width)."""
        self._require_connection()
        checked = Range(1, 1_000_000, "images").check_count("number of images", count)
        with self._sensor:
            return self._acquire(checked)

    # -- live images ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to publish `frames`, whether anybody has subscribed or not, until `stop()`."""
        self._started = True
        self._start_live()

    def stop(self) -> None:
        """Publish no more `frames`, until `start()`, or until somebody subscribes again."""
        self._started = False
        self._stop_live()

    @frames.on_start
    def _first_came(self) -> None:
        self._start_live()

    @frames.on_stop
    def _last_left(self) -> None:
        if not self._started:
            self._stop_live()

    def _start_live(self) -> None:
        """Begin to publish images."""
        self._require_connection()
        if self._live is None or not self._live.is_alive():
            self._live = threading.Thread(target=self._publish_images, name="live images", daemon=True)
            self._live.start()

    def _stop_live(self) -> None:
        """Publish no more images; waits for the one that is being taken."""
        live, self._live = self._live, None
        if live is not None:
            live.join()

    def _publish_images(self) -> None:
        while (
            (self.frames.wanted or self._started)
            and self.connected
            and self._live is threading.current_thread()
        ):
            try:
                with self._sensor:
                    image, exposure_time, roi = self._expose(), self._read_exposure_time(), self._read_roi()
                self._frame_number += 1
                self.frames.publish(
                    image,
                    frame_number=self._frame_number,
                    pixel_format=self._read_pixel_format(),
                    exposure_time=exposure_time,
                    roi=roi,
                )
            except Exception:
                log.exception("%s could not take a live image; trying again", self.identity)
                threading.Event().wait(_PAUSE_S)

    @staticmethod
    def _choose(quantity: str, value: object, possible: tuple[object, ...]) -> None:
        if value not in possible:
            names = ", ".join(str(each.value if isinstance(each, Enum) else each) for each in possible)
            raise OutOfRange(f"{quantity} can be {names}, not {value}", quantity=quantity)

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
