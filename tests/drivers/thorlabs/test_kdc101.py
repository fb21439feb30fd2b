from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from pyrolab_drivers.quantities import InstrumentBusy, NotConnected, NotSupported, OutOfRange
from pyrolab_drivers.simulators.apt_device import KDC101Device
from pyrolab_drivers.simulators.pty_server import (
    Fault,
    PtyServer,
    TcpServer,
    UnreliableLine,
    garbage,
    half,
    instead,
    silence,
    twice,
)
from pyrolab_drivers.thorlabs import KDC101, STAGES, AptError, KDC101Rotation, MoveFailed, ServoStage
from pyrolab_drivers.thorlabs.apt_messages import HOST, USB_UNIT, Message, MessageId
from pyrolab_drivers.thorlabs.apt_payloads import MotorStatus, RichError
from pyrolab_drivers.transports import ReplyTimeout, open_transport

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals on Windows")

COUNTS = 34304.0


def until(condition: Callable[[], bool], limit_s: float = 20.0) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.002)


class Bench:
    """A simulated KDC101 on a pseudo-terminal, a bad cable, and a driver that is connected."""

    def __init__(self) -> None:
        self.device = KDC101Device()
        self.cable = UnreliableLine(self.device)
        self.server = PtyServer(self.cable)
        self.axis = KDC101(
            self.server.name,
            "Z825B",
            counts_per_unit=COUNTS,
            velocity_limit=2.6,
            acceleration_limit=4.0,
            limit_1_at="low",
            timeout_s=0.3,
        )
        self.axis.connect()

    def close(self) -> None:
        self.axis.close()
        self.server.close()

    def home(self) -> None:
        self.axis.home()
        self.axis.wait(10.0)


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.close()


def test_it_says_who_it_is(bench: Bench) -> None:
    identity = bench.axis.identity
    assert (identity.vendor, identity.model, identity.serial) == ("Thorlabs", "KDC101", "27000001")
    assert identity.firmware == "3.2.1"


def test_homing_finds_the_reference(bench: Bench) -> None:
    assert not bench.axis.homed
    bench.axis.home()
    assert bench.axis.moving
    bench.axis.wait(10.0)
    assert bench.axis.homed
    assert bench.axis.position == 0.0
    assert bench.axis.limit_switches == (True, False)


def test_a_move_ends_at_its_target(bench: Bench) -> None:
    bench.home()
    bench.axis.move_to(0.25)
    assert bench.axis.target == 0.25
    bench.axis.wait(10.0)
    assert bench.axis.position == 0.25
    bench.axis.move_by(-0.125)
    bench.axis.wait(10.0)
    assert bench.axis.position == 0.125
    assert bench.axis.limit_bits == (False, False)


def test_short_notices_of_older_firmware_end_a_move_as_well(bench: Bench) -> None:
    bench.device.long_notices = False
    bench.axis.move_to(0.01)
    bench.axis.wait(10.0)
    assert bench.axis.position == pytest.approx(0.01, abs=1 / COUNTS)


def test_a_move_to_where_it_is_has_ended(bench: Bench) -> None:
    bench.axis.move_to(0.0)
    bench.axis.wait(10.0)
    assert bench.axis.position == 0.0


def test_a_target_outside_the_limits_reaches_no_wire(bench: Bench) -> None:
    before = len(bench.device.received)
    for target in (-0.1, 25.1, float("nan")):
        with pytest.raises(OutOfRange):
            bench.axis.move_to(target)
    with pytest.raises(OutOfRange):
        bench.axis.velocity = 2.7
    with pytest.raises(OutOfRange):
        bench.axis.acceleration = 0.0
    with pytest.raises(OutOfRange):
        bench.axis.backlash = -1.0
    assert len(bench.device.received) == before


def test_a_second_move_is_refused_while_the_first_goes_on(bench: Bench) -> None:
    bench.axis.move_to(20.0)
    with pytest.raises(InstrumentBusy):
        bench.axis.move_to(1.0)
    with pytest.raises(InstrumentBusy):
        bench.axis.home()


@pytest.mark.parametrize("immediate", [False, True])
def test_stop_gets_in_while_another_thread_waits(bench: Bench, immediate: bool) -> None:
    bench.home()
    waited: list[BaseException | None] = []

    def wait() -> None:
        try:
            bench.axis.wait(20.0)
            waited.append(None)
        except BaseException as error:
            waited.append(error)

    bench.axis.move_to(24.0)
    waiting = threading.Thread(target=wait)
    waiting.start()
    until(lambda: bench.device.position > 1000)
    bench.axis.stop(immediate)
    waiting.join(20.0)
    assert waited == [None]
    assert 0.0 < bench.axis.position < 23.0
    assert not bench.axis.moving
    assert bench.axis.target == bench.axis.position


def test_stop_is_sent_while_another_thread_waits_for_a_reply_that_does_not_come(bench: Bench) -> None:
    bench.axis.move_to(20.0)
    bench.cable.then(silence)
    asked, failed = threading.Event(), threading.Event()

    def ask() -> None:
        asked.set()
        with pytest.raises(ReplyTimeout):
            _ = bench.axis.position
        failed.set()

    asking = threading.Thread(target=ask)
    asking.start()
    asked.wait(5.0)
    bench.axis.stop(immediate=True)
    until(lambda: not bench.device.moving or failed.is_set())
    assert not bench.device.moving
    asking.join(5.0)
    assert failed.is_set()


def test_jogging_goes_on_until_it_is_stopped(bench: Bench) -> None:
    bench.axis.jog()
    until(lambda: bench.device.position > 1000)
    assert bench.axis.moving
    bench.axis.stop()
    bench.axis.wait(10.0)
    assert bench.axis.position < 24.0


def test_velocity_acceleration_and_backlash_are_in_the_unit_of_the_stage(bench: Bench) -> None:
    bench.axis.velocity = 1.0
    bench.axis.acceleration = 2.0
    bench.axis.backlash = 0.01
    assert bench.axis.velocity == pytest.approx(1.0, rel=1e-5)
    assert bench.axis.acceleration == pytest.approx(2.0, rel=1e-3)
    assert bench.axis.backlash == pytest.approx(0.01, abs=1 / COUNTS)
    scale = 2048 / 6e6 * 65536
    assert bench.device.velocity.maximum == round(COUNTS * scale)
    assert bench.device.backlash == 343


def test_a_setting_that_was_not_taken_is_an_error(bench: Bench) -> None:
    stale = Message(MessageId.MOT_GET_VELPARAMS, HOST, USB_UNIT, payload=bench.device.velocity).encode()
    bench.cable.then(None, instead(stale))
    with pytest.raises(AptError, match="did not take velocity"):
        bench.axis.velocity = 1.0


def test_an_axis_can_be_switched_off(bench: Bench) -> None:
    bench.axis.enabled = False
    assert not bench.device.enabled
    assert not bench.axis.enabled
    bench.axis.enabled = True
    assert bench.axis.enabled


def test_a_move_that_never_begins_is_an_error(bench: Bench) -> None:
    bench.axis.enabled = False
    bench.axis.move_to(5.0)
    with pytest.raises(MoveFailed, match="enabled"):
        bench.axis.wait(10.0)
    bench.axis.enabled = True
    bench.axis.move_to(0.01)
    bench.axis.wait(10.0)


def test_an_error_of_the_controller_is_raised_where_it_is_noticed(bench: Bench) -> None:
    error = RichError(MessageId.MOT_REQ_DCSTATUSUPDATE, 7, b"overheated")
    bench.cable.then(instead(Message(MessageId.HW_RICHRESPONSE, HOST, USB_UNIT, payload=error).encode()))
    with pytest.raises(AptError, match="overheated") as raised:
        _ = bench.axis.position
    assert raised.value.code == 7
    assert bench.axis.position == 0.0


def test_an_error_about_something_else_is_kept(bench: Bench) -> None:
    error = RichError(MessageId.MOT_SET_JOGPARAMS, 9, b"bad step")
    noise = Message(MessageId.HW_RICHRESPONSE, HOST, USB_UNIT, payload=error).encode()
    bench.cable.then(garbage(noise))
    assert bench.axis.position == 0.0
    assert "bad step" in bench.axis.errors()[0]
    assert bench.axis.errors() == []


FAULTS: dict[str, Fault] = {
    "garbage before": garbage(b"\x91\x04\x0e\x00\x81\xffnoise"),
    "half a message": half,
    "nothing": silence,
    "twice": twice,
    "garbage alone": instead(b"\x00\x91\x04\xff\xff"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_next_command_is_right_whatever_came_before(bench: Bench, fault: str) -> None:
    bench.axis.move_to(0.125)
    bench.axis.wait(10.0)
    for _ in range(3):
        bench.cable.then(FAULTS[fault])
        with contextlib.suppress(ReplyTimeout):
            assert bench.axis.position == 0.125
        assert bench.axis.position == 0.125
        assert bench.axis.enabled


def test_without_a_reply_the_error_says_so(bench: Bench) -> None:
    bench.cable.then(silence)
    with pytest.raises(ReplyTimeout, match=r"did not answer within 0\.3 s"):
        _ = bench.axis.position


def test_a_move_ends_although_its_notice_is_lost(bench: Bench) -> None:
    bench.axis.move_to(0.125)
    until(lambda: bench.device.moving)
    bench.device._notice = None
    bench.axis.wait(10.0)
    assert bench.axis.position == 0.125


def test_updates_that_another_program_left_on_are_switched_off(bench: Bench) -> None:
    bench.device.receive(Message(MessageId.HW_START_UPDATEMSGS, USB_UNIT).encode())
    assert bench.axis.position == 0.0
    bench.axis.close()
    bench.axis.connect()
    assert bench.axis.position == 0.0
    assert bench.device._next_update_s is None


def test_closing_stops_the_axis_unless_told_otherwise(bench: Bench) -> None:
    bench.axis.move_to(20.0)
    bench.axis.close()
    until(lambda: not bench.device.moving)
    assert bench.device.position < 20 * COUNTS
    with pytest.raises(NotConnected):
        bench.axis.stop()


def test_a_connection_that_was_given_stays_open() -> None:
    with TcpServer(KDC101Device()) as server, open_transport(server.name, timeout_s=2.0) as transport:
        with KDC101(transport, "Z606") as axis:
            axis.move_to(0.01)
            axis.wait(10.0)
        assert not transport.closed


def test_nothing_there_is_an_error_in_time() -> None:
    with PtyServer(UnreliableLine(_Dead())) as server:
        axis = KDC101(server.name, "Z606", timeout_s=0.1)
        with pytest.raises(ReplyTimeout, match="is the controller on"):
            axis.connect()
        assert not axis.connected


def test_a_stage_that_sources_disagree_about_needs_a_choice() -> None:
    with pytest.raises(ValueError, match=r"34304 or 34554\.96"):
        KDC101("COM1", "Z825B")
    with pytest.raises(LookupError, match="PRM1-Z8"):
        KDC101("COM1", "Z999")
    with pytest.raises(ValueError, match="more than 0"):
        KDC101("COM1", "Z825B", counts_per_unit=0)


def test_a_rotation_has_its_own_class() -> None:
    with pytest.raises(ValueError, match="deg"):
        KDC101("COM1", "PRM1-Z8")
    rotation = KDC101Rotation("COM1", "PRM1-Z8", velocity_limit=25.0)
    assert (rotation.unit, rotation.limits) == ("deg", (0.0, 360.0))
    assert rotation.velocity_limits[1] == 25.0


def test_what_is_not_known_of_a_stage_is_refused(bench: Bench) -> None:
    axis = KDC101(bench.server.name, ServoStage("mine", 10.0, (1000.0,)))
    with pytest.raises(NotSupported, match="velocity_limit"):
        _ = axis.velocity_limits
    with pytest.raises(NotSupported, match="acceleration_limit"):
        _ = axis.acceleration_limits
    bench.axis._limit_1_at = None
    with pytest.raises(NotSupported, match="limit_1_at"):
        _ = bench.axis.limit_switches


def test_every_preset_has_travel_and_counts() -> None:
    assert {"Z806", "Z825B", "Z612", "MTS25-Z8", "MTS50-Z8", "PRM1-Z8"} <= set(STAGES)
    assert all(stage.travel > 0 and min(stage.counts_per_unit) > 0 for stage in STAGES.values())


def test_status_bits_come_as_they_are(bench: Bench) -> None:
    assert bench.axis.status_bits & MotorStatus.CONNECTED
    bench.axis.identify()
    assert bench.axis.position == 0.0
    assert bench.device.received[-2].id is MessageId.MOD_IDENTIFY


class _Dead:
    def receive(self, data: bytes) -> bytes:
        return b""

    def due(self) -> bytes:
        return b""
