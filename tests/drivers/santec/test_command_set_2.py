"""The TSL-550 in command set 2, at a laser on a pseudo-terminal that answers as differently as lasers do."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from typing import Literal

import numpy as np
import pytest

from pyrolab_drivers.quantities import NotSupported, OutOfRange, WrongMode
from pyrolab_drivers.santec import CommandSet2, SantecTSL550, TriggerOutput
from pyrolab_drivers.simulators.pty_server import PtyServer, UnreliableLine, half, instead, silence
from pyrolab_drivers.simulators.tsl_device import TSLCommandSet2
from pyrolab_drivers.simulators.tsl_model import TSLModel
from pyrolab_drivers.swept_laser import SweepMode, SweepState
from pyrolab_drivers.transports import BadReply, ReplyTimeout, SerialTransport

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs pseudo-terminals")

ActionReply = Literal["nothing", "delimiter", "value before"]
LIMITS = (1500.0, 1630.0)


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["nothing", "delimiter", "value before"])
def device(request: pytest.FixtureRequest, clock: Clock) -> TSLCommandSet2:
    reply: ActionReply = request.param
    return TSLCommandSet2(TSLModel(clock=clock), action_reply=reply)


@pytest.fixture
def laser(device: TSLCommandSet2) -> Iterator[SantecTSL550]:
    with (
        PtyServer(device) as server,
        SantecTSL550(server.name, wavelength_limits=LIMITS, action_wait_s=0.05) as laser,
    ):
        yield laser


def test_a_tenth_of_a_picometre_survives_the_wire(laser: SantecTSL550, device: TSLCommandSet2) -> None:
    for wavelength in (1550.1234, 1550.1235, 1500.0001, 1629.9999):
        laser.wavelength = wavelength
        assert f"WA{wavelength:.4f}" in device.received
        assert laser.wavelength == wavelength
    laser.frequency = 193.41449
    assert device.received[-1] == "FQ193.41449"
    assert laser.frequency == 193.41449


def test_powers_are_in_dbm_and_also_in_mw(laser: SantecTSL550, device: TSLCommandSet2) -> None:
    laser.power_setpoint = -10.0
    assert device.received[-1] == "OP-10.00"
    assert laser.power_setpoint == -10.0
    laser.power_setpoint_mw = 2.0
    assert laser.power_setpoint_mw == 2.0
    assert laser.power_setpoint == pytest.approx(3.01, abs=1e-3)
    laser.attenuation = 12.5
    assert laser.attenuation == 12.5


def test_light_leaves_while_the_diode_is_on_and_the_shutter_open(
    laser: SantecTSL550, device: TSLCommandSet2
) -> None:
    with pytest.raises(WrongMode, match="cannot ask for the shutter"):
        _ = laser.shutter_open
    assert not laser.emission
    assert not laser.output_enabled
    laser.output_enabled = True
    assert (device.model.emission, device.model.shutter_open) == (True, True)
    assert laser.output_enabled
    laser.output_enabled = False
    assert (device.model.emission, device.model.shutter_open) == (True, False)
    assert laser.emission
    assert laser.power == -math.inf
    laser.coherence_control = True
    assert laser.coherence_control
    laser.regulate_power(False)
    assert not device.model.automatic_power


def test_no_light_leaves_after_close(device: TSLCommandSet2) -> None:
    with PtyServer(device) as server, SantecTSL550(server.name, wavelength_limits=LIMITS) as laser:
        laser.output_enabled = True
    assert not device.model.shutter_open


def test_what_is_out_of_range_never_reaches_the_wire(laser: SantecTSL550, device: TSLCommandSet2) -> None:
    sent = len(device.received)
    with pytest.raises(OutOfRange, match="wavelength can be 1500 to 1630 nm"):
        laser.wavelength = 1499.9999
    with pytest.raises(OutOfRange, match="power"):
        laser.power_setpoint = 14.0
    with pytest.raises(OutOfRange, match=r"speed of the sweep can be 0\.5 to 100 nm/s"):
        laser.sweep_speed = 100.1
    with pytest.raises(OutOfRange, match="step of the sweep"):
        laser.sweep_step = 0.00001
    with pytest.raises(OutOfRange, match="fine tuning"):
        laser.fine_tuning = 100.01
    assert len(device.received) == sent


def test_it_is_settled_when_nothing_is_busy(
    laser: SantecTSL550, device: TSLCommandSet2, clock: Clock
) -> None:
    device.model.tuning_s = 0.5
    laser.wavelength = 1551.0
    assert not laser.settled
    clock.now += 1.0
    assert laser.settled


def test_a_sweep_goes_through_its_states_and_leaves_a_log(
    laser: SantecTSL550, device: TSLCommandSet2, clock: Clock
) -> None:
    laser.sweep_start, laser.sweep_stop, laser.sweep_speed = 1549.5, 1550.5, 1.0
    laser.sweep_mode = SweepMode.CONTINUOUS_ONE_WAY
    laser.sweep_cycles = 1
    laser.trigger_output, laser.trigger_step = TriggerOutput.STEP, 0.0005
    assert laser.trigger_output is TriggerOutput.STEP
    laser.start_sweep()
    states = [laser.sweep_state]
    laser.pause_sweep()
    states.append(laser.sweep_state)
    clock.now += 100.0
    states.append(laser.sweep_state)
    assert states == [SweepState.RUNNING, SweepState.PAUSED, SweepState.PAUSED]
    laser.resume_sweep()
    with pytest.raises(WrongMode, match="running already"):
        laser.start_sweep()
    clock.now += 100.0
    laser.wait_sweep()
    assert laser.sweeps_done == 1
    log = laser.wavelength_log()
    assert log.dtype == np.float64
    assert len(log) == 2001
    assert log[:3].tolist() == [1549.5, 1549.5005, 1549.501]
    assert log[-1] == 1550.5


def test_sweep_settings_come_back_as_they_were_set(laser: SantecTSL550) -> None:
    for mode in SweepMode:
        laser.sweep_mode = mode
        assert laser.sweep_mode is mode
    laser.sweep_step, laser.sweep_dwell, laser.sweep_delay, laser.sweep_cycles = 0.0123, 0.5, 1.5, 12
    assert (laser.sweep_step, laser.sweep_dwell) == (0.0123, 0.5)
    assert (laser.sweep_delay, laser.sweep_cycles) == (1.5, 12)
    laser.start_sweep()
    laser.stop_sweep()
    assert laser.sweep_state is SweepState.STOPPED


def test_a_sweep_that_waits_for_a_trigger_says_so(laser: SantecTSL550, device: TSLCommandSet2) -> None:
    device.model.triggered = True
    assert laser.sweep_mode is SweepMode.CONTINUOUS_ONE_WAY
    laser.start_sweep()
    assert laser.sweep_state is SweepState.WAITING


def test_a_mode_of_sweeping_without_a_name_here_is_refused() -> None:
    line = UnreliableLine(TSLCommandSet2())
    line.then(instead(b"5\r"))
    with (
        PtyServer(line) as server,
        SerialTransport(server.name) as transport,
        pytest.raises(WrongMode, match="steps of constant frequency"),
    ):
        CommandSet2(transport).read_sweep_mode()


def test_what_set_2_has_not_got_is_refused(laser: SantecTSL550) -> None:
    laser.output_enabled = True
    with pytest.raises(NotSupported, match="no measured power"):
        _ = laser.power
    with pytest.raises(NotSupported):
        laser.reset()
    assert laser.errors() == []


@pytest.mark.parametrize("order", ["big", "little"])
def test_the_log_of_the_manuals_worked_example(order: Literal["big", "little"]) -> None:
    device = TSLCommandSet2(log_order=order)
    device.model.log = np.array([0x00E66860], np.uint32)
    with PtyServer(device) as server, SerialTransport(server.name) as transport:
        assert CommandSet2(transport, action_wait_s=0.02, log_order=order).read_log().tolist() == [1510.0]


def test_the_longest_log_arrives_whole() -> None:
    device = TSLCommandSet2()
    device.model.log = np.arange(15_000_000, 15_000_000 + 65_535, dtype=np.uint32)
    with PtyServer(device) as server, SerialTransport(server.name) as transport:
        log = CommandSet2(transport, action_wait_s=0.02).read_log()
    np.testing.assert_array_equal(np.round(log * 1e4), device.model.log)


def test_an_empty_log_is_not_asked_for() -> None:
    device = TSLCommandSet2()
    with PtyServer(device) as server, SerialTransport(server.name) as transport:
        assert len(CommandSet2(transport, action_wait_s=0.02).read_log()) == 0
    assert device.received == ["TN"]


def test_a_reply_that_is_lost_or_cut_is_reported_and_the_next_is_right() -> None:
    line = UnreliableLine(TSLCommandSet2())
    with PtyServer(line) as server, SerialTransport(server.name, timeout_s=0.2) as transport:
        laser = CommandSet2(transport, action_wait_s=0.02)
        line.then(silence, None, half)
        with pytest.raises(ReplyTimeout):
            laser.number("WA")
        assert laser.number("WA") == 1550.0
        with pytest.raises(ReplyTimeout):
            laser.number("WA")
        assert laser.number("WA") == 1550.0


def test_nonsense_is_no_value() -> None:
    line = UnreliableLine(TSLCommandSet2())
    line.then(instead(b"?\r"), None, instead(b"17\r"))
    with PtyServer(line) as server, SerialTransport(server.name) as transport:
        laser = CommandSet2(transport, action_wait_s=0.02)
        with pytest.raises(BadReply, match="is it set to command set 2"):
            laser.number("WA")
        assert laser.number("WA") == 1550.0
        with pytest.raises(BadReply, match="answered 'SU' with '17'"):
            laser.tuned()


def test_the_delimiter_is_one_that_the_laser_can_have() -> None:
    with pytest.raises(ValueError, match="the delimiter of a TSL-550"):
        SantecTSL550("/dev/null", wavelength_limits=LIMITS, delimiter=";")


@pytest.mark.parametrize("delimiter", ["\r", "\n", "\r\n"])
def test_all_delimiters_work(delimiter: str) -> None:
    device = TSLCommandSet2(delimiter=delimiter.encode())
    with (
        PtyServer(device) as server,
        SantecTSL550(server.name, wavelength_limits=LIMITS, delimiter=delimiter) as laser,
    ):
        laser.wavelength = 1600.0001
        assert laser.wavelength == 1600.0001
