from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from pyrolab_drivers.quantities import NotConnected, OutOfRange, WrongMode
from pyrolab_drivers.simulators.bpc303_device import BPC303Device
from pyrolab_drivers.simulators.pty_server import PtyServer, UnreliableLine, half, silence
from pyrolab_drivers.thorlabs import BPC303, AptError
from pyrolab_drivers.thorlabs.apt_messages import BAYS, MessageId
from pyrolab_drivers.thorlabs.apt_payloads import PiezoStatusBits
from pyrolab_drivers.transports import ReplyTimeout

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals on Windows")

STEP_UM = 20.0 / 32767


class Bench:
    """A simulated BPC303 on a pseudo-terminal, a bad cable, and a driver that is connected."""

    def __init__(self) -> None:
        self.device = BPC303Device()
        self.cable = UnreliableLine(self.device)
        self.server = PtyServer(self.cable)
        self.rack = BPC303(self.server.name, timeout_s=0.3)
        self.rack.connect()

    def close(self) -> None:
        self.rack.close()
        self.server.close()


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.close()


def test_a_rack_has_a_piezo_axis_in_each_bay(bench: Bench) -> None:
    assert bench.rack.identity.model == "BPC303"
    assert list(bench.rack.channels) == [1, 2, 3]
    assert bench.rack.channels[2].identity.model == "BPC303 channel 2"
    assert bench.rack.channels[3].limits == (0.0, 20.0)
    assert bench.rack.channels[3].max_voltage == 75.0


def test_in_open_loop_the_voltage_is_set(bench: Bench) -> None:
    axis = bench.rack.channels[1]
    assert not axis.closed_loop
    axis.voltage = 37.5
    assert 0.0 <= axis.voltage <= 37.6
    bay = bench.device.bays[BAYS[0]]
    assert bay._to == pytest.approx(0.98 / 2, rel=1e-3)
    with pytest.raises(OutOfRange):
        axis.voltage = 80.0
    with pytest.raises(WrongMode):
        axis.move_to(5.0)


def test_in_closed_loop_the_position_is_set(bench: Bench) -> None:
    axis = bench.rack.channels[3]
    axis.closed_loop = True
    axis.move_to(12.5)
    axis.wait(10.0)
    assert axis.position == pytest.approx(12.5, abs=0.05)
    assert axis.target == 12.5
    with pytest.raises(WrongMode):
        axis.voltage = 1.0
    with pytest.raises(OutOfRange):
        axis.move_to(20.1)
    assert [bay.closed for bay in bench.device.bays.values()] == [False, False, True]


def test_zeroing_ends_with_a_gauge_that_is_zeroed(bench: Bench) -> None:
    axis = bench.rack.channels[1]
    assert not axis.homed
    axis.zero()
    assert axis.moving
    axis.wait(10.0)
    assert axis.homed
    assert axis.position == pytest.approx(0.0, abs=STEP_UM)


def test_a_little_below_zero_is_not_the_far_end(bench: Bench) -> None:
    bay = bench.device.bays[BAYS[0]]
    bay._from = bay._to = -3 / 32767
    assert bench.rack.channels[1].position == pytest.approx(-3 * STEP_UM)


def test_stop_stays_where_it_is(bench: Bench) -> None:
    axis = bench.rack.channels[1]
    axis.closed_loop = True
    axis.move_to(20.0)
    bench.rack.stop()
    axis.wait(10.0)
    assert axis.target <= 20.0


def test_a_loop_that_does_not_close_is_an_error(bench: Bench) -> None:
    bench.device.bays[BAYS[1]].gauge_connected = False
    with pytest.raises(AptError, match="is there a gauge"):
        bench.rack.channels[2].closed_loop = True


def test_a_channel_can_be_switched_off(bench: Bench) -> None:
    axis = bench.rack.channels[1]
    axis.enabled = False
    assert not axis.enabled
    assert not axis.status_bits & PiezoStatusBits.ENABLED


def test_the_smooth_modes_are_a_choice() -> None:
    device = BPC303Device()
    with PtyServer(device) as server, BPC303(server.name, bays=(1,), smooth=True) as rack:
        rack.channels[1].closed_loop = True
        assert rack.channels[1].closed_loop
        modes = [
            message.param2
            for message in device.bays[BAYS[0]].received
            if message.id is MessageId.PZ_SET_POSCONTROLMODE
        ]
        assert modes == [4]


def test_an_empty_bay_is_named() -> None:
    with PtyServer(BPC303Device(occupied=(1, 3))) as server:
        with pytest.raises(AptError, match=r"channel 2.*empty"):
            BPC303(server.name).connect()
        with BPC303(server.name, bays=(1, 3)) as rack:
            assert list(rack.channels) == [1, 3]


def test_the_next_command_is_right_after_half_a_reply_and_after_none(bench: Bench) -> None:
    axis = bench.rack.channels[2]
    for fault in (half, silence, half):
        bench.cable.then(fault)
        with pytest.raises(ReplyTimeout):
            _ = axis.position
        assert axis.position == pytest.approx(0.0, abs=STEP_UM)


def test_a_channel_without_its_rack_is_not_connected() -> None:
    channel = BPC303("COM1").channels[1]
    with pytest.raises(NotConnected):
        channel.connect()
    with pytest.raises(NotConnected):
        _ = channel.position
