"""The simulated module in the hands of pytla, a driver that others wrote; and its frames beside ours."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from pyrolab_drivers.itla.frames import bip4
from pyrolab_drivers.simulators.itla_device import ItlaDevice
from pyrolab_drivers.simulators.pty_server import PtyServer

with warnings.catch_warnings():  # it imports pkg_resources, which warns that it will go
    warnings.simplefilter("ignore")
    import itla as pytla
    import itla.itla_errors as pytla_errors
    import itla.utils as pytla_utils

needs_terminals = pytest.mark.skipif(
    sys.platform == "win32", reason="there are no pseudo-terminals on Windows"
)


def connected(kind: Callable[..., Any], name: str, *arguments: object) -> Any:
    laser = kind(name, *arguments, sleep_time=0.01)
    laser.connect()
    return laser


def enable(laser: Any, device: ItlaDevice) -> None:
    with pytest.raises(pytla_errors.CPException):
        laser.enable()
    while device.pending:
        laser.nop()


def test_the_checksum_is_that_of_pytla() -> None:
    for number in range(0, 1 << 32, 65537 * 251):
        frame = number.to_bytes(4, "big")
        assert bip4(frame) == pytla_utils.compute_checksum(frame.hex())


@needs_terminals
def test_pytla_reads_what_the_module_says() -> None:
    device = ItlaDevice()
    with PtyServer(device) as server:
        laser = connected(pytla.PPLaser, server.name)
        assert laser.get_manufacturer().rstrip("\0") == "PyroLab"
        assert laser.get_serialnumber().rstrip("\0") == "CRTNXX0001"
        assert laser.get_frequency_min() == pytest.approx(191.5)
        assert laser.get_frequency_max() == pytest.approx(196.25)
        assert (laser.get_power_min(), laser.get_power_max()) == (6.0, 13.5)
        assert laser.get_temps() == [25.0, 31.25]
        assert laser.get_currents() == [-123.4, 0.0]
        assert laser.get_temp() == 25.0
        laser.disconnect()


@needs_terminals
def test_pytla_tunes_and_switches_the_module() -> None:
    device = ItlaDevice()
    with PtyServer(device) as server:
        laser = connected(pytla.PPLaser, server.name)
        laser.set_frequency(194.1234)
        assert device.frequency_mhz == 194_123_400
        assert laser.get_frequency() == pytest.approx(194.1234)
        laser.set_power(8.5)
        enable(laser, device)
        assert device.enabled
        assert laser.get_power_output() == 8.5
        with pytest.raises(pytla_errors.CPException):
            laser.set_fine_tuning(-1.5)
        while device.pending:
            laser.nop()
        assert device.frequency_mhz == 194_121_900
        with pytest.raises(pytla_errors.CIEError):
            laser.set_fcf(195.0)
        laser.whispermode()
        assert laser.get_mode() == 2
        laser.disconnect()
        assert not device.enabled


@needs_terminals
def test_pytla_is_told_of_a_power_out_of_range() -> None:
    with PtyServer(ItlaDevice()) as server:
        laser = connected(pytla.PPLaser, server.name)
        with pytest.raises(pytla_errors.RVEError):
            laser.set_power(20.0)
        laser.disconnect()


@needs_terminals
def test_both_drivers_put_the_same_bytes_on_the_wire() -> None:
    from pyrolab_drivers.itla import ITLALaser

    ours, theirs = ItlaDevice(), ItlaDevice()
    with PtyServer(ours) as server, ITLALaser(server.name, off_on_close=False) as laser:
        before = len(ours.requests)
        laser.power_setpoint = 9.75
        laser._line.write(0x62, -1234)
        mine = [request.encode() for request in ours.requests[before:]]
    with PtyServer(theirs) as server:
        foreign = connected(pytla.PPLaser, server.name)
        before = len(theirs.requests)
        foreign.set_power(9.75)
        foreign.set_fine_tuning(-1.234)
        assert [request.encode() for request in theirs.requests[before:]] == mine
        foreign.disconnect()
