"""Cameras through Aravis: its simulated camera, and its GigE Vision camera that sends real packets."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from drivers.cameras import gi_here
from live import bus, until
from pyrolab.api import Proxy
from pyrolab_drivers.camera import TriggerSource
from pyrolab_drivers.cameras.aravis import AravisCamera
from pyrolab_drivers.quantities import NotSupported, OutOfRange

no_aravis = gi_here.reason_to_skip()
aravis = pytest.mark.skipif(bool(no_aravis), reason=no_aravis)
pytestmark = pytest.mark.filterwarnings("ignore::ImportWarning", "ignore::DeprecationWarning:gi")


@pytest.fixture
def camera() -> Iterator[AravisCamera]:
    with AravisCamera("Fake_1", simulated=True, pixel_size=5.5) as opened:
        opened.exposure_time, opened.frame_rate = 0.01, 50.0
        opened.pixel_format = "Mono8"
        opened.roi = (0, 0, 512, 512)
        opened.trigger_source = TriggerSource.FREE_RUN
        yield opened


def live_threads() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "live images"]


def test_without_aravis_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gi", None)
    with pytest.raises(ModuleNotFoundError, match=r"apt install gir1\.2-aravis-0\.8 python3-gi"):
        AravisCamera().connect()


@aravis
def test_settings_are_in_seconds_hertz_and_pixels_of_the_sensor(camera: AravisCamera) -> None:
    assert camera.identity.vendor == "Aravis"
    assert camera.sensor_shape == (2048, 2048)
    assert camera.pixel_size == 5.5
    assert camera.exposure_limits == pytest.approx((10e-6, 10.0))
    camera.exposure_time = 0.0025
    assert camera.exposure_time == pytest.approx(0.0025)
    assert camera.node("ExposureTimeAbs") == pytest.approx(2500.0)
    camera.frame_rate = 40.0
    assert camera.frame_rate == pytest.approx(40.0)


@aravis
@pytest.mark.parametrize(
    ("pixel_format", "shape", "dtype"),
    [
        ("Mono8", (200, 100), np.uint8),
        ("Mono16", (200, 100), np.uint16),
        ("BayerRG8", (200, 100), np.uint8),
        ("RGB8", (200, 100, 3), np.uint8),
    ],
)
def test_pixels_are_those_that_aravis_hands_out(
    camera: AravisCamera, pixel_format: str, shape: tuple[int, ...], dtype: type
) -> None:
    camera.pixel_format = pixel_format
    camera.roi = (16, 8, 100, 200)
    with camera._streaming():
        for _ in range(3):
            buffer = camera._stream.timeout_pop_buffer(5_000_000)
            arrival = camera._arrival(buffer)
            image = np.zeros(arrival.shape, arrival.dtype)
            arrival.fill(image)
            assert (image.shape, image.dtype) == (shape, dtype)
            assert image.tobytes() == bytes(buffer.get_data())[: image.nbytes]
            assert image.any()
            camera._stream.push_buffer(buffer)


@aravis
def test_binning_keeps_the_region_in_pixels_of_the_sensor(camera: AravisCamera) -> None:
    camera.binning = (2, 2)
    try:
        camera.roi = (64, 32, 400, 200)
        assert camera.roi == (64, 32, 400, 200)
        assert camera.snap().shape == (100, 200)
        with pytest.raises(OutOfRange, match="multiple of 2"):
            camera.roi = (64, 32, 401, 200)
    finally:
        camera.binning = (1, 1)


@aravis
def test_a_software_trigger_takes_one_image(camera: AravisCamera) -> None:
    camera.trigger_source = TriggerSource.SOFTWARE
    assert camera.trigger_source is TriggerSource.SOFTWARE
    assert camera.snap().shape == (512, 512)
    camera.start()
    camera.trigger()
    until(lambda: camera.frames.published)
    camera.stop()


@aravis
@pytest.mark.parametrize(
    ("use", "error"),
    [
        (lambda camera: setattr(camera, "exposure_time", 100.0), OutOfRange),
        (lambda camera: setattr(camera, "roi", (0, 0, 4096, 10)), OutOfRange),
        (lambda camera: setattr(camera, "pixel_format", "Mono12"), OutOfRange),
        (lambda camera: camera.set_node("Width", 1_000_000), OutOfRange),
        (lambda camera: camera.set_node("PixelFormat", "Mono99"), OutOfRange),
        (lambda camera: camera.node("NoSuchNode"), NotSupported),
        (lambda camera: camera.temperature, NotSupported),
    ],
)
def test_what_the_camera_cannot_do_is_refused(camera: AravisCamera, use: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        use(camera)
    assert camera.roi == (0, 0, 512, 512)


@aravis
def test_the_16_bits_of_frame_ids_wrap_without_a_loss(camera: AravisCamera) -> None:
    """The simulated camera begins at 65400, so the wrap comes soon."""
    camera.roi, camera.frame_rate = (0, 0, 64, 64), 1000.0
    before, dropped = camera._ids.number, camera.frames_dropped
    camera.acquire(300)
    assert camera._ids.number == before + 300 + camera.frames_dropped - dropped
    assert camera.frames_dropped - dropped < 100


@aravis
def test_it_works_over_the_bus() -> None:
    with (
        bus("drivers.cameras.fake_aravis:FakeCamera=camera") as broker,
        Proxy(f"PYRONAME:camera@localhost:{broker.ready}") as camera,
        camera.frames.subscribe("queue") as sub,
    ):
        camera.pixel_format = "Mono16"
        frame = next(each for each in sub if each.metadata["pixel_format"] == "Mono16")
        assert frame.array.dtype == np.uint16
        assert frame.metadata["exposure_time"] == pytest.approx(camera.exposure_time)
        assert frame.metadata["device_time_ns"] > 0


# -- a network ------------------------------------------------------------------------------------------


@pytest.fixture
def fake_camera(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[bytes]]:
    reason = no_aravis or gi_here.reason_to_skip_network()
    if reason:
        pytest.skip(reason)
    process = gi_here.start_fake_camera("PYRO1", getattr(request, "param", 0.0))
    try:
        until(lambda: "Aravis-Fake-PYRO1" in AravisCamera.detect())
        yield process
    finally:
        process.kill()
        process.wait(10)


def test_images_come_over_real_packets(fake_camera: subprocess.Popen[bytes]) -> None:
    with AravisCamera("Aravis-Fake-PYRO1") as camera:
        assert camera.identity.serial == "PYRO1"
        camera.roi, camera.frame_rate = (0, 0, 320, 240), 50.0
        images = camera.acquire(10)
        assert images.shape == (10, 240, 320)
        assert len({image.tobytes() for image in images}) > 5


@pytest.mark.parametrize("fake_camera", [20.0], indirect=True)
def test_images_with_lost_packets_are_left_out_and_counted(fake_camera: subprocess.Popen[bytes]) -> None:
    with AravisCamera("Aravis-Fake-PYRO1") as camera:
        camera.roi, camera.frame_rate = (0, 0, 128, 128), 50.0
        camera.start()
        until(lambda: camera.frames_dropped and camera.frames.published > 5)
        camera.stop()


def snapped(camera: AravisCamera) -> bool:
    """Whether there was a picture in time."""
    try:
        return bool(camera.snap().any())
    except TimeoutError:
        return False


def test_a_camera_that_loses_its_network_is_told_and_found_again(
    fake_camera: subprocess.Popen[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    with AravisCamera("Aravis-Fake-PYRO1", timeout=0.5) as camera:
        camera.frame_rate = 50.0
        camera.start()
        until(lambda: camera.frames.published > 3)
        fake_camera.kill()
        fake_camera.wait(10)
        until(lambda: not live_threads())
        assert "sends no more live images" in caplog.text
        with pytest.raises(ConnectionError, match=r"cable, then close\(\) and connect\(\) again"):
            camera.snap()
        camera.close()
        again = gi_here.start_fake_camera("PYRO1")
        try:
            until(lambda: "Aravis-Fake-PYRO1" in AravisCamera.detect())
            camera.connect()
            until(lambda: snapped(camera))  # a busy computer may lose a frame or two
        finally:
            camera.close()
            again.kill()
            again.wait(10)
