"""What an instrument cannot do is refused before anything is sent to it, by every base class."""

from __future__ import annotations

import math
from typing import Any

import pytest

from drivers.counted import noting
from pyrolab_drivers.quantities import NotConnected, NotSupported, OutOfRange
from pyrolab_drivers.simulators.io import SimulatedAnalogIO, SimulatedDigitalIO
from pyrolab_drivers.simulators.laser import SimulatedLaser
from pyrolab_drivers.simulators.microscope import SimulatedMicroscope
from pyrolab_drivers.simulators.motion import SimulatedAxis, SimulatedStage
from pyrolab_drivers.simulators.oscilloscope import SimulatedOscilloscope
from pyrolab_drivers.simulators.piezo import SimulatedPiezo
from pyrolab_drivers.simulators.power_meter import SimulatedPowerMeter
from pyrolab_drivers.simulators.signal_generator import SimulatedSignalGenerator
from pyrolab_drivers.simulators.smu import SimulatedSMU
from pyrolab_drivers.swept_laser import SweepMode

SMU_LIMITS = {
    "source_voltage": (1.0, 22.0),
    "source_current": (0.1, -1.1),
    "compliance_current": (0.01, 0.0),
    "compliance_voltage": (5.0, -1.0),
    "nplc": (0.1, 1000.0),
    "range": (0.1, 2.0),
    "source_mode": ("current", "power"),
}
SETTINGS: dict[str, dict[str, tuple[Any, Any]]] = {
    "laser": {
        "wavelength": (1560.0, 1499.9),
        "frequency": (193.0, 100.0),
        "power_setpoint": (3.0, 13.1),
        "attenuation": (10.0, 31.0),
        "power_unit": ("mW", "horsepower"),
        "sweep_start": (1540.0, 1400.0),
        "sweep_stop": (1560.0, math.nan),
        "sweep_step": (0.01, 0.0),
        "sweep_speed": (20.0, 200.0),
        "sweep_dwell": (0.1, -0.1),
        "sweep_delay": (0.1, 1000.0),
        "sweep_cycles": (3, 1.5),
        "sweep_mode": (SweepMode.STEP_ONE_WAY, "sideways"),
    },
    "axis": {"velocity": (1.0, 11.0), "acceleration": (10.0, 0.0)},
    "piezo": {"max_voltage": (75.0, 150.0), "voltage": (None, 75.1)},
    "meter": {
        "wavelength": (1310.0, 400.0),
        "averaging": (5, 0.5),
        "range": (1e-5, 1.0),
        "power_unit": ("dBm", "V"),
    },
    "camera": {
        "exposure_time": (0.01, 20.0),
        "frame_rate": (5.0, 1000.0),
        "gain": (6.0, 25.0),
        "pixel_format": ("Mono8", "RGB8"),
        "roi": ((0, 0, 64, 32), (0, 0, 2000, 32)),
        "binning": ((2, 2), (3, 3)),
        "trigger_source": ("software", "line 0"),
    },
    "smu": SMU_LIMITS,
    "scope": {
        "timebase_scale": (1e-3, 1000.0),
        "timebase_range": (1e-2, 1e4),
        "timebase_position": (0.1, math.inf),
        "record_length": (1000, 1000.5),
        "trigger_source": ("CH1", "CH7"),
        "trigger_level": (0.5, 20.0),
        "trigger_slope": ("falling", "up"),
        "trigger_mode": ("normal", "never"),
    },
    "scope channel": {
        "scale": (0.1, 100.0),
        "range": (1.0, 1000.0),
        "offset": (0.0, 101.0),
        "coupling": ("AC, 1 MΩ", "capacitive"),
        "bandwidth": (None, 20e6),
    },
    "generator": {
        "frequency": (1e9, 7e9),
        "power": (0.0, 21.0),
        "phase": (90.0, 361.0),
        "frequency_offset": (1e9, math.nan),
        "power_offset": (20.0, 101.0),
    },
    "analogue output": {"voltage": (5.0, 10.5)},
    "pin": {"mode": ("output", "input and output")},
}


def made(kind: str, sent: list[str]) -> tuple[Any, Any]:
    """An instrument of a kind, not connected yet, and the part of it that has the settings."""
    stage, laser = SimulatedStage(), SimulatedLaser()
    whole: Any = {
        "laser": laser,
        "axis": SimulatedAxis("1"),
        "piezo": SimulatedPiezo(),
        "meter": SimulatedPowerMeter(stage, laser),
        "camera": SimulatedMicroscope(stage, laser),
        "smu": SimulatedSMU(),
        "scope": SimulatedOscilloscope(stage, laser),
        "scope channel": SimulatedOscilloscope(stage, laser),
        "generator": SimulatedSignalGenerator(),
        "analogue output": SimulatedAnalogIO(),
        "pin": SimulatedDigitalIO(),
    }[kind]
    parts = {"smu": "channels", "scope channel": "channels", "analogue output": "outputs", "pin": "pins"}
    part = getattr(whole, parts[kind])[1] if kind in parts else whole
    return whole, noting(part, sent)


CASES = [(kind, name, *values) for kind, settings in SETTINGS.items() for name, values in settings.items()]


@pytest.mark.parametrize(
    ("kind", "name", "good", "bad"), CASES, ids=[f"{kind}: {name}" for kind, name, *_ in CASES]
)
def test_a_setting_out_of_range_reaches_no_instrument_and_one_within_does(
    kind: str, name: str, good: Any, bad: Any
) -> None:
    sent: list[str] = []
    whole, part = made(kind, sent)
    with whole:
        with pytest.raises((OutOfRange, NotSupported)):
            setattr(part, name, bad)
        assert sent == []
        if good is None:
            return
        try:
            setattr(part, name, good)
        except NotSupported:
            assert name == "max_voltage"
        assert sent


@pytest.mark.parametrize(
    ("kind", "name", "good", "bad"), CASES, ids=[f"{kind}: {name}" for kind, name, *_ in CASES]
)
def test_nothing_is_sent_before_connect(kind: str, name: str, good: Any, bad: Any) -> None:
    sent: list[str] = []
    _, part = made(kind, sent)
    with pytest.raises(NotConnected):
        setattr(part, name, good)
    assert sent == []


def test_moves_are_checked_in_every_form() -> None:
    sent: list[str] = []
    axis: Any = noting(SimulatedAxis("1"), sent)
    with axis:
        for move, argument in ((axis.move_to, 2.1), (axis.move_by, -2.1), (axis.jog, "sideways")):
            with pytest.raises(OutOfRange):
                move(argument)
        assert sent == []
        axis.jog("backward")
        assert axis.target == -2.0
        assert sent == ["_start_jog", "_start_move"]


def test_sweeps_are_checked_as_a_whole() -> None:
    sent: list[str] = []
    with noting(SimulatedSignalGenerator(), sent) as generator:
        for arguments in (
            (1e6, 7e9, 10),
            (1e6, 2e6, 1),
            (1e6, 2e6, 10, 1000.0),
            (1e6, 2e6, 10, 0.1, "cubic"),
        ):
            with pytest.raises(OutOfRange):
                generator.sweep(*arguments)
        assert sent == []
        generator.sweep(1e6, 2e6, 10, 0.1, "logarithmic")
        assert sent == ["_start_sweep"]


def test_what_an_instrument_has_not_got_says_so() -> None:
    with SimulatedAxis("1") as axis:
        with pytest.raises(NotSupported, match="SimulatedAxis has not got a compensation of backlash"):
            axis.backlash = 0.1
        with pytest.raises(NotSupported, match="a motor that can be switched off"):
            _ = axis.enabled
        with pytest.raises(NotSupported, match="a reset"):
            axis.reset()
        with pytest.raises(NotSupported, match="SimulatedAxis cannot be looked for"):
            SimulatedAxis.detect()
