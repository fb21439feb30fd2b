"""The SCPI of the simulated instruments: names, messages, the error queue, the status registers, blocks."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrolab_drivers.santec import SantecTSL550
from pyrolab_drivers.simulators.scpi_device import (
    MESSAGE_MOST,
    ScpiDevice,
    block,
    boolean,
    compiled,
    number,
    parts_of,
    word,
)


class Source(ScpiDevice):
    """A device with one setting, one block and one operation."""

    def __init__(self) -> None:
        super().__init__("ACME,Source,1,1.0")
        self.working = False
        self.blocks: list[str] = []
        self.value("SOURce<n>:VOLTage[:LEVel]", "0", lambda text: f"{number(text, -10, 10):g}")
        self.value("OUTPut<n>[:STATe]", "0", lambda text: str(int(boolean(text))))
        self.value("TRIGger:SOURce", "IMM", lambda text: word(text, "IMMediate", "CHANnel1"))
        self.command("DATA", self._take, lambda *_: block(b"1\n;2"))

    def busy(self) -> bool:
        return self.working

    def _take(self, _: tuple[int, ...], arguments: list[str]) -> None:
        self.blocks.append(arguments[0])


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.mark.parametrize(
    "header", [":SOUR:VOLT", ":SOURCE1:VOLTAGE:LEVEL", ":SOUR1:VOLT:LEV", ":SOURCE:VOLT:LEVEL"]
)
def test_short_and_long_forms_and_what_is_optional_are_understood(header: str) -> None:
    assert compiled("SOURce<n>:VOLTage[:LEVel]").fullmatch(header)


@pytest.mark.parametrize("header", [":SOU:VOLT", ":SOUR:VOLTA", ":SOUR:VOLT:AMPL", ":SOUR", "SOUR:VOLT"])
def test_other_names_are_not(header: str) -> None:
    assert not compiled("SOURce<n>:VOLTage[:LEVel]").fullmatch(header)


def test_a_setting_comes_back(source: Source) -> None:
    assert source.receive(b"SOUR2:VOLT 2.5;:sour1:volt?;:SOURce2:VOLTage:LEVel?\n") == b"0;2.5\n"


def test_a_message_goes_on_where_the_last_command_was(source: Source) -> None:
    assert source.receive(b"SOUR:VOLT 1;VOLT?;*OPC?;VOLT?\n") == b"1;1;1\n"


def test_half_a_message_is_waited_for(source: Source) -> None:
    assert source.receive(b"*ID") == b""
    assert source.receive(b"N?\n*OPC?\n") == b"ACME,Source,1,1.0\n1\n"


@given(data=st.binary(max_size=64).filter(lambda data: not data.endswith((b" ", b"\r", b"\0", b"\n"))))
def test_a_block_with_anything_in_it_is_one_message(data: bytes) -> None:
    source = Source()
    message = b"DATA " + block(data) + b"\n*OPC?\n"
    answers = [source.receive(bytes([byte])) for byte in message]
    assert b"".join(answers) == b"1\n"


def test_a_block_is_sent_whole(source: Source) -> None:
    assert source.receive(b"DATA?\n") == b"#141\n;2\n"


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b"NOISE?", -113),
        (b"SOUR:VOLT", -109),
        (b"SOUR:VOLT loud", -104),
        (b"SOUR:VOLT 11", -222),
        (b"OUTP maybe", -224),
        (b"TRIG:SOUR CHAN2", -224),
        (b"*IDN", -113),
    ],
)
def test_what_cannot_be_goes_into_the_error_queue(source: Source, message: bytes, code: int) -> None:
    assert source.receive(message + b"\n") == b""
    assert source.receive(b"SYST:ERR:COUN?;:SYST:ERR?\n").startswith(b"1;%d," % code)
    assert source.receive(b"SYST:ERR?\n") == b'0,"No error"\n'


def test_the_queue_overflows_as_the_standard_says(source: Source) -> None:
    source.receive(b"NOISE?\n" * 30)
    errors = source.receive(b"SYST:ERR:ALL?\n").split(b'",')
    assert len(errors) == 20
    assert errors[-1].startswith(b"-350")


def test_errors_show_in_the_registers(source: Source) -> None:
    assert source.receive(b"*CLS;*ESE 32;*SRE 32;*STB?\n") == b"0\n"
    source.receive(b"NOISE?\n")
    assert source.receive(b"*STB?;*ESR?;*ESR?;*CLS;*STB?\n") == b"100;32;0;0\n"


def test_the_end_of_an_operation_shows_in_the_event_register(source: Source) -> None:
    source.working = True
    assert source.receive(b"*ESR?;*OPC;*ESR?;*OPC?\n") == b"128;0;0\n"
    source.working = False
    assert source.receive(b"*OPC?;*ESR?;*ESR?\n") == b"1;1;0\n"


def test_a_reset_brings_settings_back(source: Source) -> None:
    source.receive(b"SOUR:VOLT 3;:TRIG:SOUR CHAN1\n")
    assert source.receive(b"TRIG:SOUR?;*RST;SOUR?;:SOUR:VOLT?\n") == b"CHAN1;IMM;0\n"
    assert source.receive(b"*WAI;*TST?;*OPT?;*ESE?\n") == b"0;0;0\n"


def test_a_message_without_an_end_is_dropped(source: Source) -> None:
    source.receive(b"x" * (MESSAGE_MOST + 1))
    assert source.receive(b"*OPC?\n") == b"1\n"


def test_separators_inside_quotes_and_lists_do_not_separate() -> None:
    assert parts_of('a,"b,c",(@1,2)', ",") == ["a", '"b,c"', "(@1,2)"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs pseudo-terminals")
def test_a_laser_can_be_served_by_itself() -> None:
    command = [sys.executable, "-m", "pyrolab_drivers.simulators.tsl_device"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().split()[-1]
            with SantecTSL550(address, wavelength_limits=(1500.0, 1600.0)) as laser:
                laser.wavelength = 1555.5555
                assert laser.wavelength == 1555.5555
        finally:
            process.terminate()
            process.wait(10.0)
