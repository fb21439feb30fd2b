"""Cameras through Micro-Manager's core: the DemoCamera of its authors."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
import pytest

from live import until
from pyrolab_drivers.cameras.micro_manager import MicroManagerCamera
from pyrolab_drivers.quantities import NotSupported, OutOfRange

reason = "Micro-Manager's core and its DemoCamera are not installed (pymmcore, mm-test-adapters)"
pytest.importorskip("pymmcore", reason=reason)
adapters = pytest.importorskip("mm_test_adapters", reason=reason).device_adapter_path()


@pytest.fixture
def camera() -> Iterator[MicroManagerCamera]:
    with MicroManagerCamera("DemoCamera", "DCam", adapter_paths=[adapters]) as opened:
        opened.exposure_time = 0.005
        yield opened


def test_images_and_settings(camera: MicroManagerCamera) -> None:
    assert camera.sensor_shape == (512, 512)
    assert camera.exposure_limits == (0.0, 10.0)
    assert camera.exposure_time == pytest.approx(0.005)
    assert camera.pixel_format == "Mono8"
    image = camera.snap()
    assert (image.shape, image.dtype.name) == ((512, 512), "uint8")
    assert image.any()
    camera.roi = (16, 32, 128, 64)
    assert camera.roi == (16, 32, 128, 64)
    assert camera.sensor_shape == (512, 512)
    assert camera.acquire(3).shape == (3, 64, 128)
    assert camera.frames_dropped == 0


@pytest.mark.parametrize(
    ("kind", "pixel_format", "shape", "dtype"),
    [("16bit", "Mono16", (512, 512), np.uint16), ("32bitRGB", "BGRa8", (512, 512, 4), np.uint8)],
)
def test_pixels_keep_their_format(
    camera: MicroManagerCamera, kind: str, pixel_format: str, shape: tuple[int, ...], dtype: type
) -> None:
    camera.set_property("PixelType", kind)
    assert camera.pixel_format == pixel_format
    image = camera.snap()
    assert image.shape == shape
    assert image.dtype == dtype


def test_properties_of_the_adapter_are_reached_by_their_names(camera: MicroManagerCamera) -> None:
    assert camera.properties["PixelType"] == "8bit"
    with pytest.raises(OutOfRange, match=r"PixelType can be .*16bit"):
        camera.set_property("PixelType", "9bit")
    with pytest.raises(NotSupported, match="has no property Nonsense"):
        camera.set_property("Nonsense", 1)
    camera.set_property("PixelType", "64bitRGB")
    with pytest.raises(NotSupported, match="bytes a pixel"):
        camera.snap()


def test_live_images_are_published(camera: MicroManagerCamera) -> None:
    camera.start()
    until(lambda: camera.frames.published > 5)
    assert camera.snap().any()
    camera.stop()
    assert not camera._core.isSequenceRunning()


def test_what_is_missing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConnectionError, match="cannot open it"):
        MicroManagerCamera("NoSuchAdapter", "Cam", adapter_paths=[adapters]).connect()
    monkeypatch.setitem(sys.modules, "pymmcore", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install pyrolab\[micromanager\]"):
        MicroManagerCamera("DemoCamera", "DCam", adapter_paths=[adapters]).connect()
