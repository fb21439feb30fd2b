"""A GenICam camera through harvesters: real frames of the producer `viky.cti`, which others wrote."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from harvesters.core import Buffer

from drivers.cameras.viky import BLUE, GREEN, RED, VIKY
from live import Process, bus, until
from pyrolab.api import Proxy
from pyrolab_drivers.camera import TriggerSource
from pyrolab_drivers.cameras.genicam import GenICamCamera
from pyrolab_drivers.quantities import NotConnected, NotSupported, OutOfRange


@pytest.fixture
def camera() -> Iterator[GenICamCamera]:
    with GenICamCamera(VIKY, id=GREEN, pixel_size=5.0) as opened:
        opened.frame_rate = 100.0
        yield opened


def live_threads() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "live images"]


# -- opening --------------------------------------------------------------------------------------------


def test_it_says_who_it_is(camera: GenICamCamera) -> None:
    assert camera.identity.vendor == "Machine Vision Games Ltd."
    assert (camera.identity.model, camera.identity.serial) == ("Viky", "1")
    assert camera.sensor_shape == (800, 800)
    assert camera.roi == (0, 0, 400, 400)
    assert camera.pixel_size == 5.0
    assert camera.trigger_sources == (TriggerSource.FREE_RUN,)


def test_ctrl_c_still_ends_a_script(camera: GenICamCamera) -> None:
    assert camera.connected
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert camera.snap().any()


def test_nothing_is_loaded_before_connect() -> None:
    camera = GenICamCamera("/no/such.cti", serial="7")
    assert camera.identity.serial == "7"
    with pytest.raises(NotConnected):
        camera.snap()
    with pytest.raises(FileNotFoundError, match=r"no GenTL producer /no/such\.cti"):
        camera.connect()
    assert not camera.connected


@pytest.mark.parametrize(
    ("which", "error", "message"),
    [
        ({"serial": "77"}, ConnectionError, "no camera with serial_number '77'; found: .*green.*cable"),
        ({"model": "Viky"}, LookupError, "3 cameras fit .*say which by id or serial"),
        ({}, LookupError, "3 cameras fit"),
    ],
)
def test_a_camera_that_is_not_the_one_is_not_opened(which: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        GenICamCamera(VIKY, **which).connect()


def test_producers_that_were_announced_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENICAM_GENTL64_PATH", f"/no/such/folder:{VIKY.parent}")
    assert sorted(GenICamCamera.detect()) == sorted([RED, GREEN, BLUE])
    with GenICamCamera(serial="2") as camera:
        assert camera.node("PixelFormat") == "RGBa8"
    monkeypatch.delenv("GENICAM_GENTL64_PATH")
    with pytest.raises(FileNotFoundError, match="GENICAM_GENTL64_PATH names no folder"):
        GenICamCamera.detect()


def test_several_cameras_of_a_process_share_a_producer(camera: GenICamCamera) -> None:
    with GenICamCamera(VIKY, id=RED) as other:
        assert other.snap().shape == camera.snap().shape
    assert camera.snap().shape == (400, 400, 4)
    with GenICamCamera([str(VIKY)], id=BLUE) as third:
        assert third.snap().any()


def test_it_can_be_closed_and_opened_again() -> None:
    camera = GenICamCamera(VIKY, id=GREEN)
    for _ in range(3):
        with camera:
            assert camera.snap().shape == (400, 400, 4)
        with pytest.raises(NotConnected):
            camera.snap()


# -- images ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("pixel_format", "shape"), [("Mono8", (400, 400)), ("RGBa8", (400, 400, 4))])
def test_pixels_are_those_that_harvesters_sees_in_the_same_buffer(
    camera: GenICamCamera, pixel_format: str, shape: tuple[int, ...]
) -> None:
    camera.pixel_format = pixel_format
    with camera._streaming():
        for _ in range(5):
            raw = camera._acquirer.fetch(timeout=10, is_raw=True)
            theirs = Buffer(module=raw, node_map=camera._nodes, acquire=camera._acquirer).payload.components[
                0
            ]
            arrival = camera._arrival(raw)
            ours = np.zeros(arrival.shape, arrival.dtype)
            arrival.fill(ours)
            assert ours.shape == shape
            assert ours.dtype == np.uint8
            assert np.array_equal(ours.reshape(-1), theirs.data)
            assert ours.any()
            raw.parent.queue_buffer(raw)


def test_images_have_the_shape_of_the_region(camera: GenICamCamera) -> None:
    camera.pixel_format = "Mono8"
    camera.roi = (0, 0, 200, 300)
    assert camera.roi == (0, 0, 200, 300)
    assert camera.snap().shape == (300, 200)
    assert camera.acquire(4).shape == (4, 300, 200)
    camera.roi = None
    assert camera.snap().shape == (800, 800)
    assert camera.frames_dropped == 0


def test_images_that_were_taken_do_not_change_later(camera: GenICamCamera) -> None:
    images = camera.acquire(20)
    assert len({image.tobytes() for image in images}) > 1
    kept = images.copy()
    camera.acquire(20)
    assert np.array_equal(images, kept)


@pytest.mark.parametrize(
    "use",
    [
        lambda camera: camera.exposure_time,
        lambda camera: setattr(camera, "exposure_time", 0.1),
        lambda camera: camera.gain,
        lambda camera: camera.temperature,
        lambda camera: camera.node("NoSuchNode"),
        lambda camera: setattr(camera, "roi", (8, 0, 200, 200)),
        lambda camera: camera.trigger(),
    ],
)
def test_a_node_that_the_camera_lacks_is_told_when_it_is_used(camera: GenICamCamera, use: Any) -> None:
    with pytest.raises(NotSupported, match=r"Viky \(1\) has no node"):
        use(camera)
    assert camera.roi == (0, 0, 400, 400)
    assert camera.snap().any()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("frame_rate", 1e6),
        ("frame_rate", float("nan")),
        ("pixel_format", "Coord3D_ABC32f_Planar"),
        ("pixel_format", "Mono16"),
        ("roi", (0, 0, 900, 400)),
        ("roi", (0, 0, 20, 400)),
        ("binning", (2, 2)),
        ("trigger_source", "software"),
    ],
)
def test_what_the_camera_cannot_do_is_refused(camera: GenICamCamera, setting: str, value: Any) -> None:
    before = getattr(camera, setting)
    with pytest.raises(OutOfRange):
        setattr(camera, setting, value)
    assert getattr(camera, setting) == before


def test_any_node_can_be_reached_by_its_name(camera: GenICamCamera) -> None:
    assert {"Width", "AcquisitionFrameRate", "BouncingBallSize"} <= set(camera.node_names)
    camera.set_node("BouncingBallSize", 40)
    assert camera.node("BouncingBallSize") == 40
    with pytest.raises(OutOfRange, match="cannot set Width to 5"):
        camera.set_node("Width", 5)
    with pytest.raises(TypeError, match=r"Width of .* cannot be the float"):
        camera.set_node("Width", 1.5)


# -- live, without any bus --------------------------------------------------------------------------------


def test_settings_can_be_changed_while_it_streams(camera: GenICamCamera) -> None:
    camera.start()
    until(lambda: camera.frames.published > 3)
    camera.roi = (0, 0, 100, 200)
    assert camera.snap().shape == (200, 100, 4)
    camera.pixel_format = "Mono8"
    assert camera.snap().shape == (200, 100)
    seen = camera.frames.published
    until(lambda: camera.frames.published > seen + 3)
    camera.stop()
    assert not camera._acquirer.is_acquiring()
    assert not live_threads()


def test_closing_ends_all_threads() -> None:
    before = threading.active_count()
    with GenICamCamera(VIKY, id=GREEN) as camera:
        camera.start()
        until(lambda: camera.frames.published)
    assert threading.active_count() == before


def test_others_can_run_while_it_waits_for_images(camera: GenICamCamera) -> None:
    """The library's own wait would hold Python's lock until the next image comes."""
    camera.frame_rate = 1.0
    camera.start()
    until(lambda: camera.frames.published)
    turns, before = 0, camera.frames.published
    while camera.frames.published == before:
        threading.Event().wait(0.001)
        turns += 1
    assert turns > 50


# -- a camera that goes away ------------------------------------------------------------------------------


def unplug(camera: GenICamCamera) -> None:
    """What a producer does when it has lost the device: its handle is no longer good for anything."""
    camera._acquirer.device.module.close()


def test_an_unplugged_camera_says_what_to_do_and_comes_back(camera: GenICamCamera) -> None:
    unplug(camera)
    for _ in range(2):
        with pytest.raises(
            ConnectionError, match=r"Check its power and its cable, then close\(\) and connect\(\)"
        ):
            camera.snap()
    camera.close()
    camera.connect()
    assert camera.snap().any()


def test_live_images_end_when_the_camera_is_unplugged_and_resume_when_it_is_opened_again(
    camera: GenICamCamera, caplog: pytest.LogCaptureFixture
) -> None:
    camera._timeout = 0.1
    camera.start()
    until(lambda: camera.frames.published)
    with camera._sensor:
        unplug(camera)
    until(lambda: not live_threads())
    assert "sends no more live images" in caplog.text
    with pytest.raises(ConnectionError, match="cable"):
        camera.start()
    camera.close()
    camera.connect()
    camera.start()
    seen = camera.frames.published
    until(lambda: camera.frames.published > seen)


# -- on the bus -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def viky_bus() -> Iterator[Process]:
    with bus("drivers.cameras.viky:GreenCamera=green", "drivers.cameras.viky:RedCamera=red") as broker:
        yield broker


@pytest.fixture
def green(viky_bus: Process) -> Iterator[Any]:
    with Proxy(f"PYRONAME:green@localhost:{viky_bus.ready}") as proxy:
        proxy.frame_rate = 100.0
        yield proxy


@pytest.mark.parametrize("path", ["shared memory", "direct", "relay"])
def test_two_subscribers_get_the_same_frames_of_one_camera(green: Any, viky_bus: Process, path: str) -> None:
    green.pixel_format = "Mono8"
    with (
        Proxy(f"PYRONAME:green@localhost:{viky_bus.ready}") as again,
        green.frames.subscribe("lossless", path=path) as one,
        again.frames.subscribe("lossless", path=path) as two,
    ):
        ours = {frame.sequence: frame for frame in (one.get(timeout=20) for _ in range(30))}
        theirs = {frame.sequence: frame for frame in (two.get(timeout=20) for _ in range(30))}
    common = sorted(ours.keys() & theirs.keys())
    assert len(common) > 10
    for sequence in common:
        mine, other = ours[sequence], theirs[sequence]
        assert np.array_equal(mine.array, other.array)
        assert mine.metadata == other.metadata
        assert mine.array.shape == (400, 400)
        assert mine.array.dtype == np.uint8
        assert mine.metadata["pixel_format"] == "Mono8"
        assert mine.metadata["roi"] == (0, 0, 400, 400)
    numbers = [ours[sequence].metadata["frame_number"] for sequence in sorted(ours)]
    assert numbers == list(range(numbers[0], numbers[0] + 30))
    assert ours[common[-1]].metadata["frames_dropped"] == 0


def test_the_camera_rests_while_nobody_looks(green: Any) -> None:
    until(lambda: not green.streaming() and not green.threads())
    with green.frames.subscribe("latest") as sub:
        sub.get(timeout=20)
        assert green.streaming()
        assert len(green.threads()) == 1
    until(lambda: not green.streaming() and not green.threads())


def test_formats_can_change_while_somebody_looks(green: Any) -> None:
    with green.frames.subscribe("latest") as sub:
        for pixel_format, shape in [("Mono8", (400, 400)), ("RGBa8", (400, 400, 4)), ("Mono8", (400, 400))]:
            green.pixel_format = pixel_format
            green.snap()
            frame = next(each for each in sub if each.metadata["pixel_format"] == pixel_format)
            assert frame.array.shape == shape


def test_two_cameras_of_one_worker_stream_at_once(green: Any, viky_bus: Process) -> None:
    with (
        Proxy(f"PYRONAME:red@localhost:{viky_bus.ready}") as red,
        green.frames.subscribe("queue") as one,
        red.frames.subscribe("queue") as two,
    ):
        for _ in range(10):
            assert one.get(timeout=20).array.any()
            assert two.get(timeout=20).array.any()


def test_errors_of_the_camera_arrive_as_they_are(green: Any) -> None:
    with pytest.raises(NotImplementedError, match="has no node ExposureTime"):
        green.exposure_time = 0.01
    with pytest.raises(ValueError, match="frame rate can be 1 to 200 Hz"):
        green.frame_rate = 1e6
