"""The RTO: against QCoDeS' simulated one, and over a socket against ours, which QCoDeS' driver reads too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import qcodes.instrument.sims
from numpy.typing import NDArray
from qcodes.instrument_drivers.rohde_schwarz import RohdeSchwarzRTO1000

from pyrolab_drivers.oscilloscope import Coupling, TriggerMode, TriggerSlope
from pyrolab_drivers.quantities import NotSupported, OutOfRange
from pyrolab_drivers.rohde_schwarz import RohdeSchwarzRTO, WaveformFormat
from pyrolab_drivers.simulators.pty_server import TcpServer, UnreliableLine, half
from pyrolab_drivers.simulators.rto_device import RTODevice
from pyrolab_drivers.transports import BadReply, InstrumentErrors, ReplyTimeout, TransportError


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def resource(server: TcpServer) -> str:
    """The VISA name of a server on a TCP port."""
    return f"TCPIP::127.0.0.1::{server.name.rpartition(':')[2]}::SOCKET"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def device(clock: Clock) -> RTODevice:
    return RTODevice(clock, acquisition_s=1.0)


@pytest.fixture
def server(device: RTODevice) -> Iterator[TcpServer]:
    with TcpServer(device) as server:
        yield server


@pytest.fixture(params=["@py", "socket"])
def scope(request: pytest.FixtureRequest, server: TcpServer) -> Iterator[RohdeSchwarzRTO]:
    if request.param == "socket":
        scope = RohdeSchwarzRTO(server.name)
    else:
        scope = RohdeSchwarzRTO(resource(server), visa_library="@py")
    with scope:
        yield scope


# -- QCoDeS' simulated scope -------------------------------------------------------------------------


@pytest.fixture
def foreign() -> Iterator[RohdeSchwarzRTO]:
    file = Path(qcodes.instrument.sims.__file__).with_name("RTO_1000.yaml")
    scope = RohdeSchwarzRTO("GPIB::1::INSTR", visa_library=f"{file}@sim", check_errors=False)
    with scope:
        yield scope


def test_the_simulated_scope_of_qcodes_is_recognised(foreign: RohdeSchwarzRTO) -> None:
    assert foreign.identity.vendor == "QCoDeS"
    assert foreign.identity.model == "RTO 1000 (Simulation)"


def test_the_simulated_scope_of_qcodes_is_set_and_read(foreign: RohdeSchwarzRTO) -> None:
    assert foreign.trigger_source == "CHAN1"
    foreign.trigger_level = 0.125
    assert foreign.trigger_level == 0.125
    foreign.channels[1].offset = -0.75
    assert foreign.channels[1].offset == -0.75


# -- ours, over a socket -----------------------------------------------------------------------------


class Stairs(RTODevice):
    """A scope that shows stairs, none of whose bytes is a newline: there QCoDeS' reading of a socket ends."""

    def samples(self, channel: int) -> NDArray[np.float64]:
        steps = np.resize([-30_000, -12_345, -1, 0, 1, 300, 12_345, 31_000], 1000)
        assert b"\n" not in steps.astype("<i2").tobytes()
        return 0.1 + steps * 0.25 * 10 / (253 * 256)


def test_qcodes_gets_the_waveform_that_our_driver_gets() -> None:
    with TcpServer(Stairs()) as server:
        compare_with_qcodes(server)


def compare_with_qcodes(server: TcpServer) -> None:
    settings: dict[str, Any] = {"visalib": "@py", "terminator": "\n"}
    other = RohdeSchwarzRTO1000("rto_over_socket", resource(server), **settings)
    try:
        other.ch1.scale(0.25)
        other.ch1.offset(0.1)
        other.ch1.trace.prepare_trace()
        theirs = other.ch1.trace()
        times = other.ch1.trace.setpoints[0]
    finally:
        other.close()
    with RohdeSchwarzRTO(server.name, waveform_format=WaveformFormat.INT16) as scope:
        assert scope.channels[1].scale == 0.25
        ours = scope.waveform(1)
    np.testing.assert_allclose(ours.volts, theirs, atol=1e-9)
    np.testing.assert_allclose(ours.times, times, atol=1e-18)
    assert ours.volts[-1] - ours.volts[0] == pytest.approx(61_000 * 2.5 / (253 * 256))


@pytest.mark.parametrize("kind", list(WaveformFormat))
@pytest.mark.parametrize("channel", [1, 2, 3, 4])
def test_a_waveform_is_what_the_channel_shows(
    scope: RohdeSchwarzRTO, device: RTODevice, kind: WaveformFormat, channel: int
) -> None:
    scope.waveform_format = kind
    scope.record_length = 4000
    scope.channels[channel].position = 1.5
    wave = scope.waveform(channel)
    assert wave.volts.dtype == np.float64
    assert len(wave.volts) == 4000
    tolerance = 1e-6 if kind is WaveformFormat.REAL32 else 5.0 / (253 * 256)
    np.testing.assert_allclose(wave.volts, device.samples(channel), atol=tolerance)
    assert wave.t0 == pytest.approx(-5e-7)
    assert wave.times[-1] == pytest.approx(5e-7)


def test_the_byte_order_is_sent_before_each_waveform(scope: RohdeSchwarzRTO, device: RTODevice) -> None:
    assert device.get("FORMat:BORDer") == "MSBF"
    scope.waveform(1)
    device.put("FORMat:BORDer", "MSBF")
    np.testing.assert_allclose(scope.waveform(2).volts, device.samples(2), atol=1e-6)


def test_newlines_in_a_block_do_not_end_it(scope: RohdeSchwarzRTO, device: RTODevice) -> None:
    device.amplitude = 0.0
    device.put("CHANnel<n>:OFFSet", str(-0x0A0A * 5.0 / (253 * 256)), 1)
    scope.waveform_format = WaveformFormat.INT16
    wave = scope.waveform(1)
    np.testing.assert_allclose(wave.volts, 0.0, atol=1e-3)
    assert scope.trigger_source == "CHAN1"


def test_settings_of_a_channel_come_back(scope: RohdeSchwarzRTO) -> None:
    channel = scope.channels[3]
    channel.scale, channel.offset, channel.position = 0.05, -0.2, 2.5
    assert (channel.scale, channel.range, channel.offset, channel.position) == (0.05, 0.5, -0.2, 2.5)
    channel.range = 8.0
    assert channel.scale == 0.8
    for coupling in (Coupling.DC, Coupling.DC_50_OHM, Coupling.AC):
        channel.coupling = coupling
        assert channel.coupling is coupling
    for bandwidth in (20e6, 200e6, 800e6, None):
        channel.bandwidth = bandwidth
        assert channel.bandwidth == bandwidth
    channel.enabled = False
    assert not channel.enabled
    with pytest.raises(NotSupported, match="ground"):
        channel.coupling = Coupling.GROUND


def test_settings_of_time_and_trigger_come_back(scope: RohdeSchwarzRTO) -> None:
    scope.timebase_scale, scope.timebase_position, scope.record_length = 1e-6, 2e-6, 5000
    assert (scope.timebase_scale, scope.timebase_position, scope.record_length) == (1e-6, 2e-6, 5000)
    assert scope.timebase_range == pytest.approx(1e-5)
    assert scope.sample_rate == pytest.approx(5e8)
    for source in scope.trigger_sources:
        scope.trigger_source = source
        assert scope.trigger_source == source
        scope.trigger_level = 0.25
        assert scope.trigger_level == 0.25
    for slope in TriggerSlope:
        scope.trigger_slope = slope
        assert scope.trigger_slope is slope
    for mode in TriggerMode:
        scope.trigger_mode = mode
        assert scope.trigger_mode is mode


def test_one_waveform_is_waited_for(scope: RohdeSchwarzRTO, clock: Clock) -> None:
    scope.run()
    assert scope.running
    scope.stop()
    assert not scope.running
    scope.single()
    assert scope.running
    with pytest.raises(TimeoutError, match="the recording"):
        scope.wait(0.0)
    clock.now += 2.0
    scope.wait()


def test_what_cannot_be_is_refused_before_it_is_sent(scope: RohdeSchwarzRTO, device: RTODevice) -> None:
    sent = len(device.received)
    with pytest.raises(OutOfRange, match="scale"):
        scope.channels[1].scale = 20.0
    with pytest.raises(OutOfRange, match="trigger source can be CHAN1"):
        scope.trigger_source = "CHAN5"
    with pytest.raises(LookupError):
        scope.waveform(5)
    assert len(device.received) == sent


def test_what_the_scope_refuses_is_raised(scope: RohdeSchwarzRTO) -> None:
    with pytest.raises(InstrumentErrors, match="-222"):
        scope.record_length = 1_000_000_000
    assert scope.errors() == []
    assert scope.self_test() == ""


def test_an_envelope_is_refused(scope: RohdeSchwarzRTO, device: RTODevice) -> None:
    device.command("CHANnel<n>[:WAVeform<n>]:DATA:HEADer", read=lambda *_: "-5E-07,5E-07,1000,2")
    with pytest.raises(NotSupported, match="2 values a sample"):
        scope.waveform(1)


def test_a_header_that_does_not_fit_is_reported(scope: RohdeSchwarzRTO, device: RTODevice) -> None:
    device.command("CHANnel<n>[:WAVeform<n>]:DATA:HEADer", read=lambda *_: "-5E-07,5E-07,999,1")
    with pytest.raises(BadReply, match="1000 samples and not 999"):
        scope.waveform(1)


def test_a_waveform_that_is_cut_is_reported_and_the_next_is_right(device: RTODevice) -> None:
    line = UnreliableLine(device)
    with TcpServer(line) as server, RohdeSchwarzRTO(server.name, timeout_s=0.3) as scope:
        line.then(None, None, half)
        with pytest.raises(ReplyTimeout):
            scope.waveform(1)
        np.testing.assert_allclose(scope.waveform(1).volts, device.samples(1), atol=1e-6)


def test_a_picture_of_the_screen_is_a_png(scope: RohdeSchwarzRTO) -> None:
    assert scope.screenshot().startswith(b"\x89PNG\r\n\x1a\n")


def test_another_instrument_is_not_taken_for_a_scope(server: TcpServer, device: RTODevice) -> None:
    device.identity = "ACME,Toaster,1,1"
    with pytest.raises(TransportError, match="no Rohde&Schwarz RTO"):
        RohdeSchwarzRTO(server.name).connect()
    with RohdeSchwarzRTO(server.name, any_model=True) as scope:
        assert scope.identity.model == "Toaster"
