"""Base classes over a real bus: enumerations, channels, arrays, refusals and faults are as locally."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from live import Process, bus
from pyrolab.api import Proxy
from pyrolab_drivers.quantities import OutOfRange
from pyrolab_drivers.smu import SourceMode
from pyrolab_drivers.swept_laser import SweepMode, SweepState


@pytest.fixture(scope="module")
def lab() -> Iterator[Process]:
    with bus("services.coupled_lab:SweptLaser=laser", "services.coupled_lab:SourceMeter=smu") as broker:
        yield broker


def test_a_sweep_is_set_up_with_enumerations_and_its_log_is_an_array(lab: Process) -> None:
    with Proxy(f"PYRONAME:laser@localhost:{lab.ready}") as laser:
        laser.connect()
        laser.sweep_mode = SweepMode.CONTINUOUS_TWO_WAY
        assert laser.sweep_mode is SweepMode.CONTINUOUS_TWO_WAY
        laser.sweep_mode = "continuous, one way"
        assert laser.sweep_mode is SweepMode.CONTINUOUS_ONE_WAY
        laser.sweep_start, laser.sweep_stop, laser.sweep_speed = 1550.0, 1551.0, 100.0
        laser.start_sweep()
        laser.wait_sweep()
        assert laser.sweep_state is SweepState.STOPPED
        log = laser.wavelength_log()
        assert log.dtype == np.float64
        assert log == pytest.approx(np.arange(1550.0, 1551.001, 0.01), abs=0.001)


def test_a_refusal_is_the_same_exception(lab: Process) -> None:
    with Proxy(f"PYRONAME:laser@localhost:{lab.ready}") as laser:
        laser.connect()
        with pytest.raises(OutOfRange, match="wavelength can be 1500 to 1630 nm") as caught:
            laser.wavelength = 1400.0
        assert (caught.value.low, caught.value.unit) == (1500.0, "nm")  # type: ignore[attr-defined]


def test_faults_are_set_while_it_runs(lab: Process) -> None:
    with Proxy(f"PYRONAME:laser@localhost:{lab.ready}") as laser:
        laser.connect()
        laser.faults.offline = True
        with pytest.raises(ConnectionError, match="is switched off"):
            _ = laser.wavelength
        laser.faults.clear()
        assert laser.wavelength > 1500.0


def test_channels_are_used_where_they_are(lab: Process) -> None:
    with Proxy(f"PYRONAME:smu@localhost:{lab.ready}") as smu:
        smu.connect()
        channel = smu.channels[1]
        channel.source_mode = SourceMode.VOLTAGE
        channel.compliance_current = 0.02
        curve = channel.sweep(0.0, 2.0, 5)
        assert curve.current == pytest.approx(np.linspace(0.0, 0.004, 5), abs=1e-5)
        assert smu.channels[2].source_mode is SourceMode.VOLTAGE


def test_units_are_part_of_the_interface(lab: Process) -> None:
    with Proxy(f"PYRONAME:laser@localhost:{lab.ready}") as laser:
        properties = laser._pyroInterface.properties
        units = {
            name: properties[name].unit for name in ("wavelength", "sweep_speed", "attenuation", "power")
        }
    assert units == {"wavelength": "nm", "sweep_speed": "nm/s", "attenuation": "dB", "power": "dBm"}
