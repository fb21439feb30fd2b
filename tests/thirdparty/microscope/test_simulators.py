"""The simulated devices of python-microscope, hosted as they are."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from thirdparty.host import Host

microscope = pytest.importorskip("microscope", reason="python-microscope (GPL) is not installed")
simulators = pytest.importorskip("microscope.simulators")


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    made = Host()
    yield made
    made.close()


def test_a_stage_and_its_axes(host: Host) -> None:
    limits = {"x": microscope.AxisLimits(-10, 10), "y": microscope.AxisLimits(0, 5)}
    with host.hosting(simulators.SimulatedStage, partial(_made, limits=limits)) as stage:
        stage.enable()
        assert set(stage.axes) == {"x", "y"}
        stage.axes["x"].move_to(3)
        stage.axes["y"].move_to(1)
        stage.move_by({"y": 2})
        assert (stage.axes["x"].position, stage.position) == (3, {"x": 3, "y": 3})
        assert stage.limits["x"] == microscope.AxisLimits(-10, 10)
        assert isinstance(stage.axes["x"].limits, microscope.AxisLimits)


def test_a_light_source(host: Host) -> None:
    with host.hosting(simulators.SimulatedLightSource, _made) as light:
        light.enable()
        light.power = 0.25
        assert light.power == 0.25
        assert light.get_is_on()
        light.disable()
        assert not light.get_is_on()


def test_a_filter_wheel_refuses_what_it_has_not(host: Host) -> None:
    with host.hosting(simulators.SimulatedFilterWheel, partial(_made, positions=6)) as wheel:
        wheel.position = 4
        assert (wheel.position, wheel.n_positions) == (4, 6)
        with pytest.raises(ValueError, match="position"):
            wheel.position = 6


def test_a_camera_with_enums_and_named_tuples(host: Host) -> None:
    with host.hosting(simulators.SimulatedCamera, _made) as camera:
        camera.set_trigger(microscope.TriggerType.SOFTWARE, microscope.TriggerMode.ONCE)
        assert camera.trigger_type is microscope.TriggerType.SOFTWARE
        assert isinstance(camera.get_roi(), microscope.ROI)
        camera.set_binning(microscope.Binning(2, 2))
        assert camera.get_binning() == microscope.Binning(2, 2)
        camera.set_exposure_time(0.01)
        camera.enable()
        image, _ = camera.grab_next_data()
        assert image.shape == (256, 256)
        camera.disable()


def test_an_error_of_the_library_arrives_as_itself(host: Host) -> None:
    with host.hosting(simulators.SimulatedCamera, _made) as camera, pytest.raises(microscope.MicroscopeError):
        camera.set_trigger(1, 2)


def _made(cls: Any, **kwargs: Any) -> Any:
    return cls(**kwargs)
