"""Bytes of Firmata and what they mean, as protocol.md 2.5.1 has them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrolab_drivers.boards.firmata_protocol import (
    MAX_SYSEX,
    AnalogValue,
    ChannelsDescribed,
    Decoder,
    DigitalPort,
    Firmware,
    Message,
    Mode,
    PinsDescribed,
    PinState,
    Text,
    Version,
    number_of,
    report_channel,
    report_port,
    septets,
    servo_range,
    set_level,
    set_mode,
    set_port,
)

MESSAGES = {
    "F9 02 05": Version(2, 5),
    "F0 79 02 05 41 00 62 00 F7": Firmware(2, 5, "Ab"),
    "F0 79 02 05 43 01 29 01 F7": Firmware(2, 5, "é"),
    "92 05 01": DigitalPort(2, 0b10000101),
    "E3 7F 07": AnalogValue(3, 1023),
    "F0 6F 14 00 00 01 F7": AnalogValue(20, 1 << 14),
    "F0 6C 7F 00 01 0B 01 01 01 03 08 7F 02 0A 7F F7": PinsDescribed(
        ({}, {0: 1, 11: 1, 1: 1, 3: 8}, {2: 10})
    ),
    "F0 6A 7F 00 01 F7": ChannelsDescribed((None, 0, 1)),
    "F0 6E 09 03 7F 01 F7": PinState(9, Mode.PWM, 255),
    "F0 71 4E 00 6F 00 F7": Text("No"),
}


def heard(data: bytes) -> list[Message]:
    return list(Decoder().feed(data))


@pytest.mark.parametrize(("data", "message"), MESSAGES.items())
def test_what_a_board_sends_is_understood(data: str, message: Message) -> None:
    assert heard(bytes.fromhex(data)) == [message]


@given(st.lists(st.sampled_from(sorted(MESSAGES)), max_size=20), st.integers(1, 7))
def test_messages_may_come_in_any_pieces(chosen: list[str], size: int) -> None:
    data = b"".join(bytes.fromhex(each) for each in chosen)
    decoder = Decoder()
    got: list[Message] = []
    for at in range(0, len(data), size):
        got += decoder.feed(data[at : at + size])
    assert got == [MESSAGES[each] for each in chosen]


@given(st.binary(max_size=300))
def test_noise_never_raises_and_the_next_whole_message_is_heard(noise: bytes) -> None:
    decoder = Decoder()
    list(decoder.feed(noise))
    assert list(decoder.feed(bytes.fromhex("F7 FF F9 02 05")))[-1] == Version(2, 5)


@pytest.mark.parametrize(
    "data",
    [
        "F9 02 F9 02 05",
        "F0 79 02 F9 02 05",
        "E3 7F F9 02 05",
        "01 02 F9 02 05",
        "F5 F9 02 05",
        "F0 F7 F9 02 05",
    ],
)
def test_a_message_that_another_breaks_into_is_dropped(data: str) -> None:
    assert heard(bytes.fromhex(data)) == [Version(2, 5)]


@pytest.mark.parametrize(
    "data", ["F0 79 F7", "F0 6E 01 F7", "F0 55 01 02 F7", "C0 01", "F0 6F F7", "FF", "F1"]
)
def test_what_is_cut_short_or_not_known_is_skipped(data: str) -> None:
    assert heard(bytes.fromhex(data)) == []


def test_a_message_without_an_end_takes_no_memory() -> None:
    decoder = Decoder()
    assert list(decoder.feed(b"\xf0\x71" + bytes(3 * MAX_SYSEX))) == []
    assert len(decoder._splitter._partial) <= MAX_SYSEX
    assert list(decoder.feed(bytes.fromhex("F7 F9 02 05"))) == [Version(2, 5)]


@pytest.mark.parametrize(
    ("made", "data"),
    [
        (set_mode(13, Mode.OUTPUT), "F4 0D 01"),
        (set_mode(2, Mode.PULLUP), "F4 02 0B"),
        (set_port(1, 0b10100000), "91 20 01"),
        (set_level(9, 255), "E9 7F 01"),
        (set_level(44, 255), "F0 6F 2C 7F 01 F7"),
        (set_level(3, 1 << 14), "F0 6F 03 00 00 01 F7"),
        (report_port(1, True), "D1 01"),
        (report_channel(5, False), "C5 00"),
        (servo_range(9, 544, 2400), "F0 70 09 20 04 60 12 F7"),
    ],
)
def test_what_is_sent(made: bytes, data: str) -> None:
    assert made == bytes.fromhex(data)


@given(st.integers(0, 1 << 40), st.integers(1, 4))
def test_numbers_travel_in_bytes_of_seven_bits(number: int, count: int) -> None:
    data = septets(number, count)
    assert number_of(data) == number
    assert max(data) < 0x80
    assert len(data) >= count
