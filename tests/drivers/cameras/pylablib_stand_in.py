"""A camera with the calls of pylablib's cameras, for where neither pylablib nor such a camera is."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class DeviceInfo(NamedTuple):
    model: str
    serial_number: str


class FrameInfo(NamedTuple):
    frame_index: int
    framestamp: int


class Timings(NamedTuple):
    exposure: float
    frame_period: float


class Camera:
    """An image every 5 ms; its framestamps leave out what `lose` says; regions have steps of 4 pixels."""

    def __init__(self, serial: str, lose: int = 0) -> None:
        if serial == "none":
            raise RuntimeError("no camera with this serial number")
        self._serial, self._lose = serial, lose
        self._exposure, self._roi = 0.004, (0, 64, 0, 48)
        self._began: float | None = None
        self._read = 0
        self.is_set_up = False
        self.is_broken = False

    def close(self) -> None: ...

    def set_image_indexing(self, indexing: str) -> None:
        assert indexing == "rct"

    def get_device_info(self) -> DeviceInfo:
        return DeviceInfo("DCC1545M", self._serial)

    def get_detector_size(self) -> tuple[int, int]:
        return (64, 48)

    def get_exposure(self) -> float:
        if self.is_broken:
            raise RuntimeError("error 1: IS_INVALID_CAMERA_HANDLE")
        return self._exposure

    def set_exposure(self, exposure: float) -> None:
        self._exposure = exposure

    def get_frame_timings(self) -> Timings:
        return Timings(self._exposure, 0.005)

    def get_roi(self) -> tuple[int, ...]:
        return (*self._roi, 1, 1)

    def set_roi(self, hstart: int, hend: int, vstart: int, vend: int) -> None:
        assert not self.is_set_up, "pylablib's cameras take a region only while they rest"
        left, right, top, bottom = (edge // 4 * 4 for edge in (hstart, hend, vstart, vend))
        self._roi = (left, right, top, bottom)

    def setup_acquisition(self, nframes: int) -> None:
        self.is_set_up = nframes > 0

    def clear_acquisition(self) -> None:
        self.is_set_up = False

    def start_acquisition(self) -> None:
        self._began, self._read = time.monotonic(), 0

    def stop_acquisition(self) -> None:
        self._began = None

    def read_oldest_image(self, return_info: bool) -> tuple[NDArray[Any], FrameInfo] | None:
        assert return_info
        assert self._began is not None
        if self.is_broken:
            raise RuntimeError("error 1: IS_INVALID_CAMERA_HANDLE")
        if self._began + 0.005 * (self._read + 1) > time.monotonic():
            return None
        self._read += 1
        left, right, top, bottom = self._roi
        image = np.full((bottom - top, right - left), self._read, np.uint16)
        return image, FrameInfo(self._read - 1, (self._read - 1) * (1 + self._lose))
