from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from pyrolab_drivers.itla import PPCL550, ItlaError, ITLALaser, NoiseMode, OutputIsOn
from pyrolab_drivers.itla.errors import CIE, ERRORS, RNI, RNW, RVE
from pyrolab_drivers.itla.frames import Request, Response, Status
from pyrolab_drivers.itla.registers import Register
from pyrolab_drivers.laser import SPEED_OF_LIGHT_NM_THZ
from pyrolab_drivers.quantities import NotConnected, NotSupported, OutOfRange, WrongMode
from pyrolab_drivers.simulators.itla_device import ItlaDevice
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
from pyrolab_drivers.transports import BadReply, ReplyTimeout

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals on Windows")


class Bench:
    """A simulated module on a pseudo-terminal, a bad cable, and a driver that is connected."""

    def __init__(self, *, megahertz: bool = True) -> None:
        self.device = ItlaDevice(megahertz=megahertz)
        self.cable = UnreliableLine(self.device)
        self.server = PtyServer(self.cable)
        self.laser = PPCL550(self.server.name, sweep_range_limit=50, sweep_rate_step=0.001, timeout_s=1.0)
        self.laser.connect()

    def close(self) -> None:
        self.laser.close()
        self.server.close()

    def written(self) -> list[tuple[int, int]]:
        """Registers and values that were written, in order."""
        return [
            (request.register, request.data) for request in self.device.requests if request.data is not None
        ]


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.close()


def test_it_says_who_it_is_and_what_it_can(bench: Bench) -> None:
    identity = bench.laser.identity
    assert (identity.vendor, identity.model, identity.serial) == ("PyroLab", "Simulated ITLA", "CRTNXX0001")
    shortest, longest = bench.laser.wavelength_limits
    assert shortest == pytest.approx(SPEED_OF_LIGHT_NM_THZ / 196.25)
    assert longest == pytest.approx(SPEED_OF_LIGHT_NM_THZ / 191.5)
    assert bench.laser.power_limits == (6.0, 13.5)


def test_a_frequency_is_set_to_the_megahertz(bench: Bench) -> None:
    bench.laser.frequency = 194.123456
    assert bench.device.frequency_mhz == 194_123_456
    assert bench.laser.frequency == pytest.approx(194.123456, abs=1e-9)
    assert bench.laser.settled


def test_without_the_registers_for_it_the_fine_tuning_makes_the_megahertz() -> None:
    bench = Bench(megahertz=False)
    try:
        bench.laser.frequency = 194.123456
        assert bench.device.frequency_mhz == 194_123_456
        assert (Register.FTF, 0x10000 - 44) in bench.written()
        with pytest.raises(ValueError, match=r"0\.1 GHz"):
            bench.laser.grid = 12.525
    finally:
        bench.close()


def test_a_channel_is_a_place_on_the_grid(bench: Bench) -> None:
    bench.laser.frequency = 193.0
    bench.laser.grid = 25.001
    bench.laser.channel = 5
    assert (bench.laser.channel, bench.laser.grid) == (5, 25.001)
    assert bench.laser.first_channel_frequency == 193.0
    assert bench.laser.frequency == pytest.approx(193.100004, abs=1e-9)
    bench.laser.frequency = 195.0
    assert bench.laser.channel == 1


def test_a_value_out_of_range_reaches_no_wire(bench: Bench) -> None:
    before = bench.written()
    with pytest.raises(OutOfRange):
        bench.laser.wavelength = 1500.0
    with pytest.raises(OutOfRange):
        bench.laser.power_setpoint = 14.0
    with pytest.raises(OutOfRange):
        bench.laser.fine_tuning = 30.5
    with pytest.raises(OutOfRange):
        bench.laser.channel = 65_000
    with pytest.raises(OutOfRange):
        bench.laser.grid = 0.01
    assert bench.written() == before


def test_switching_on_returns_when_there_is_light(bench: Bench) -> None:
    assert bench.laser.power == -math.inf
    bench.laser.power_setpoint = 10.25
    bench.laser.output_enabled = True
    assert bench.device.enabled
    assert bench.laser.settled
    assert bench.laser.output_enabled
    assert bench.laser.power == 10.25
    bench.laser.stop()
    assert not bench.laser.output_enabled


def test_with_the_output_on_only_the_fine_tuning_changes(bench: Bench) -> None:
    bench.laser.frequency = 194.0
    bench.laser.output_enabled = True
    bench.laser.frequency = 194.012345
    assert bench.laser.fine_tuning == 12.345
    assert bench.laser.frequency == pytest.approx(194.012345, abs=1e-9)
    before = bench.written()
    with pytest.raises(OutputIsOn, match="30 GHz"):
        bench.laser.frequency = 194.1
    with pytest.raises(OutputIsOn):
        bench.laser.channel = 2
    with pytest.raises(OutputIsOn):
        bench.laser.grid = 100.0
    assert bench.written() == before


def test_temperatures_and_currents_come_in_their_units(bench: Bench) -> None:
    assert bench.laser.temperature == 25.0
    assert bench.laser.temperatures == (25.0, 31.25)
    assert bench.laser.currents == (-123.4, 0.0)
    assert (bench.laser.fatal_status, bench.laser.warning_status) == (0, 0)


def test_errors_have_the_names_of_the_standard(bench: Bench) -> None:
    line = bench.laser._line
    with pytest.raises(RNI, match="no such register"):
        line.read(0x77)
    with pytest.raises(RNW, match="can't be written"):
        line.write(Register.OOP, 1)
    with pytest.raises(RVE, match="writing register 0x31") as raised:
        line.write(Register.PWR, 2000)
    assert isinstance(raised.value, ValueError)
    assert raised.value.register == Register.PWR
    line.write(Register.RESENA, 8)
    with pytest.raises(CIE, match="output is on"):
        line.write(Register.FCF1, 193)
    assert sorted(ERRORS) == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15]
    assert all(issubclass(error, ItlaError) for error in ERRORS.values())


def test_a_command_during_a_pending_operation_waits_for_it(bench: Bench) -> None:
    bench.laser.output_enabled = True
    line = bench.laser._line
    bench.device._pending_until_s = bench.device.clock() + 0.1
    line.write(Register.PWR, 900)
    assert bench.laser.power_setpoint == 9.0


def test_the_output_can_be_switched_off_while_another_thread_waits_for_it(bench: Bench) -> None:
    def switch_on() -> None:
        bench.laser.output_enabled = True

    switching = threading.Thread(target=switch_on)
    switching.start()
    deadline = time.monotonic() + 10.0
    while not any(register == Register.RESENA for register, _ in bench.written()):
        assert time.monotonic() < deadline
        time.sleep(0.001)
    bench.laser.stop()
    switching.join(10.0)
    assert not bench.device.enabled
    assert not bench.laser.output_enabled


CURED: dict[str, Fault] = {
    "a damaged answer": lambda answer: bytes([answer[0] ^ 0x10]) + answer[1:],
    "garbage before": garbage(b"\x12\x34\x56"),
    "garbage alone": instead(b"\x12\x34\x56\x78\x9a"),
    "a late answer to something else": instead(Response(Status.OK, 0x21, b"\0\0").encode()),
    "not understood": lambda _: Response(Status.OK, 0x31, b"\0\0", communication_error=True).encode(),
    "twice": twice,
}


@pytest.mark.parametrize("fault", CURED)
def test_a_damaged_answer_is_asked_for_again(bench: Bench, fault: str) -> None:
    for _ in range(3):
        bench.cable.then(CURED[fault])
        assert bench.laser.power_setpoint == 10.0
        assert bench.laser.temperature == 25.0


def test_a_damaged_answer_to_a_write_does_not_write_twice(bench: Bench) -> None:
    bench.cable.then(instead(b"\x12\x34\x56\x78"))
    bench.laser.power_setpoint = 9.0
    assert bench.written().count((Register.PWR, 900)) == 1


@pytest.mark.parametrize("fault", [silence, half])
def test_after_an_answer_that_is_lost_the_next_command_is_right(bench: Bench, fault: Fault) -> None:
    for _ in range(2):
        bench.cable.then(fault)
        with pytest.raises(ReplyTimeout):
            _ = bench.laser.power_setpoint
        assert bench.laser.power_setpoint == 10.0


@pytest.mark.parametrize("stray", [b"\x81", b"\x81\x32", b"\x81\x32\x00"])
def test_a_module_that_has_part_of_a_frame_is_brought_back_into_step(bench: Bench, stray: bytes) -> None:
    bench.device.receive(stray)
    assert bench.laser.power_setpoint == 10.0
    assert bench.laser.temperature == 25.0
    assert not bench.laser.output_enabled


def test_endless_nonsense_is_an_error(bench: Bench) -> None:
    bench.cable.then(*[instead(b"\x12\x34\x56\x78")] * 4)
    with pytest.raises(BadReply, match="baud rate"):
        _ = bench.laser.power_setpoint
    assert bench.laser.power_setpoint == 10.0


def test_a_module_that_is_off_is_an_error_in_time() -> None:
    with PtyServer(_Dead()) as server:
        laser = ITLALaser(server.name, timeout_s=0.3)
        with pytest.raises(ReplyTimeout, match="is it on"):
            laser.connect()
        with pytest.raises(ReplyTimeout, match="is it on"):
            laser.connect()
        assert not laser.connected


def test_closing_switches_the_output_off_unless_told_otherwise() -> None:
    device = ItlaDevice()
    with TcpServer(device) as server:
        with ITLALaser(server.name) as laser:
            laser.output_enabled = True
        assert not device.enabled
        with pytest.raises(NotConnected):
            laser.stop()
    device = ItlaDevice()
    with PtyServer(device) as server:
        with ITLALaser(server.name, off_on_close=False) as laser:
            laser.output_enabled = True
        assert device.enabled


def test_noise_modes_have_names(bench: Bench) -> None:
    assert bench.laser.noise_mode is NoiseMode.DITHER
    bench.laser.noise_mode = NoiseMode.WHISPER
    assert (Register.MODE, 2) in bench.written()
    assert bench.laser.noise_mode is NoiseMode.WHISPER
    with pytest.raises(OutOfRange, match="whisper"):
        bench.laser.noise_mode = "loud"  # type: ignore[assignment]


def test_a_sweep_needs_light_and_a_mode_without_dither(bench: Bench) -> None:
    with pytest.raises(WrongMode, match="light"):
        bench.laser.start_sweep()
    bench.laser.output_enabled = True
    with pytest.raises(WrongMode, match="whisper"):
        bench.laser.start_sweep()
    bench.laser.noise_mode = NoiseMode.NO_DITHER
    bench.laser.sweep_range = 40
    bench.laser.sweep_rate = 2.5
    bench.laser.start_sweep()
    bench.laser.stop_sweep()
    written = bench.written()[-4:]
    assert written == [(0xE4, 40), (0xF1, 2500), (0xE5, 1), (0xE5, 0)]
    assert (bench.laser.sweep_range, bench.laser.sweep_rate, bench.laser.sweep_offset) == (40.0, 2.5, 0.0)
    with pytest.raises(OutOfRange):
        bench.laser.sweep_range = 51


def test_what_documents_disagree_about_is_refused_without_a_choice() -> None:
    with PtyServer(ItlaDevice()) as server, PPCL550(server.name) as laser:
        with pytest.raises(NotSupported, match="sweep_range_limit"):
            laser.sweep_range = 10
        with pytest.raises(NotSupported, match="sweep_rate_step"):
            laser.sweep_rate = 1.0


def test_the_module_answers_as_the_standard_has_it() -> None:
    device = ItlaDevice()
    assert device.receive(Request(Register.NOP).encode()) == bytes.fromhex("54 00 00 10")
    damaged = device.receive(bytes.fromhex("71 32 00 08"))
    assert Response.decode(damaged).communication_error
    first = Response.decode(device.receive(Request(Register.MFGR).encode()))
    assert (first.status, first.unsigned) == (Status.EXTENDED_ADDRESSING, len("PyroLab") + 1)
    pairs = [device.receive(Request(Register.AEA_EAR).encode())[2:] for _ in range(4)]
    assert b"".join(pairs) == b"PyroLab\0"
    after = Response.decode(device.receive(Request(Register.AEA_EAR).encode()))
    assert after.status is Status.EXECUTION_ERROR
    assert Response.decode(device.receive(Request(Register.NOP).encode())).unsigned & 0x0F == 6


class _Dead:
    def receive(self, data: bytes) -> bytes:
        return b""

    def due(self) -> bytes:
        return b""
