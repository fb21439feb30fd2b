"""Cameras of pylablib: what is done with its calls, and what is said where it is missing."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
import pytest

from live import until
from pyrolab_drivers.cameras.pylablib import FACTORIES, PylablibCamera
from pyrolab_drivers.quantities import NotSupported, OutOfRange

STAND_IN = "drivers.cameras.pylablib_stand_in:Camera"


@pytest.fixture
def camera() -> Iterator[PylablibCamera]:
    with PylablibCamera(STAND_IN, serial="42", exposure_limits=(1e-4, 1.0)) as opened:
        yield opened


@pytest.mark.parametrize("factory", FACTORIES)
def test_without_pylablib_it_says_what_to_install(factory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pylablib", None)
    with pytest.raises(ModuleNotFoundError, match=r"under the GPL .*pip install pylablib"):
        PylablibCamera(factory).connect()


def test_the_factories_are_where_pylablib_has_them() -> None:
    pytest.importorskip("pylablib", reason="pylablib (GPL) is not installed")
    from importlib import import_module

    for place in FACTORIES.values():
        module, _, name = place.partition(":")
        assert hasattr(import_module(module), name)


def test_an_unknown_factory_is_refused() -> None:
    with pytest.raises(ValueError, match="a factory is uc480, thorlabs_tsi, or module:Class, not 'kodak'"):
        PylablibCamera("kodak")


def test_images_and_settings(camera: PylablibCamera) -> None:
    assert str(camera.identity) == "pylablib DCC1545M (42)"
    assert camera.sensor_shape == (64, 48)
    images = camera.acquire(3)
    assert images.shape == (3, 48, 64)
    assert images.dtype == np.uint16
    assert camera.pixel_format == "Mono16"
    camera.exposure_time = 0.01
    assert camera.exposure_time == 0.01
    assert camera.frame_rate == pytest.approx(200.0)
    with pytest.raises(OutOfRange):
        camera.exposure_time = 2.0
    for lacking in ("pixel_size", "gain", "temperature"):
        with pytest.raises(NotSupported):
            getattr(camera, lacking)


def test_a_region_that_the_camera_cannot_have_is_told(camera: PylablibCamera) -> None:
    camera.roi = (8, 4, 32, 16)
    assert camera.snap().shape == (16, 32)
    camera.start()
    camera.roi = (0, 0, 16, 16)
    assert camera.snap().shape == (16, 16)
    with pytest.raises(OutOfRange, match="nearest that the camera can have"):
        camera.roi = (1, 0, 16, 16)


def test_lost_images_are_counted() -> None:
    with PylablibCamera(STAND_IN, serial="42", lose=1) as camera:
        camera.acquire(5)
        assert camera.frames_dropped == 4


def test_a_camera_that_is_not_there_and_one_that_goes_are_told(camera: PylablibCamera) -> None:
    with pytest.raises(ConnectionError, match=r"cannot open .*check the camera's cable"):
        PylablibCamera(STAND_IN, serial="none").connect()
    camera.start()
    until(lambda: camera.frames.published)
    camera._camera.is_broken = True
    until(lambda: camera._live is not None and not camera._live.is_alive())
    with pytest.raises(ConnectionError, match=r"check its cable, then close\(\) and connect\(\) again"):
        camera.snap()
