"""The SMCV100B: our driver and R&S's own, RsSmcv, at one simulated generator, over a socket."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from RsSmcv import RsSmcv, enums

from pyrolab_drivers.quantities import OutOfRange, WrongMode
from pyrolab_drivers.rohde_schwarz import SMCV100B
from pyrolab_drivers.signal_generator import SweepSpacing
from pyrolab_drivers.simulators.pty_server import TcpServer
from pyrolab_drivers.simulators.smcv_device import SMCVDevice
from pyrolab_drivers.transports import InstrumentErrors

LIMITS = (8e3, 6e9)


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def device(clock: Clock) -> SMCVDevice:
    return SMCVDevice(clock)


@pytest.fixture
def server(device: SMCVDevice) -> Iterator[TcpServer]:
    with TcpServer(device) as server:
        yield server


@pytest.fixture
def generator(server: TcpServer) -> Iterator[SMCV100B]:
    with SMCV100B(server.name, frequency_limits=LIMITS) as generator:
        yield generator


def theirs(server: TcpServer) -> RsSmcv:
    port = server.name.rpartition(":")[2]
    return RsSmcv(f"TCPIP::127.0.0.1::{port}::SOCKET", True, False, "SelectVisa=SocketIo")


def test_rssmcv_reads_what_we_set(server: TcpServer) -> None:
    with SMCV100B(server.name, frequency_limits=LIMITS, keep_output=True) as ours:
        ours.frequency, ours.power, ours.phase = 2_345_678_901.234, -12.34, 45.0
        ours.frequency_offset, ours.power_offset = 1e6, 3.0
        ours.output_enabled = True
    other = theirs(server)
    try:
        assert other.source.frequency.get_frequency() == 2_345_678_901.234
        assert other.source.frequency.fixed.get_value() == pytest.approx(2_346_678_901.234)
        assert other.source.power.get_power() == -12.34
        assert other.source.power.level.immediate.get_amplitude() == pytest.approx(-9.34)
        assert other.source.power.level.immediate.get_offset() == 3.0
        assert other.source.frequency.get_offset() == 1e6
        assert other.source.phase.get_value() == 45.0
        assert other.output.state.get_value() is True
    finally:
        other.close()


def test_we_read_what_rssmcv_sets(server: TcpServer, device: SMCVDevice) -> None:
    other = theirs(server)
    try:
        other.source.frequency.fixed.set_value(1_500_000_000.5)
        other.source.power.level.immediate.set_amplitude(-20.5)
        other.source.phase.set_value(-90.0)
        other.output.state.set_value(True)
    finally:
        other.close()
    with SMCV100B(server.name, frequency_limits=LIMITS) as ours:
        assert (ours.frequency, ours.power, ours.phase) == (1_500_000_000.5, -20.5, -90.0)
        assert ours.output_enabled
    assert not device.output


def test_rssmcv_sees_the_sweep_that_we_started(server: TcpServer, device: SMCVDevice, clock: Clock) -> None:
    with SMCV100B(server.name, frequency_limits=LIMITS) as ours:
        ours.sweep(1e9, 2e9, 101, dwell_s=0.02, spacing=SweepSpacing.LOGARITHMIC)
        assert ours.sweep_running
    np.testing.assert_allclose(device.frequencies(), np.geomspace(1e9, 2e9, 101))
    other = theirs(server)
    try:
        assert other.source.frequency.get_mode() is enums.FreqMode.SWEep
        assert (other.source.frequency.get_start(), other.source.frequency.get_stop()) == (1e9, 2e9)
        sweep = other.source.sweep.frequency
        assert (sweep.get_points(), sweep.get_dwell(), sweep.get_running()) == (101, 0.02, True)
        assert sweep.get_spacing() is enums.Spacing.LOGarithmic
        clock.now += 10.0
        assert sweep.get_running() is False
    finally:
        other.close()


def test_a_repeated_sweep_runs_until_it_is_stopped(generator: SMCV100B, clock: Clock) -> None:
    generator.sweep(1e9, 2e9, 11, repeat=True)
    clock.now += 1000.0
    assert generator.sweep_running
    generator.stop_sweep()
    assert not generator.sweep_running


def test_a_sweep_under_an_offset_is_refused(generator: SMCV100B, device: SMCVDevice) -> None:
    generator.frequency_offset = 1e9
    with pytest.raises(WrongMode, match="set frequency_offset to 0"):
        generator.sweep(1e9, 2e9, 11)
    assert not device.sweeping


def test_an_offset_does_not_move_the_output(generator: SMCV100B, device: SMCVDevice) -> None:
    generator.frequency, generator.power = 1e9, -10.0
    generator.frequency_offset, generator.power_offset = 5e6, 20.0
    assert (generator.frequency_offset, generator.power_offset) == (5e6, 20.0)
    assert (generator.frequency, generator.power) == (1e9, -10.0)
    assert (device.frequency, device.power) == (1e9, -10.0)


def test_a_thousandth_of_a_hertz_survives_the_wire(generator: SMCV100B) -> None:
    generator.frequency = 1_234_567_890.123
    assert generator.frequency == pytest.approx(1_234_567_890.123, abs=5e-3)


def test_what_cannot_be_is_refused_before_it_is_sent(generator: SMCV100B, device: SMCVDevice) -> None:
    sent = len(device.received)
    for frequency in (7e3, 6.1e9):
        with pytest.raises(OutOfRange, match="frequency can be"):
            generator.frequency = frequency
    with pytest.raises(OutOfRange, match="power can be"):
        generator.power = 26.0
    with pytest.raises(OutOfRange, match="dwell"):
        generator.sweep(1e9, 2e9, 11, dwell_s=1e-4)
    assert len(device.received) == sent


def test_what_the_generator_refuses_is_raised(server: TcpServer, device: SMCVDevice) -> None:
    with SMCV100B(server.name, frequency_limits=(8e3, 7e9)) as generator:
        with pytest.raises(InstrumentErrors, match="-222"):
            generator.frequency = 6.5e9
        generator.frequency = 5e9
    assert device.frequency == 5e9


def test_no_signal_leaves_after_stop_or_close(server: TcpServer, device: SMCVDevice) -> None:
    with SMCV100B(server.name, frequency_limits=LIMITS) as generator:
        generator.output_enabled = True
        assert device.output
        generator.stop()
        assert not device.output
        generator.output_enabled = True
    assert not device.output


def test_a_reset_is_sent(generator: SMCV100B, device: SMCVDevice) -> None:
    generator.frequency = 3e9
    generator.reset()
    assert device.frequency == 1e9
