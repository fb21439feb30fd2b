"""The B2900: over a socket by pyvisa-py and by pyserial, and by pyvisa-sim with answers as in the manual."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import pyvisa

from pyrolab_drivers.keysight import DataFormat, KeysightB2900
from pyrolab_drivers.quantities import NotConnected, OutOfRange
from pyrolab_drivers.simulators.b2900_device import B2900Device
from pyrolab_drivers.simulators.pty_server import TcpServer, UnreliableLine, half
from pyrolab_drivers.smu import SourceMode
from pyrolab_drivers.transports import BadReply, InstrumentErrors, ReplyTimeout


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
def device(clock: Clock) -> B2900Device:
    return B2900Device(clock)


@pytest.fixture
def server(device: B2900Device) -> Iterator[TcpServer]:
    with TcpServer(device) as server:
        yield server


@pytest.fixture(params=["@py", "socket"])
def smu(request: pytest.FixtureRequest, server: TcpServer) -> Iterator[KeysightB2900]:
    if request.param == "socket":
        smu = KeysightB2900(server.name)
    else:
        smu = KeysightB2900(resource(server), visa_library="@py")
    with smu:
        yield smu


def test_it_says_who_it_is(smu: KeysightB2900) -> None:
    assert (smu.identity.model, smu.identity.serial) == ("B2902B", "MY12345678")


def test_a_voltage_is_applied_in_the_safe_order(smu: KeysightB2900, device: B2900Device) -> None:
    device.received.clear()
    smu.channels[1].apply_voltage(0.05, compliance_current=1e-3)
    sent = [command for command in device.received if not command.startswith("SYST")]
    assert sent == [
        ":OUTP1 OFF",
        ":SOUR1:FUNC:MODE VOLT",
        ":SOUR1:VOLT:MODE FIX",
        ":SENS1:CURR:PROT 0.001",
        ":SOUR1:VOLT 0.05",
        ":OUTP1 ON",
    ]
    assert smu.channels[1].output_enabled
    assert not smu.channels[2].output_enabled


def test_it_measures_voltage_current_and_resistance(smu: KeysightB2900) -> None:
    channel = smu.channels[1]
    channel.apply_voltage(0.05, compliance_current=1e-3)
    assert channel.measure() == (0.05, 5e-5)
    assert channel.resistance == pytest.approx(1000.0)
    assert not channel.compliance_tripped
    channel.apply_voltage(5.0, compliance_current=1e-3)
    assert channel.compliance_tripped
    assert channel.measure() == (pytest.approx(1.0), 1e-3)
    channel.apply_current(2e-3, compliance_voltage=10.0)
    assert channel.source_mode is SourceMode.CURRENT
    assert (channel.voltage, channel.current) == (pytest.approx(2.0), 2e-3)


def test_channels_do_not_touch_each_other(smu: KeysightB2900, device: B2900Device) -> None:
    smu.channels[2].apply_voltage(0.01, compliance_current=1e-3)
    assert smu.channels[2].current == pytest.approx(2e-4)
    assert smu.channels[1].source_voltage == 0.0
    assert not device.outputs[1].on


def test_a_level_keeps_all_its_digits(smu: KeysightB2900, device: B2900Device) -> None:
    smu.channels[1].source_voltage = 1.23456789012
    assert device.outputs[1].level["VOLT"] == 1.23456789012
    assert smu.channels[1].source_voltage == pytest.approx(1.23456789012, abs=1e-12)
    smu.channels[1].source_current = 1.5e-12
    assert device.outputs[1].level["CURR"] == 1.5e-12


@pytest.mark.parametrize("little_endian", [False, True])
def test_readings_come_in_the_byte_order_that_was_sent(
    server: TcpServer, device: B2900Device, little_endian: bool
) -> None:
    with KeysightB2900(server.name, little_endian=little_endian) as smu:
        smu.channels[1].apply_voltage(0.05, compliance_current=1e-3)
        device.put("FORMat:BORDer", "NORM" if little_endian else "SWAP")  # somebody at the front panel
        assert smu.channels[1].measure() == (0.05, 5e-5)
    assert f":FORM:BORD {'SWAP' if little_endian else 'NORM'}" in device.received


def test_text_is_possible_too(server: TcpServer) -> None:
    with KeysightB2900(server.name, data_format=DataFormat.ASCII) as smu:
        smu.channels[1].apply_voltage(0.05, compliance_current=1e-3)
        assert smu.channels[1].measure() == (0.05, 5e-5)
        assert smu.channels[1].sweep(0.0, 0.1, 11).current[-1] == pytest.approx(1e-4)


def test_our_blocks_are_what_pyvisa_reads(server: TcpServer, device: B2900Device) -> None:
    device.outputs[1].on = True
    device.outputs[1].level["VOLT"] = 0.05
    manager = pyvisa.ResourceManager("@py")
    with manager.open_resource(resource(server), read_termination="\n", write_termination="\n") as foreign:
        assert isinstance(foreign, pyvisa.resources.MessageBasedResource)
        foreign.write(":FORM REAL,64;:FORM:BORD NORM;:FORM:ELEM:SENS VOLT,CURR")
        values = foreign.query_binary_values(":MEAS? (@1)", datatype="d", is_big_endian=True)
        assert list(values) == [0.05, 5e-5]
        assert foreign.query_ascii_values(":FORM ASC;:MEAS? (@1)") == [0.05, 5e-5]
        foreign.write(":FORM:ELEM:SENS CURR;:MEAS:NOISE?")
        assert foreign.query("SYST:ERR?").startswith("-113")
    manager.close()


def test_what_is_no_number_is_nan_and_over_range_is_infinite(smu: KeysightB2900, device: B2900Device) -> None:
    assert all(math.isnan(value) for value in smu.channels[1].measure())
    device.command("MEASure", read=lambda *_: device.values([(-9.9e37, 9.9e37)]))
    assert smu.channels[1].measure() == (-math.inf, math.inf)


def test_a_linear_sweep_is_done_by_the_instrument(smu: KeysightB2900, device: B2900Device) -> None:
    channel = smu.channels[1]
    channel.compliance_current = 1e-3
    device.received.clear()
    curve = channel.sweep(-1.0, 2.0, 301)
    assert len(curve.source) == len(curve.voltage) == len(curve.current) == 301
    np.testing.assert_allclose(curve.source, np.linspace(-1.0, 2.0, 301))
    np.testing.assert_allclose(curve.current, np.clip(curve.source / 1000.0, -1e-3, 1e-3), atol=1e-12)
    np.testing.assert_allclose(curve.voltage, np.clip(curve.source, -1.0, 1.0), atol=1e-9)
    for command in (":SOUR1:VOLT:MODE SWE", ":SOUR1:VOLT:POIN 301", ":TRIG1:COUN 301", ":TRIG1:SOUR AINT"):
        assert command in device.received
    assert device.received.count(":INIT (@1)") == 1
    assert not device.outputs[1].on
    assert device.outputs[1].course["VOLT"] == "FIX"


def test_a_list_sweep_goes_through_any_levels(smu: KeysightB2900, device: B2900Device) -> None:
    channel = smu.channels[2]
    channel.source_mode = SourceMode.CURRENT
    channel.compliance_voltage = 1.0
    levels = [1e-3, -1e-3, 5e-3, 0.03]
    curve = channel.list_sweep(levels)
    np.testing.assert_allclose(curve.voltage, [0.05, -0.05, 0.25, 1.0])
    np.testing.assert_allclose(curve.current, [1e-3, -1e-3, 5e-3, 0.02])
    assert ":SOUR2:CURR:MODE LIST" in device.received
    assert not device.outputs[2].on


def test_a_sweep_is_waited_for_and_can_be_stopped_meanwhile(smu: KeysightB2900, device: B2900Device) -> None:
    device.outputs[1].until = 0.0
    failures: list[BaseException] = []

    def sweep() -> None:
        try:
            smu.channels[1].sweep(0.0, 0.1, 11, dwell_s=5.0)
        except BadReply as error:
            failures.append(error)

    thread = threading.Thread(target=sweep)
    thread.start()
    pause = threading.Event()
    for _ in range(1000):
        if device.busy():
            break
        pause.wait(0.01)
    assert device.busy()
    smu.stop()
    thread.join(30.0)
    assert not thread.is_alive()
    assert not device.outputs[1].on
    assert "was the sweep aborted" in str(failures[0])


def test_a_sweep_that_cannot_be_is_not_begun(smu: KeysightB2900, device: B2900Device) -> None:
    channel = smu.channels[1]
    for stop, points in ((211.0, 11), (1.0, 2501)):
        with pytest.raises(OutOfRange):
            channel.sweep(0.0, stop, points)
    levels: list[list[float]] = [[0.0, math.nan], [], [0.0] * 2501]
    for each in levels:
        with pytest.raises(OutOfRange):
            channel.list_sweep(each)
    with pytest.raises(OutOfRange, match="dwell"):
        channel.list_sweep([0.0], dwell_s=-1.0)
    assert not any(":INIT" in command or "ON" in command for command in device.received)


def test_the_output_is_off_when_a_sweep_fails(smu: KeysightB2900, device: B2900Device) -> None:
    device.command("INITiate[:IMMediate][:ALL]", lambda *_: device.fail(-221, "trigger"))
    with pytest.raises(InstrumentErrors, match="-221"):
        smu.channels[1].sweep(0.0, 0.1, 11)
    assert not device.outputs[1].on


def test_other_settings_come_back(smu: KeysightB2900) -> None:
    channel = smu.channels[1]
    channel.nplc, channel.four_wire, channel.autorange = 0.1, True, False
    assert (channel.nplc, channel.four_wire, channel.autorange) == (0.1, True, False)
    channel.range = 1e-3
    assert channel.range == 1e-3
    channel.compliance_voltage, channel.compliance_current = 12.5, 2e-3
    assert (channel.compliance_voltage, channel.compliance_current) == (12.5, 2e-3)


def test_what_is_out_of_range_never_reaches_the_wire(smu: KeysightB2900, device: B2900Device) -> None:
    sent = len(device.received)
    channel = smu.channels[1]
    with pytest.raises(OutOfRange, match="source voltage"):
        channel.source_voltage = 210.1
    with pytest.raises(OutOfRange, match="compliance current"):
        channel.compliance_current = 0.0
    with pytest.raises(OutOfRange, match="nplc"):
        channel.nplc = 1000.0
    assert len(device.received) == sent
    with pytest.raises(OutOfRange, match="1 or 2 channels"):
        KeysightB2900("unused", channels=3)


def test_all_outputs_are_off_after_close(server: TcpServer, device: B2900Device) -> None:
    with KeysightB2900(server.name) as smu:
        smu.channels[1].apply_voltage(0.05, 1e-3)
        smu.channels[2].apply_voltage(0.05, 1e-2)
        channel = smu.channels[1]
    assert not device.outputs[1].on
    assert not device.outputs[2].on
    with pytest.raises(NotConnected):
        channel.measure()
    with KeysightB2900(server.name, keep_output=True) as smu:
        smu.channels[1].apply_voltage(0.05, 1e-3)
    assert device.outputs[1].on


def test_a_reading_that_is_cut_is_reported_and_the_next_is_right(device: B2900Device) -> None:
    line = UnreliableLine(device)
    with TcpServer(line) as server, KeysightB2900(server.name, timeout_s=0.3, check_errors=False) as smu:
        smu.channels[1].apply_voltage(0.05, 1e-3)
        line.then(half)
        with pytest.raises(ReplyTimeout):
            smu.channels[1].measure()
        assert smu.channels[1].measure() == (0.05, 5e-5)


# -- pyvisa-sim --------------------------------------------------------------------------------------


@pytest.fixture
def simulated() -> Iterator[KeysightB2900]:
    file = Path(__file__).with_name("b2902.yaml")
    smu = KeysightB2900(
        "TCPIP0::localhost::inst0::INSTR", visa_library=f"{file}@sim", data_format=DataFormat.ASCII
    )
    with smu:
        yield smu


def test_the_answers_of_the_manual_are_understood(simulated: KeysightB2900) -> None:
    assert simulated.identity.model == "B2902A"
    assert simulated.channels[1].measure() == (0.1, 1e-4)
    voltage, current = simulated.channels[2].measure()
    assert math.isnan(voltage)
    assert current == -math.inf
    simulated.channels[1].apply_voltage(0.1, compliance_current=1e-3)
    assert simulated.channels[1].source_voltage == 0.1
    assert simulated.channels[1].compliance_current == 1e-3
    assert simulated.channels[1].source_mode is SourceMode.VOLTAGE
    assert not simulated.channels[1].compliance_tripped
