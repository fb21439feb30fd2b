"""What OpenCV can open: webcams, USB microscopes, films, and cameras on the network (RTSP, MJPEG by HTTP).

OpenCV gives no exposure times or gains in units that mean the same on any two computers, so there are none
here.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyrolab_drivers.camera import Region
from pyrolab_drivers.cameras.streaming import Arrival, StreamingCamera
from pyrolab_drivers.instrument import Identity
from pyrolab_drivers.quantities import Hertz, Micrometres, NotSupported, OutOfRange, Seconds, WrongMode

#: So many images at most are kept by the system from before, and thrown away.
_MOST_STALE = 64

_FORMATS = {(2, "uint8"): "Mono8", (2, "uint16"): "Mono16", (3, "uint8"): "BGR8"}


class OpenCVCamera(StreamingCamera):
    """A camera, a film or a network address, as OpenCV's `VideoCapture` opens it.

    `source` is the number of a camera of this computer (0 is the first), a file, or a URL. Images are BGR8,
    as OpenCV gives them; `raw` asks the camera for its pixels as they are, where its system can do that (Y16:
    Mono16). A film is shown at its own rate; after its end comes `EOFError`, or its beginning if it
    `repeats`. `resolution` (width, height) is asked of the camera; one that it does not take is refused.
    """

    def __init__(
        self,
        source: int | str | Path = 0,
        *,
        raw: bool = False,
        repeats: bool = False,
        resolution: tuple[int, int] | None = None,
        timeout: Seconds = 5.0,
        pixel_size: Micrometres | None = None,
    ) -> None:
        super().__init__(timeout)
        self._source = source if isinstance(source, int) else str(source)
        self._raw = raw
        self._repeats = repeats
        self._resolution = resolution
        self._pixel_size = pixel_size
        self._is_film = isinstance(self._source, str) and "://" not in self._source
        self._begun_before = 0 if self._is_film else 1
        self._capture: Any = None
        self._first: NDArray[Any] | None = None
        self._grabbed = 0
        self._due = 0.0

    @property
    def identity(self) -> Identity:
        """What was opened; OpenCV knows no makers and serial numbers."""
        kind = "film" if self._is_film else "camera"
        return Identity("OpenCV", kind, Path(str(self._source)).name if self._is_film else str(self._source))

    # -- the connection ----------------------------------------------------------------------------------

    def _open(self) -> None:
        cv2 = _library()
        if self._is_film and not Path(str(self._source)).is_file():
            raise FileNotFoundError(f"there is no film {self._source}")
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, cv2.CAP_PROP_READ_TIMEOUT_MSEC]
        limit_ms = int(self._timeout * 1000)
        if isinstance(self._source, int):
            capture = cv2.VideoCapture(self._source)
        else:
            capture = cv2.VideoCapture(
                self._source, cv2.CAP_FFMPEG, [limits[0], limit_ms, limits[1], limit_ms]
            )
        try:
            self._prepare(cv2, capture)
        except BaseException:
            capture.release()
            raise

    def _prepare(self, cv2: Any, capture: Any) -> None:
        if not capture.isOpened():
            raise ConnectionError(
                f"OpenCV cannot open {self._source!r}; check that it is plugged in and answers, that no "
                "other program has it, and that this user may use it (on Linux: the group video)"
            )
        if self._raw:
            capture.set(cv2.CAP_PROP_CONVERT_RGB, 0)
        if self._resolution is not None:
            for name, edge in zip(("WIDTH", "HEIGHT"), self._resolution, strict=True):
                capture.set(getattr(cv2, f"CAP_PROP_FRAME_{name}"), edge)
        is_there, image = capture.read()
        if not is_there:
            raise ConnectionError(f"{self._source!r} was opened, but gives no image; check that it sends any")
        taken = (image.shape[1], image.shape[0])
        if self._resolution is not None and taken != tuple(self._resolution):
            width, height = taken
            raise OutOfRange(f"{self._source!r} gives {width} × {height} pixels, whatever it is asked for")
        rate = float(capture.get(cv2.CAP_PROP_FPS))
        self._rate = rate if rate > 0 and np.isfinite(rate) else 0.0
        self._capture, self._first = capture, image
        self._shape, self._dtype = image.shape, image.dtype
        self._grabbed, self._due = 0, 0.0

    def _shut(self) -> None:
        capture, self._capture, self._first = self._capture, None, None
        if capture is not None:
            capture.release()

    # -- what it is --------------------------------------------------------------------------------------

    @property
    def sensor_shape(self) -> tuple[int, int]:
        """Width and height of the images, in pixels."""
        self._require_connection()
        return (self._shape[1], self._shape[0])

    @property
    def pixel_size(self) -> Micrometres:
        """Edge of one pixel of the sensor, in µm; OpenCV does not know it. Raises `NotSupported`."""
        if self._pixel_size is None:
            raise self._not_supported("a known size of pixels; say it: pixel_size=…")
        return self._pixel_size

    @property
    def exposure_limits(self) -> tuple[Seconds, Seconds]:
        """Raises `NotSupported`."""
        raise self._not_supported("an exposure time in s")

    def _read_exposure_time(self) -> Seconds:
        raise self._not_supported("an exposure time in s")

    def _write_exposure_time(self, exposure_time: Seconds) -> None:
        raise self._not_supported("an exposure time in s")

    def _read_pixel_format(self) -> str:
        self._require_connection()
        return self._format_of(self._shape, self._dtype)

    def _format_of(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> str:
        if len(shape) == 3 and shape[2] == 2 and dtype == np.uint8:
            return "YUV422_8"
        found = _FORMATS.get((len(shape), str(dtype)))
        if found is None:
            raise NotSupported(f"{self.identity} gives images of shape {shape} and type {dtype}")
        return found

    def _read_frame_rate(self) -> Hertz:
        if not self._rate:
            raise self._not_supported("a known frame rate")
        return self._rate

    def _read_roi(self) -> Region:
        return (0, 0, self._shape[1], self._shape[0])

    def _write_roi(self, roi: Region) -> None:
        if roi != self._read_roi():
            raise self._not_supported("a region; cut the images, or ask for another `resolution`")

    # -- images ------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        self._due = time.monotonic()
        if not self._is_film:
            self._drop_stale()

    def _drop_stale(self) -> None:
        """Throw away what the system has kept while nobody looked: it is there without waiting."""
        self._first = None
        for _ in range(_MOST_STALE):
            began = time.monotonic()
            if not self._capture.grab() or time.monotonic() - began > 0.25 / (self._rate or 30.0):
                break

    def _end(self) -> None: ...

    @contextmanager
    def _take(self) -> Iterator[Arrival | None]:
        if self._is_film and time.monotonic() < self._due:
            yield None
            return
        if self._is_film and self._rate:
            self._due = max(self._due + 1 / self._rate, time.monotonic() - 1 / self._rate)
        self._grab()
        self._grabbed += 1
        name = self._format_of(self._shape, self._dtype)
        yield Arrival(name, self._shape, self._dtype, self._retrieve, self._grabbed)

    def _grab(self) -> None:
        """Get the next image; OpenCV waits for it, without Python's lock."""
        if self._first is not None or self._capture.grab():
            return
        if not self._is_film:
            raise ConnectionError(
                f"{self.identity} gives no more images; check its cable and its network, then close() and "
                "connect() again"
            )
        if not self._repeats:
            raise EOFError(f"the film {self._source} has ended after {self._grabbed} images")
        import cv2

        self._capture.set(cv2.CAP_PROP_POS_FRAMES, 0)
        if not self._capture.grab():
            raise ConnectionError(f"the film {self._source} can't be begun anew")

    def _retrieve(self, out: NDArray[Any]) -> None:
        """OpenCV decodes into `out` itself, if shape and type fit."""
        first, self._first = self._first, None
        image = first
        if image is None:
            is_there, image = self._capture.retrieve(out)
            if not is_there:
                raise ConnectionError(f"{self.identity} gave an image that cannot be decoded")
        if image.shape != out.shape or image.dtype != out.dtype:
            self._shape, self._dtype = image.shape, image.dtype
            self._forget_settings()
            raise WrongMode(f"{self.identity} sends images of another size now; take the next one")
        if image.ctypes.data != out.ctypes.data:
            out[:] = image


def _library() -> Any:
    try:
        import cv2
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "cameras and films through OpenCV need it: pip install pyrolab[opencv]", name="cv2"
        ) from error
    return cv2
