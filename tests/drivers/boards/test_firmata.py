"""Firmata boards: the simulated board is judged by pyfirmata2, and the driver drives the simulated board."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pyfirmata2
import pytest

from live import bus, until
from pyrolab.api import Proxy
from pyrolab_drivers.boards.firmata import FirmataBoard
from pyrolab_drivers.boards.firmata_protocol import Mode, set_mode
from pyrolab_drivers.digital_io import PinMode
from pyrolab_drivers.quantities import NotConnected, NotSupported, OutOfRange, WrongMode
from pyrolab_drivers.simulators.firmata_device import FirmataDevice, FirmataOnPty, mega
from pyrolab_drivers.transports import open_transport

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")


@pytest.fixture
def simulated() -> Iterator[FirmataOnPty]:
    with FirmataOnPty(FirmataDevice()) as board:
        yield board


@pytest.fixture
def device(simulated: FirmataOnPty) -> FirmataDevice:
    return simulated.device


@pytest.fixture
def board(simulated: FirmataOnPty) -> Iterator[FirmataBoard]:
    with FirmataBoard(simulated.port) as opened:
        yield opened


@pytest.fixture
def unplugged() -> Iterator[tuple[FirmataOnPty, FirmataBoard]]:
    """A board whose plug the test pulls itself."""
    simulated = FirmataOnPty(FirmataDevice())
    with FirmataBoard(simulated.port) as opened:
        yield simulated, opened


# -- the simulated board, driven by a library that others wrote -------------------------------------------


@pytest.fixture
def foreign(simulated: FirmataOnPty, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(pyfirmata2.pyfirmata2, "BOARD_SETUP_WAIT_TIME", 0.0)
    board = pyfirmata2.Arduino(simulated.port)
    board.samplingOn()
    yield board
    board.exit()


def test_pyfirmata2_drives_outputs_of_the_simulated_board(foreign: Any, device: FirmataDevice) -> None:
    foreign.digital[13].write(1)
    until(lambda: device.level(13))
    foreign.digital[12].write(1)
    foreign.digital[13].write(0)
    until(lambda: device.level(12) and not device.level(13))


def test_pyfirmata2_sets_duty_cycles_and_servos_of_the_simulated_board(
    foreign: Any, device: FirmataDevice
) -> None:
    foreign.get_pin("d:3:p").write(0.6)
    until(lambda: device.duty(3) == pytest.approx(0.6, abs=1 / 255))
    foreign.get_pin("d:9:s").write(75)
    until(lambda: device.angle(9) == 75)


@pytest.mark.parametrize(("pin", "mode"), [("d:4:i", Mode.INPUT), ("d:5:u", Mode.PULLUP)])
def test_pyfirmata2_hears_inputs_of_the_simulated_board(
    foreign: Any, device: FirmataDevice, pin: str, mode: Mode
) -> None:
    heard: list[bool] = []
    opened = foreign.get_pin(pin)
    opened.register_callback(heard.append)
    until(lambda: device.mode(opened.pin_number) is mode)
    for level in (True, False, True):
        device.drive(opened.pin_number, level)
        until(lambda level=level: heard and heard[-1] is level)  # type: ignore[misc]


def test_pyfirmata2_hears_voltages_at_the_simulated_board(foreign: Any, device: FirmataDevice) -> None:
    heard: list[float] = []
    device.apply(2, 1.5)
    channel = foreign.get_pin("a:2:i")
    channel.register_callback(heard.append)
    until(lambda: heard and heard[-1] == pytest.approx(0.3, abs=0.001))


def test_pyfirmata2_asks_the_simulated_board_what_it_is(foreign: Any) -> None:
    foreign.send_sysex(0x79, [])
    until(lambda: foreign.firmware == "SimulatedFirmata.ino")
    assert foreign.firmware_version == (2, 5)
    foreign.sp.write(bytes([0xF9]))
    until(lambda: foreign.get_firmata_version() == (2, 5))


# -- the driver ---------------------------------------------------------------------------------------------


def test_it_says_what_board_it_is(board: FirmataBoard, simulated: FirmataOnPty) -> None:
    assert board.identity.model == "SimulatedFirmata.ino"
    assert (board.identity.serial, board.identity.firmware) == (simulated.port, "2.5")
    assert sorted(board.pins) == list(range(2, 20))
    assert sorted(board.inputs) == list(range(6))
    assert not board.outputs
    assert PinMode.PWM in board.pins[3].modes
    assert PinMode.PWM not in board.pins[4].modes


def test_outputs_are_set_and_leave_their_neighbours_alone(board: FirmataBoard, device: FirmataDevice) -> None:
    for number in (8, 12, 13):
        board.pins[number].mode = PinMode.OUTPUT
        assert board.pins[number].value is False
    board.pins[12].value = True
    board.pins[13].value = True
    until(lambda: device.level(12) and device.level(13))
    board.pins[13].value = False
    until(lambda: not device.level(13))
    assert device.level(12)
    assert not device.level(8)
    assert [board.pins[number].value for number in (8, 12, 13)] == [False, True, False]


@pytest.mark.parametrize("mode", [PinMode.INPUT, PinMode.INPUT_PULLUP])
def test_inputs_are_read_as_they_are(board: FirmataBoard, device: FirmataDevice, mode: PinMode) -> None:
    device.drive(4, True)
    board.pins[4].mode = mode
    board.pins[5].mode = mode
    assert board.pins[4].mode is mode
    assert (board.pins[4].value, board.pins[5].value) == (True, False)
    device.drive(4, False)
    device.drive(5, True)
    until(lambda: board.pins[5].value and not board.pins[4].value)


def test_an_analogue_pin_can_be_digital_and_analogue_in_turn(
    board: FirmataBoard, device: FirmataDevice
) -> None:
    device.drive(14, True)
    device.apply(0, 2.5)
    pin = board.pins[14]
    assert pin.mode is PinMode.ANALOG_INPUT
    assert board.read_analog(0) == pin.voltage == pytest.approx(2.5, abs=0.003)
    with pytest.raises(WrongMode, match="pin 14 is set to analogue input; set its mode to input first"):
        _ = pin.value
    pin.mode = PinMode.INPUT
    assert pin.value is True
    with pytest.raises(WrongMode, match="pin 14 is set to input; set its mode to analogue input first"):
        board.read_analog(0)
    pin.mode = PinMode.ANALOG_INPUT
    assert board.read_analog(0) == pytest.approx(2.5, abs=0.003)


def test_the_levels_of_all_digital_pins_can_be_read_at_once(
    board: FirmataBoard, device: FirmataDevice
) -> None:
    device.drive(7, True)
    board.pins[7].mode = PinMode.INPUT
    board.pins[8].mode = PinMode.OUTPUT
    board.pins[8].value = True
    assert {number for number, level in board.values.items() if level} == {7, 8}
    assert set(board.values) == set(range(2, 14))


def test_a_voltage_is_never_older_than_the_question(board: FirmataBoard, device: FirmataDevice) -> None:
    for volts in (0.0, 5.0, 1.0, 4.0, 2.5, 0.5):
        device.apply(3, volts)
        assert board.inputs[3].voltage == pytest.approx(volts, abs=0.003)
    assert board.inputs[3].voltage_limits == (0.0, 5.0)
    with pytest.raises(LookupError, match=r"there is no input 6; the inputs are \[0, 1, 2, 3, 4, 5\]"):
        board.read_analog(6)


def test_duty_cycles_are_exact_to_the_resolution_of_the_pin(
    board: FirmataBoard, device: FirmataDevice
) -> None:
    pin = board.pins[9]
    pin.mode = PinMode.PWM
    for duty in (0.0, 1 / 3, 1.0):
        pin.pwm = duty
        until(lambda duty=duty: device.duty(9) == pytest.approx(duty, abs=1 / 510))  # type: ignore[misc]
        assert pin.pwm == pytest.approx(duty, abs=1 / 510)


def test_servos_turn(board: FirmataBoard, device: FirmataDevice) -> None:
    pin = board.pins[10]
    with pytest.raises(WrongMode, match="servo"):
        pin.servo_angle = 90.0
    pin.mode = PinMode.SERVO
    pin.servo_angle = 135.0
    until(lambda: device.angle(10) == 135)
    assert pin.servo_angle == 135.0


def test_a_big_board_reaches_pins_that_need_longer_messages() -> None:
    with FirmataOnPty(FirmataDevice(mega())) as simulated, FirmataBoard(simulated.port) as board:
        device = simulated.device
        board.pins[44].mode = PinMode.PWM
        board.pins[44].pwm = 0.2
        board.pins[53].mode = PinMode.OUTPUT
        board.pins[53].value = True
        until(lambda: device.duty(44) == 0.2 and device.level(53))
        device.apply(15, 3.0)
        assert board.read_analog(15) == pytest.approx(3.0, abs=0.003)


@pytest.mark.parametrize(
    ("use", "error"),
    [
        (lambda board: setattr(board.pins[3], "pwm", 1.5), OutOfRange),
        (lambda board: setattr(board.pins[3], "servo_angle", 181), OutOfRange),
        (lambda board: setattr(board.pins[4], "mode", PinMode.PWM), NotSupported),
        (lambda board: setattr(board.pins[3], "mode", "dancing"), OutOfRange),
        (lambda board: setattr(board.pins[3], "pwm", 0.5), WrongMode),
        (lambda board: setattr(board.pins[14], "value", True), WrongMode),
        (lambda board: board.pins[0], LookupError),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_sent(
    board: FirmataBoard, device: FirmataDevice, use: Callable[[FirmataBoard], object], error: type[Exception]
) -> None:
    sent = len(device.received)
    with pytest.raises(error):
        use(board)
    assert len(device.received) == sent


@pytest.mark.parametrize("pulses", [(0, 2400), (544, 20_000)])
def test_pulses_that_no_message_can_carry_are_refused(pulses: tuple[int, int]) -> None:
    with pytest.raises(OutOfRange):
        FirmataBoard("/dev/null", servo_pulses=pulses)


# -- beginnings and ends --------------------------------------------------------------------------------


def test_what_was_set_before_is_known_after_connecting(
    simulated: FirmataOnPty, device: FirmataDevice
) -> None:
    """A board without a reset line goes on as it was; a neighbour of a pin must not change with it."""
    with FirmataBoard(simulated.port, keeps_outputs=True) as board:
        board.pins[8].mode = board.pins[9].mode = PinMode.OUTPUT
        board.pins[8].value = True
        until(lambda: device.level(8))
    with FirmataBoard(simulated.port) as board:
        assert board.pins[8].mode is PinMode.OUTPUT
        assert board.pins[8].value is True
        board.pins[9].value = True
        until(lambda: device.level(9))
        assert device.level(8)


def test_pins_that_were_driven_are_let_go_on_closing(simulated: FirmataOnPty, device: FirmataDevice) -> None:
    with FirmataBoard(simulated.port) as board:
        for number, mode in ((8, PinMode.OUTPUT), (9, PinMode.PWM), (10, PinMode.SERVO)):
            board.pins[number].mode = mode
        until(lambda: device.mode(10) is Mode.SERVO)
    until(lambda: [device.mode(number) for number in (8, 9, 10)] == [Mode.INPUT] * 3)
    assert set_mode(11, Mode.INPUT) not in device.received


def test_a_port_where_no_firmata_answers_is_told(
    simulated: FirmataOnPty, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulated.device, "receive", lambda data: b"\x00noise")
    board = FirmataBoard(simulated.port, boot_timeout=0.3)
    with pytest.raises(
        TimeoutError, match=r"no Firmata board answers at .* check the port, .*StandardFirmata"
    ):
        board.connect()
    assert not board.connected
    with pytest.raises(NotConnected):
        board.read_analog(0)


def test_a_board_that_is_still_starting_is_waited_for(
    simulated: FirmataOnPty, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive, asked = simulated.device.receive, []

    def deaf_at_first(data: bytes) -> bytes:
        asked.append(data)
        return receive(data) if len(asked) > 2 else b""

    monkeypatch.setattr(simulated.device, "receive", deaf_at_first)
    with FirmataBoard(simulated.port) as board:
        assert board.identity.model == "SimulatedFirmata.ino"


def test_a_board_that_starts_anew_is_noticed(board: FirmataBoard, simulated: FirmataOnPty) -> None:
    board.pins[13].mode = PinMode.OUTPUT
    board.pins[13].value = True
    until(lambda: simulated.device.level(13))
    simulated.restart()
    with pytest.raises(ConnectionError, match=r"has started anew.* Then close\(\) and connect\(\) again"):
        until(lambda: board.read_analog(0) < 0)
    with pytest.raises(ConnectionError, match="has started anew"):
        _ = board.pins[13].value
    board.close()
    board.connect()
    assert board.pins[13].value is False


def test_a_board_that_is_unplugged_is_noticed(unplugged: tuple[FirmataOnPty, FirmataBoard]) -> None:
    simulated, board = unplugged
    simulated.close()
    with pytest.raises(ConnectionError, match="check cable and power"):
        until(lambda: board.read_analog(0) < 0)


def test_a_transport_that_is_open_already_can_be_given(simulated: FirmataOnPty) -> None:
    with FirmataBoard(open_transport(simulated.port, baudrate=57_600)) as board:
        assert board.read_analog(0) == 0.0


def test_closing_ends_its_thread(simulated: FirmataOnPty) -> None:
    before = threading.active_count()
    with FirmataBoard(simulated.port) as board:
        assert threading.active_count() == before + 1
        assert board.connected
    assert threading.active_count() == before


def test_a_board_works_over_the_bus() -> None:
    with (
        bus("drivers.boards.boards_on_bus:Board=board") as broker,
        Proxy(f"PYRONAME:board@localhost:{broker.ready}") as board,
    ):
        assert board.read_analog(0) == pytest.approx(1.25, abs=0.003)
        board.pins[7].mode = PinMode.INPUT
        assert board.pins[7].value is True
        board.pins[3].mode = PinMode.PWM
        board.pins[3].pwm = 0.25
        assert board.pins[3].pwm == pytest.approx(0.25, abs=1 / 510)
        with pytest.raises(ValueError, match="duty cycle can be 0 to 1"):
            board.pins[3].pwm = 3.0
