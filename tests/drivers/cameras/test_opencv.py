"""OpenCV cameras: films that OpenCV itself has written, and images from Python's own web server."""

from __future__ import annotations

import itertools
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from live import until
from pyrolab_drivers.cameras.opencv import OpenCVCamera
from pyrolab_drivers.quantities import NotSupported, OutOfRange

COUNT, RATE, SHAPE = 12, 100.0, (48, 64, 3)


def image_of(number: int) -> NDArray[np.uint8]:
    return np.random.default_rng(number).integers(0, 256, SHAPE, dtype=np.uint8)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """FFV1 loses nothing: each pixel comes back as it was."""
    path = tmp_path_factory.mktemp("films") / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"FFV1"), RATE, (SHAPE[1], SHAPE[0]))
    if not writer.isOpened():
        pytest.skip("this OpenCV cannot write a film without loss")
    for number in range(COUNT):
        writer.write(image_of(number))
    writer.release()
    return path


def test_a_film_is_read_pixel_by_pixel_in_its_order(film: Path) -> None:
    with OpenCVCamera(film) as camera:
        assert camera.identity.model == "film"
        assert camera.sensor_shape == (64, 48)
        assert camera.pixel_format == "BGR8"
        assert camera.frame_rate == pytest.approx(RATE)
        assert np.array_equal(camera.snap(), image_of(0))
        assert np.array_equal(camera.snap(), image_of(1))
        for number, image in enumerate(camera.acquire(4), 2):
            assert np.array_equal(image, image_of(number))


def test_a_film_ends_or_begins_anew(film: Path) -> None:
    with OpenCVCamera(film) as camera:
        camera.acquire(COUNT)
        with pytest.raises(EOFError, match=f"has ended after {COUNT} images"):
            camera.snap()
    with OpenCVCamera(film, repeats=True) as camera:
        images = camera.acquire(2 * COUNT)
        assert np.array_equal(images[:COUNT], images[COUNT:])


def test_a_film_is_published_until_its_end(film: Path) -> None:
    with OpenCVCamera(film) as camera:
        camera.start()
        until(lambda: camera._live is not None and not camera._live.is_alive())
        assert camera.frames.published == COUNT


def test_a_film_can_be_opened_again_from_its_beginning(film: Path) -> None:
    camera = OpenCVCamera(film)
    for _ in range(2):
        with camera:
            assert np.array_equal(camera.snap(), image_of(0))


def test_what_opencv_cannot_tell_is_refused(film: Path) -> None:
    with OpenCVCamera(film) as camera:
        for lacking in ("exposure_time", "exposure_limits", "pixel_size", "gain"):
            with pytest.raises(NotSupported):
                getattr(camera, lacking)
        with pytest.raises(NotSupported, match="a region"):
            camera.roi = (0, 0, 10, 10)
        camera.roi = None
    with pytest.raises(OutOfRange, match="gives 64 × 48 pixels"):
        OpenCVCamera(film, resolution=(640, 480)).connect()


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ("/no/such/film.avi", FileNotFoundError, "there is no film"),
        (97, ConnectionError, "OpenCV cannot open 97; check that it is plugged in"),
        (__file__, ConnectionError, "cannot open|gives no image"),
    ],
)
def test_what_cannot_be_opened_is_told(source: Any, error: type[Exception], message: str) -> None:
    camera = OpenCVCamera(source)
    with pytest.raises(error, match=message):
        camera.connect()
    assert not camera.connected


def test_without_opencv_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install pyrolab\[opencv\]"):
        OpenCVCamera(0).connect()


# -- a camera on the network --------------------------------------------------------------------------------


class Stills(BaseHTTPRequestHandler):
    """Motion JPEG over HTTP, as network cameras send it: grey images that get brighter, and begin anew."""

    protocol_version = "HTTP/1.0"
    ended: threading.Event

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=image")
        self.end_headers()
        for number in itertools.count():
            if self.ended.wait(0.02):
                return
            _, data = cv2.imencode(".jpg", np.full(SHAPE, number % 32 * 8, np.uint8))
            part = f"--image\r\nContent-Type: image/jpeg\r\nContent-Length: {data.size}\r\n\r\n".encode()
            try:
                self.wfile.write(part + data.tobytes() + b"\r\n")
            except OSError:
                return

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def network_camera() -> Iterator[tuple[str, threading.Event]]:
    ended = threading.Event()
    handler = type("Handler", (Stills,), {"ended": ended})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/images.mjpg", ended
    ended.set()
    server.shutdown()
    thread.join(10)
    server.server_close()


def test_a_network_camera_sends_live_images_and_its_end_is_told(
    network_camera: tuple[str, threading.Event], caplog: pytest.LogCaptureFixture
) -> None:
    url, ended = network_camera
    with OpenCVCamera(url, timeout=2.0) as camera:
        assert camera.identity.model == "camera"
        assert camera.snap().shape == SHAPE
        images = camera.acquire(5)
        assert len(np.unique(images[:, 0, 0, 0])) == 5
        camera.start()
        until(lambda: camera.frames.published > 3)
        ended.set()
        until(lambda: camera._live is not None and not camera._live.is_alive())
        assert "sends no more live images" in caplog.text
        with pytest.raises(ConnectionError, match="gives no more images; check its cable"):
            camera.snap()
