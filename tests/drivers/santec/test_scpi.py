"""SCPI of the TSL-570 and TSL-550: our driver and PyMeasure's class at one simulated laser, over a socket."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pymeasure.instruments import Instrument
from pymeasure.instruments.santec import TSL550 as PyMeasureTSL550
from pymeasure.instruments.santec import TSL570 as PyMeasureTSL570
from pymeasure.instruments.santec.tsl500series import SweepMode as PyMeasureMode
from pymeasure.instruments.santec.tsl500series import SweepStatus

from pyrolab_drivers.laser import SPEED_OF_LIGHT_NM_THZ
from pyrolab_drivers.quantities import NotSupported, OutOfRange, PowerUnit
from pyrolab_drivers.santec import SantecTSL550, SantecTSL570, TriggerOutput
from pyrolab_drivers.simulators.pty_server import TcpServer
from pyrolab_drivers.simulators.scpi_device import block
from pyrolab_drivers.simulators.tsl_device import TSLScpi
from pyrolab_drivers.simulators.tsl_model import TSLModel
from pyrolab_drivers.swept_laser import SweepMode, SweepState
from pyrolab_drivers.transports import BadReply, InstrumentErrors

LIMITS = (1480.0, 1640.0)


def resource(server: TcpServer) -> str:
    """The VISA name of a server on a TCP port."""
    return f"TCPIP::127.0.0.1::{server.name.rpartition(':')[2]}::SOCKET"


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=[True, False], ids=["in m", "in nm"])
def device(request: pytest.FixtureRequest, clock: Clock) -> TSLScpi:
    return TSLScpi(TSLModel(clock=clock), metres=request.param)


@pytest.fixture
def server(device: TSLScpi) -> Iterator[TcpServer]:
    with TcpServer(device) as server:
        yield server


@pytest.fixture
def laser(server: TcpServer) -> Iterator[SantecTSL570]:
    with SantecTSL570(resource(server), wavelength_limits=LIMITS, visa_library="@py") as laser:
        yield laser


def foreign(server: TcpServer) -> PyMeasureTSL570:
    return PyMeasureTSL570(
        resource(server), visa_library="@py", read_termination="\r", write_termination="\r", timeout=2000
    )


def test_it_says_who_it_is(laser: SantecTSL570) -> None:
    assert (laser.identity.vendor, laser.identity.model) == ("SANTEC", "TSL-570")


def test_a_tenth_of_a_picometre_survives_the_wire_in_nm_and_in_m(
    laser: SantecTSL570, device: TSLScpi
) -> None:
    for wavelength in (1550.1234, 1550.1235, 1480.0001, 1639.9999):
        laser.wavelength = wavelength
        exponent = "E-9" if device.metres else ""
        assert f":WAVelength {wavelength:.4f}{exponent}" in device.received
        assert device.model.wavelength == wavelength
        assert laser.wavelength == wavelength
    laser.frequency = 193.41449
    assert laser.frequency == 193.41449
    assert laser.wavelength == pytest.approx(SPEED_OF_LIGHT_NM_THZ / 193.41449, abs=1e-4)


def test_pymeasure_reads_what_we_set_and_we_read_what_it_sets(server: TcpServer, device: TSLScpi) -> None:
    with SantecTSL570(resource(server), wavelength_limits=LIMITS, visa_library="@py") as laser:
        laser.wavelength, laser.power_setpoint = 1550.1234, 3.21
        laser.sweep_start, laser.sweep_stop, laser.sweep_step = 1500.5, 1600.25, 0.0125
        laser.sweep_speed, laser.sweep_dwell, laser.sweep_delay, laser.sweep_cycles = 20.0, 0.3, 1.5, 7
        laser.sweep_mode = SweepMode.CONTINUOUS_TWO_WAY
        laser.emission = True
    unit = 1e-9 if device.metres else 1.0
    other = foreign(server)
    assert other.command_set == ("SCPI" if device.metres else "Legacy")
    assert other.wavelength_setpoint == pytest.approx(1550.1234 * unit, rel=1e-11)
    assert other.power_setpoint == 3.21
    assert other.wavelength_start == pytest.approx(1500.5 * unit, rel=1e-11)
    assert other.wavelength_stop == pytest.approx(1600.25 * unit, rel=1e-11)
    assert other.wavelength_step == pytest.approx(0.0125 * unit, rel=1e-9)
    assert (other.sweep_speed, other.sweep_dwell, other.sweep_delay, other.sweep_cycles) == (20, 0.3, 1.5, 7)
    assert other.sweep_mode is PyMeasureMode.CONTINUOUS_TWO_WAY
    assert other.output_enabled is True
    other.wavelength_setpoint, other.power_setpoint = 1512.5 * unit, -4.0
    other.sweep_mode, other.sweep_speed, other.output_enabled = PyMeasureMode.STEPPED_ONE_WAY, 50, False
    other.adapter.close()
    with SantecTSL570(resource(server), wavelength_limits=LIMITS, visa_library="@py") as laser:
        assert (laser.wavelength, laser.power_setpoint, laser.sweep_speed) == (1512.5, -4.0, 50.0)
        assert laser.sweep_mode is SweepMode.STEP_ONE_WAY
        assert not laser.emission
    assert device.receive(b"SYST:ERR?\r") == b'0,"No error"\r'


def test_every_property_of_pymeasures_class_is_answered(server: TcpServer, device: TSLScpi) -> None:
    other = foreign(server)
    of_the_bus = {name for name in dir(Instrument) if not name.startswith("_")}
    of_the_laser = [
        name
        for name in dir(PyMeasureTSL570)
        if name not in of_the_bus and isinstance(getattr(PyMeasureTSL570, name), property)
    ]
    assert {"wavelength_min", "frequency_step", "sweep_routing", "power"} < set(of_the_laser)
    for name in of_the_laser:
        if name not in ("complete", "id", "next_error", "options", "status"):
            assert getattr(other, name) is not None
    assert other.wavelength_min == pytest.approx(1480e-9 if device.metres else 1480.0)
    assert other.frequency_max == pytest.approx((1e12 if device.metres else 1.0) * 202.56247, rel=1e-7)
    assert other.id == device.identity
    assert other.complete == "1"
    assert other.check_errors() == []
    other.adapter.close()


def test_pymeasure_rounds_to_ten_picometres_where_we_do_not(server: TcpServer, device: TSLScpi) -> None:
    other = foreign(server)
    other.wavelength_setpoint = 1550.1234e-9 if device.metres else 1550.1234
    other.adapter.close()
    assert device.model.wavelength == 1550.12
    with SantecTSL570(resource(server), wavelength_limits=LIMITS, visa_library="@py") as laser:
        laser.wavelength = 1550.1234
    assert device.model.wavelength == 1550.1234


def test_pymeasure_sees_the_sweep_that_we_started(server: TcpServer, clock: Clock) -> None:
    with SantecTSL570(resource(server), wavelength_limits=LIMITS, visa_library="@py") as laser:
        laser.sweep_start, laser.sweep_stop, laser.sweep_speed = 1549.0, 1551.0, 1.0
        laser.start_sweep()
    other = foreign(server)
    assert other.sweep_status is SweepStatus.RUNNING
    clock.now += 10.0
    assert other.sweep_status is SweepStatus.STOPPED
    assert other.sweep_count == 1
    other.start_sweep()
    other.adapter.close()
    with SantecTSL570(resource(server), wavelength_limits=LIMITS, visa_library="@py") as laser:
        states = [laser.sweep_state]
        laser.pause_sweep()
        states.append(laser.sweep_state)
        laser.resume_sweep()
        laser.stop_sweep()
        states.append(laser.sweep_state)
        assert states == [SweepState.RUNNING, SweepState.PAUSED, SweepState.STOPPED]


def test_the_shutter_of_a_tsl550_is_0_when_open(server: TcpServer, device: TSLScpi) -> None:
    device.metres = False
    settings = {"wavelength_limits": LIMITS, "command_set": 1, "shut_on_close": False}
    with SantecTSL550(server.name, **settings) as laser:  # type: ignore[arg-type]
        laser.output_enabled = True
        assert (laser.emission, laser.shutter_open, laser.output_enabled) == (True, True, True)
    other = PyMeasureTSL550(
        resource(server), visa_library="@py", read_termination="\r", write_termination="\r"
    )
    assert (other.laser_enabled, other.output_enabled) == (True, True)
    other.output_enabled = False
    assert not other.output_enabled  # and by then it is done
    other.adapter.close()
    assert not device.model.shutter_open


def test_powers_are_in_dbm_whatever_the_display_shows(laser: SantecTSL570, device: TSLScpi) -> None:
    laser.power_unit = PowerUnit.MILLIWATTS
    assert laser.power_unit is PowerUnit.MILLIWATTS
    laser.power_setpoint = 3.0
    assert device.model.power_dbm == 3.0
    assert device.model.shows_mw
    assert laser.power_setpoint == pytest.approx(3.0, abs=2e-3)
    assert laser.power_setpoint_mw == pytest.approx(1.995, abs=1e-3)
    laser.output_enabled = True
    assert laser.power == pytest.approx(3.0, abs=2e-3)
    with pytest.raises(NotSupported, match="not W"):
        laser.power_unit = PowerUnit.WATTS


def test_it_is_settled_when_the_operation_is_complete(
    laser: SantecTSL570, device: TSLScpi, clock: Clock
) -> None:
    device.model.tuning_s = 0.5
    laser.wavelength = 1551.0
    assert not laser.settled
    clock.now += 1.0
    laser.wait()
    assert laser.settled


def test_the_log_comes_in_nm(laser: SantecTSL570, clock: Clock) -> None:
    assert len(laser.wavelength_log()) == 0
    laser.sweep_start, laser.sweep_stop, laser.sweep_speed = 1549.5, 1550.5, 1.0
    laser.trigger_output, laser.trigger_step = TriggerOutput.STEP, 0.0001
    laser.start_sweep()
    clock.now += 10.0
    log = laser.wavelength_log()
    assert log.dtype == np.float64
    assert len(log) == 10_001
    assert log[:3].tolist() == [1549.5, 1549.5001, 1549.5002]


def test_a_log_in_records_of_another_size_is_refused(laser: SantecTSL570, device: TSLScpi) -> None:
    device.model.log = np.array([15_500_000, 15_500_001], np.uint32)
    wide = block(device.model.log.astype("<f8").tobytes())
    device.command(":READout:DATa", read=lambda *_: wide)
    with pytest.raises(BadReply, match="2 wavelengths came in 16 bytes"):
        laser.wavelength_log()


def test_what_the_laser_refuses_is_raised(laser: SantecTSL570, device: TSLScpi) -> None:
    device.model.wavelength_limits = LIMITS
    narrow = SantecTSL570(laser._transport, wavelength_limits=(1400.0, 1700.0))  # type: ignore[arg-type]
    with narrow, pytest.raises(InstrumentErrors, match="-222"):
        narrow.wavelength = 1650.0
    assert laser.errors() == []
    assert laser.wavelength == 1550.0


def test_the_speeds_of_a_tsl570_are_a_list(laser: SantecTSL570, device: TSLScpi) -> None:
    sent = len(device.received)
    for speed in (3.0, 0.5, 201.0):
        with pytest.raises(OutOfRange, match="speed of the sweep"):
            laser.sweep_speed = speed
    assert len(device.received) == sent


def test_a_state_that_is_read_upside_down_can_be_configured(server: TcpServer, device: TSLScpi) -> None:
    device.metres = False
    device.model.emission = True
    with SantecTSL550(
        server.name, wavelength_limits=LIMITS, command_set=1, state_inverted=True, check_errors=False
    ) as laser:
        assert not laser.emission


def test_other_settings_come_back(laser: SantecTSL570) -> None:
    laser.fine_tuning, laser.attenuation, laser.coherence_control = -12.34, 5.25, True
    assert (laser.fine_tuning, laser.attenuation, laser.coherence_control) == (-12.34, 5.25, True)
    laser.regulate_power()
    assert laser.trigger_step == 0.1
    assert laser.power_limits == (-15.0, 13.0)


def test_a_tsl550_on_gpib_is_spoken_to_in_scpi() -> None:
    file = Path(__file__).with_name("tsl550.yaml")
    with SantecTSL550("GPIB0::1::INSTR", wavelength_limits=LIMITS, visa_library=f"{file}@sim") as laser:
        assert str(laser.identity) == "SANTEC TSL-550 (15120001)"
        laser.wavelength = 1555.5678
        assert laser.wavelength == 1555.5678
