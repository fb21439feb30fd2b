"""Cameras that send images by themselves, from a start to a stop, into memory of their own.

An image is copied once, from that memory into the slot of the stream, before the memory goes back to the
camera.
"""

from __future__ import annotations

import logging
import threading
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyrolab_drivers.camera import Camera, Image, TriggerSource
from pyrolab_drivers.cameras.frame_ids import FrameIds
from pyrolab_drivers.quantities import NotSupported, Seconds

log = logging.getLogger("pyrolab.drivers")

#: While no image is there, it is looked for after 1/8 of the time between two, within these limits in s.
_PAUSES_S = (0.001, 0.01)
#: After an image that failed, the next one is tried so many s later.
_RETRY_S = 1.0


@dataclass(frozen=True, slots=True)
class Arrival:
    """An image in the memory of the camera. `fill` copies it into an array of this shape and dtype."""

    pixel_format: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fill: Callable[[NDArray[Any]], None]
    frame_id: int
    device_time_ns: int | None = None


@dataclass(frozen=True, slots=True)
class _Settings:
    """What is known of the settings, so that the camera isn't asked again for every image."""

    metadata: dict[str, Any]
    trigger_source: TriggerSource
    longest_wait: Seconds


class StreamingCamera(Camera):
    """A camera that streams. A driver supplies `_begin`, `_end`, `_take`, which are called under `_sensor`.

    `timeout` in s: an image that comes as much later than it should, without a trigger, is told as an error.
    """

    #: How many images after those that are waiting may have begun before a `snap` was asked for.
    _begun_before: int = 1

    def __init__(self, timeout: Seconds = 5.0) -> None:
        super().__init__()
        self._timeout: Seconds = timeout
        self._ids = FrameIds()
        self._ended = threading.Event()
        self._is_streaming = False
        self._lost: ConnectionError | None = None
        self._period: Seconds = 0.05
        self._newest_at = 0.0
        self._known: _Settings | None = None

    @abstractmethod
    def _begin(self) -> None:
        """Let the camera send images."""

    @abstractmethod
    def _end(self) -> None:
        """Let it send no more. What raises `ConnectionError` here has ended all the same."""

    @abstractmethod
    def _take(self) -> AbstractContextManager[Arrival | None]:
        """The oldest image that has arrived, valid until the context ends; None at once if there is none.

        Raises `ConnectionError` if the camera has gone.
        """

    def _check(self) -> None:
        """Ask the camera anything, as it sends no image. Raises `ConnectionError` if it does not answer."""

    def _trigger(self) -> None:
        """Have one image taken by software."""
        raise self._not_supported("a software trigger")

    # -- opening and closing -----------------------------------------------------------------------------

    def connect(self) -> None:
        """Open the connection. Whoever has subscribed to `frames` gets images again."""
        was_connected = self.connected
        super().connect()
        if not was_connected and (self.frames.wanted or self._started):
            self._start_live()

    def _close(self) -> None:
        """Stop, and free the camera; a driver supplies `_shut`."""
        self._started = False
        self._stop_live()
        with self._sensor:
            self._pause()
            self._lost = None
            self._shut()

    @abstractmethod
    def _shut(self) -> None:
        """Free the connection."""

    def _require_connection(self) -> None:
        super()._require_connection()
        if self._lost is not None:
            raise ConnectionError(str(self._lost)) from self._lost

    @property
    def frames_dropped(self) -> int:
        """Images that are missing in the numbers that the camera gave them, since `connect()`."""
        return self._ids.dropped

    # -- single images -----------------------------------------------------------------------------------

    def _expose(self) -> Image:
        image: Image = self._acquire(1)[0]
        return image

    def _acquire(self, count: int) -> Image:
        """Take images that begin after now. While live images are published, these are published as well."""
        with self._watched(), self._streaming() as was_streaming:
            if was_streaming:
                self._skip_older()
            first = self._copy_next()
            images = np.empty((count, *first.shape), first.dtype)
            images[0] = first
            for index in range(1, count):
                images[index] = self._copy_next()
        return images

    def _skip_older(self) -> None:
        while self._publish_next():
            pass
        if self._settings().trigger_source is TriggerSource.FREE_RUN:
            for _ in range(self._begun_before):
                self._copy_next()

    def _copy_next(self) -> Image:
        """Wait for the next image. Raises `TimeoutError`."""
        if self._settings().trigger_source is TriggerSource.SOFTWARE:
            self._trigger()
        allowed = self._settings().longest_wait
        deadline = time.monotonic() + allowed
        while True:
            with self._take() as arrival:
                if arrival is not None:
                    return self._published(arrival)
            if time.monotonic() > deadline:
                self._check()
                raise TimeoutError(
                    f"{self.identity} sent no image within {allowed:.3g} s; check its trigger, its exposure "
                    "time, and whether the network or USB loses data"
                )
            self._ended.wait(self._pause_between())

    def _published(self, arrival: Arrival) -> Image:
        image: Image = np.empty(arrival.shape, arrival.dtype)
        arrival.fill(image)
        metadata = self._metadata(arrival)
        if self._live is not None:
            self.frames.publish(image, **metadata)
        return image

    def _settings(self) -> _Settings:
        """The settings as they were last read; a driver calls `_forget_settings` when it changes one.

        The next image may take `timeout`, twice the exposure, and two periods.
        """
        if self._known is None:
            metadata: dict[str, Any] = {"roi": self._read_roi()}
            allowed = self._timeout
            with suppress(NotSupported):
                metadata["exposure_time"] = self._read_exposure_time()
                allowed += 2 * metadata["exposure_time"]
            with suppress(NotSupported, ZeroDivisionError):
                allowed += 2 / self._read_frame_rate()
            self._known = _Settings(metadata, self._read_trigger_source(), allowed)
        return self._known

    def _forget_settings(self) -> None:
        self._known = None

    # -- streaming ---------------------------------------------------------------------------------------

    @contextmanager
    def _streaming(self) -> Iterator[bool]:
        """Let the camera stream inside the context, and say whether it did before."""
        was_streaming = self._is_streaming
        self._resume()
        try:
            yield was_streaming
        finally:
            if not was_streaming:
                self._pause()

    @contextmanager
    def _paused(self) -> Iterator[None]:
        """Change inside what a camera cannot change while it streams; images that wait are lost."""
        was_streaming = self._is_streaming
        self._pause()
        try:
            yield
        finally:
            if was_streaming:
                self._resume()

    def _resume(self) -> None:
        if not self._is_streaming:
            self._ids.restart()
            self._newest_at = time.monotonic()
            self._forget_settings()
            self._begin()
            self._is_streaming = True

    def _pause(self) -> None:
        if self._is_streaming:
            self._is_streaming = False
            try:
                self._end()
            except ConnectionError as error:
                log.info("%s could not be told to end its stream: %s", self.identity, error)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Remember that the camera has gone: it has to be opened again."""
        try:
            yield
        except ConnectionError as error:
            self._lost = self._lost or error
            raise

    # -- live images -------------------------------------------------------------------------------------

    def _start_live(self) -> None:
        self._require_connection()
        if self._live is None or not self._live.is_alive():
            self._ended.clear()
            self._live = threading.Thread(target=self._publish_images, name="live images", daemon=True)
            self._live.start()

    def _stop_live(self) -> None:
        self._ended.set()
        live, self._live = self._live, None
        if live is not None:
            live.join()
        self._ended.clear()

    def _publish_images(self) -> None:
        while not self._ended.is_set():
            try:
                with self._sensor, self._watched():
                    self._resume()
                    has_come = self._publish_next()
                    self._watch(has_come)
                self._ended.wait(_PAUSES_S[0] / 2 if has_come else self._pause_between())
            except (ConnectionError, EOFError) as error:
                log.error("%s sends no more live images: %s", self.identity, error)
                break
            except Exception:
                log.exception("%s could not take a live image; trying again", self.identity)
                self._ended.wait(_RETRY_S)
        with self._sensor:
            self._pause()

    def _publish_next(self) -> bool:
        with self._take() as arrival:
            if arrival is None:
                return False
            metadata = self._metadata(arrival)
            with self.frames.slot(arrival.shape, arrival.dtype, **metadata) as out:
                arrival.fill(out)
        return True

    def _watch(self, has_come: bool) -> None:
        """Ask the camera whether it is there if it has sent nothing for a long time."""
        silent_s = time.monotonic() - self._newest_at
        if has_come or silent_s < self._settings().longest_wait:
            return
        self._newest_at = time.monotonic()
        self._check()
        if self._settings().trigger_source is TriggerSource.FREE_RUN:
            log.warning("%s answers, but has sent no image for %.3g s", self.identity, silent_s)

    def _metadata(self, arrival: Arrival) -> dict[str, Any]:
        """What travels with an image; also counts it."""
        now = time.monotonic()
        self._period += (min(now - self._newest_at, 1.0) - self._period) / 8
        self._newest_at = now
        metadata: dict[str, Any] = {
            "frame_number": self._ids.take(arrival.frame_id),
            "frames_dropped": self._ids.dropped,
            "pixel_format": arrival.pixel_format,
            **self._settings().metadata,
        }
        if arrival.device_time_ns is not None:
            metadata["device_time_ns"] = arrival.device_time_ns
        return metadata

    def _pause_between(self) -> Seconds:
        shortest, longest = _PAUSES_S
        return min(max(self._period / 8, shortest), longest)
