"""The simulated KDC101 in the hands of a driver that others wrote, and on its own."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from pyrolab_drivers.instrument import Instrument
from pyrolab_drivers.itla import ITLALaser
from pyrolab_drivers.simulators.apt_device import AptDevice, KDC101Device
from pyrolab_drivers.simulators.pty_server import PtyServer
from pyrolab_drivers.thorlabs import KDC101
from pyrolab_drivers.thorlabs.apt_messages import HOST, INSTRUMENTS, USB_UNIT, Decoder, Message, MessageId
from pyrolab_drivers.thorlabs.apt_payloads import Counts, DCStatus, MotorStatus, RichError, VelocityParameters


def until(condition: Callable[[], bool], limit_s: float = 20.0) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals on Windows")
def test_the_driver_of_thorlabs_apt_device_moves_and_homes_it() -> None:
    devices: Any = pytest.importorskip("thorlabs_apt_device")
    simulated = KDC101Device()
    with PtyServer(simulated) as server:
        theirs = devices.KDC101(serial_port=server.name, home=False)
        try:
            until(lambda: theirs.status["motor_connected"])
            assert not theirs.status["homed"]
            theirs.home()
            until(lambda: bool(theirs.status["homed"]))
            theirs.set_velocity_params(acceleration=4506, max_velocity=1841067)
            until(lambda: theirs.velparams["max_velocity"] == 1841067)
            theirs.move_absolute(34304)
            until(lambda: simulated.moving)
            until(lambda: theirs.status["position"] == 34304)
            until(lambda: not theirs.status["moving_forward"] and not theirs.status["moving_reverse"])
            theirs.move_relative(-304)
            until(lambda: theirs.status["position"] == 34000)
            theirs.move_absolute(800_000)
            until(lambda: theirs.status["position"] > 40_000)
            theirs.stop(immediate=True)
            until(lambda: not simulated.moving)
            until(lambda: theirs.status["position"] == simulated.position)
            assert 40_000 < simulated.position < 800_000
            theirs.set_enabled(False)
            until(lambda: not theirs.status["channel_enabled"])
        finally:
            theirs.close()
            theirs._thread.join(10.0)


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def said(data: bytes) -> list[Message]:
    return Decoder(dests={HOST}, sources=INSTRUMENTS).feed(data)


def tell(device: AptDevice, message_id: MessageId, *, channel: int = 1, param2: int = 0) -> list[Message]:
    return said(device.receive(Message(message_id, USB_UNIT, HOST, channel, param2).encode()))


def status(device: AptDevice) -> DCStatus:
    payload = tell(device, MessageId.MOT_REQ_DCSTATUSUPDATE)[-1].payload
    assert isinstance(payload, DCStatus)
    return payload


def move(device: AptDevice, counts: int) -> None:
    message = Message(MessageId.MOT_MOVE_ABSOLUTE, USB_UNIT, payload=Counts(1, counts))
    assert device.receive(message.encode()) == b""


def test_a_move_is_told_once_when_it_has_ended() -> None:
    clock = Clock()
    device = KDC101Device(clock=clock)
    move(device, 34304)
    assert status(device).bits & MotorStatus.MOVING_1
    assert device.due() == b""
    clock.now_s += 60.0
    (notice,) = said(device.due())
    assert notice.id is MessageId.MOT_MOVE_COMPLETED
    assert isinstance(notice.payload, DCStatus)
    assert notice.payload.position == 34304
    assert device.due() == b""


def test_it_stops_at_the_end_of_the_stage() -> None:
    clock = Clock()
    device = KDC101Device(travel=1000, start=500, clock=clock)
    move(device, 100_000)
    clock.now_s += 60.0
    assert status(device).position == 500
    assert status(device).bits & MotorStatus.LIMIT_2
    tell(device, MessageId.MOT_MOVE_VELOCITY, param2=2)
    clock.now_s += 60.0
    assert status(device).bits & MotorStatus.LIMIT_1


def test_jogging_makes_one_step() -> None:
    clock = Clock()
    device = KDC101Device(clock=clock)
    tell(device, MessageId.MOT_MOVE_JOG, param2=1)
    clock.now_s += 60.0
    assert status(device).position == device.jog.step


def test_updates_come_until_nobody_keeps_them_alive() -> None:
    clock = Clock()
    device = KDC101Device(clock=clock)
    tell(device, MessageId.HW_START_UPDATEMSGS)
    (update,) = said(device.due())
    assert update.id is MessageId.MOT_GET_DCSTATUSUPDATE
    clock.now_s += 0.9
    tell(device, MessageId.MOT_ACK_DCSTATUSUPDATE)
    clock.now_s += 0.9
    assert said(device.due())
    clock.now_s += 0.9
    assert device.due() == b""
    clock.now_s += 0.01
    assert device.due() == b""


def test_a_bad_setting_is_answered_with_a_rich_error() -> None:
    device = KDC101Device()
    bad = Message(MessageId.MOT_SET_VELPARAMS, USB_UNIT, payload=VelocityParameters(1, 0, 0, 5))
    (answer,) = said(device.receive(bad.encode()))
    assert isinstance(answer.payload, RichError)
    assert answer.payload.message_id == MessageId.MOT_SET_VELPARAMS


def test_a_counter_can_be_set() -> None:
    device = KDC101Device()
    device.receive(Message(MessageId.MOT_SET_POSCOUNTER, USB_UNIT, payload=Counts(1, 77)).encode())
    assert status(device).position == 77


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals on Windows")
@pytest.mark.parametrize(
    ("module", "vendor"), [("apt_device", "Thorlabs"), ("itla_device", "PyroLab")], ids=["KDC101", "ITLA"]
)
def test_it_can_be_served_from_the_command_line(module: str, vendor: str) -> None:
    command = [sys.executable, "-m", f"pyrolab_drivers.simulators.{module}"]
    drivers: dict[str, Callable[[str], Instrument]] = {
        "apt_device": lambda name: KDC101(name, "Z606"),
        "itla_device": ITLALaser,
    }
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            name = process.stdout.readline().strip()
            with drivers[module](name) as instrument:
                assert instrument.identity.vendor == vendor
        finally:
            process.kill()
