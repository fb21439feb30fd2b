"""SCPI: what answers mean, blocks, the error queue, and the way back into step."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrolab_drivers.simulators.pty_server import PtyServer
from pyrolab_drivers.transports import (
    BadReply,
    InstrumentErrors,
    ReplayTransport,
    ReplyTimeout,
    Scpi,
    SerialTransport,
)
from pyrolab_drivers.transports.blocks import encode_block, read_block
from wires import IDENTITY, Answering, table

T = 0.05
IDN = (b"*IDN?\n", IDENTITY + b"\n")


def answered(reply: bytes) -> Scpi:
    """An instrument that answers `?` with `reply`."""
    return Scpi(ReplayTransport.of_pairs((b"?\n", reply)))


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("+1.5E-3", 1.5e-3),
        ("9.9E37", math.inf),
        ("-9.9E+37", -math.inf),
        ("+9.900000E+37", math.inf),
        (" 7\r", 7.0),
    ],
)
def test_numbers_as_scpi_writes_them(reply: str, value: float) -> None:
    assert answered(reply.encode() + b"\n").query_float("?") == value


def test_not_a_number_is_one() -> None:
    assert math.isnan(answered(b"+9.91E37\n").query_float("?"))
    one, none = answered(b"1.0,9.91E37\n").query_floats("?")
    assert one == 1.0
    assert math.isnan(none)


def test_whole_numbers_and_switches() -> None:
    assert answered(b"+3.000E+00\n").query_int("?") == 3
    assert [answered(each).query_bool("?") for each in (b"1\n", b"on\n", b"0\n", b"OFF\n")] == [
        True,
        True,
        False,
        False,
    ]


def test_what_is_no_answer_is_refused() -> None:
    for query in (Scpi.query_float, Scpi.query_floats, Scpi.query_int, Scpi.query_bool):
        scpi = answered(b"maybe\n")
        with pytest.raises(BadReply, match=r"answered b'maybe' to \?, which is no answer to that") as caught:
            query(scpi, "?")
        assert (caught.value.command, caught.value.got) == ("?", b"maybe")
        assert scpi.transport.doubtful
    with pytest.raises(BadReply):
        answered(b"1.5\n").query_int("?")
    with pytest.raises(BadReply):
        answered(b"\xffOK\n").query("?")


def test_terminators_may_differ() -> None:
    transport = ReplayTransport.of_pairs((b"a?\r", b"1\n"), (b"b\r", None))
    with transport:
        scpi = Scpi(transport, write_terminator="\r")
        assert scpi.query("a?") == "1"
        scpi.write("b")


def test_errors_are_read_until_the_queue_is_empty() -> None:
    ask = b"SYST:ERR?\n"
    pairs = [
        (ask, b'-113,"Undefined header"\n'),
        (ask, b'-222, "Data out of range;VOLT 99"\n'),
        (ask, b'+0,"No error"\n'),
        (ask, b'0,"No error"\n'),
    ]
    with ReplayTransport.of_pairs(*pairs) as transport:
        with pytest.raises(InstrumentErrors, match="reports -113 Undefined header; -222 Data out") as caught:
            Scpi(transport).check_errors()
        assert caught.value.errors == ((-113, "Undefined header"), (-222, "Data out of range;VOLT 99"))
        Scpi(transport).check_errors()


def test_completion_is_waited_for() -> None:
    with ReplayTransport.of_pairs((b"*OPC?\n", b"1\n"), (b"*OPC?\n", None)) as transport:
        Scpi(transport).complete(10.0)
        with pytest.raises(ReplyTimeout):
            Scpi(transport).complete(10.0)


# Blocks


@given(data=st.binary(max_size=2000))
def test_a_block_arrives_as_it_was_sent(data: bytes) -> None:
    with ReplayTransport.of_pairs(
        (b"DATA " + encode_block(data) + b"\n", None), (b"DATA?\n", encode_block(data) + b"\n")
    ) as transport:
        scpi = Scpi(transport)
        scpi.write_block("DATA", data)
        assert scpi.query_block("DATA?") == data


@pytest.mark.parametrize(
    ("reply", "data"),
    [(b"#15a\nb\nc\n", b"a\nb\nc"), (b"#0a\nb\n", b"a\nb"), (b"#(4)abcd\n", b"abcd"), (b"#10\n", b"")],
)
def test_all_lengths_of_blocks_are_read(reply: bytes, data: bytes) -> None:
    assert answered(reply).query_block("?") == data


@pytest.mark.parametrize(
    ("reply", "what"),
    [
        (b"1.25\n", "is not the beginning of a block"),
        (b"#x\n", "is not the beginning of a block"),
        (b"#2ab..\n", "is not the length of a block"),
        (b"#9999999999\n", "more than the 1000 that are allowed"),
        (b"#12abc\n", "follows a block of 2 bytes"),
        (b"#0abc", "does not end with"),
    ],
)
def test_what_is_no_block_is_refused(reply: bytes, what: str) -> None:
    scpi = answered(reply)
    with pytest.raises(BadReply, match=what):
        scpi.query_block("?", most=1000)
    assert scpi.transport.doubtful


def test_half_a_block_is_an_error_that_says_what_came() -> None:
    with ReplayTransport.of_pairs((None, b"#15ab")) as transport, pytest.raises(ReplyTimeout) as caught:
        read_block(transport, b"\n")
    assert caught.value.got == b"ab"


def test_a_block_that_is_too_long_to_announce_is_refused() -> None:
    class Long(bytes):
        def __len__(self) -> int:
            return 1_000_000_000

    with pytest.raises(ValueError, match="at most 999999999 bytes"):
        encode_block(Long())


# Back into step


def test_after_a_lost_reply_a_marker_is_asked_for_first() -> None:
    pairs = [IDN, (b"VOLT?\n", None), IDN, (b"CURR?\n", b"2\n")]
    with ReplayTransport.of_pairs(*pairs) as transport:
        scpi = Scpi(transport)
        scpi.query("*IDN?")
        with pytest.raises(ReplyTimeout):
            scpi.query("VOLT?")
        assert scpi.query_float("CURR?") == 2.0


def test_a_late_reply_is_told_from_the_marker() -> None:
    late = b"1.0,2.0,3.0,4.0\n1.25\n"  # looks like four fields, but not like an identity
    pairs = [(b"VOLT?\n", None), (b"*IDN?\n", late + IDENTITY + b"\n"), (b"OUTP 1\n", None)]
    with ReplayTransport.of_pairs(*pairs) as transport:
        scpi = Scpi(transport)
        with pytest.raises(ReplyTimeout):
            scpi.query("VOLT?")
        scpi.write("OUTP 1")


def test_a_lost_identity_is_marked_by_something_else() -> None:
    pairs = [(b"*IDN?\n", None), (b"*ESE?\n", IDENTITY + b"\n0\n"), IDN]
    with ReplayTransport.of_pairs(*pairs) as transport:
        scpi = Scpi(transport)
        with pytest.raises(ReplyTimeout):
            scpi.query("*IDN?")
        assert scpi.query("*IDN?") == IDENTITY.decode()


def test_markers_that_come_late_are_waited_for() -> None:
    identity = IDENTITY + b"\n"
    pairs = [
        (b"VOLT?\n", None),
        (b"*IDN?\n", None),  # the marker is late as well
        (b"*ESE?\n", b"1.25\n" + identity),  # and so is the next
        (b"*IDN?\n", b"0\n" + identity),
        (b"VOLT?\n", b"7\n"),
    ]
    with ReplayTransport.of_pairs(*pairs) as transport:
        scpi = Scpi(transport)
        for _ in range(3):
            with pytest.raises(ReplyTimeout):
                scpi.query("VOLT?")
        assert scpi.query_int("VOLT?") == 7


def test_an_instrument_without_identity_is_left_to_silence() -> None:
    with ReplayTransport.of_pairs((b"VOLT?\n", None), (b"VOLT?\n", b"1\n")) as transport:
        scpi = Scpi(transport, ieee488=False)
        with pytest.raises(ReplyTimeout):
            scpi.query("VOLT?")
        assert scpi.query_float("VOLT?") == 1.0


def test_an_instrument_that_comes_back_is_answered_after_one_more_error_at_most() -> None:
    answers: dict[str, bytes] = {}
    device = Answering(lambda line: answers.get(line.decode(), b""))
    with PtyServer(device) as server, SerialTransport(server.name, T) as transport:
        scpi = Scpi(transport)
        for _ in range(5):
            with pytest.raises(ReplyTimeout):
                scpi.query("VOLT?")
        answers.update({"*IDN?": IDENTITY + b"\n", "*ESE?": b"0\n", "VOLT?": b"1.25\n"})
        with pytest.raises(ReplyTimeout):
            scpi.query("VOLT?")
        assert scpi.query_float("VOLT?") == 1.25
        assert device.asked[-1] == b"VOLT?"


def test_resynchronising_can_be_asked_for() -> None:
    device = Answering(table(**{"*IDN?": IDENTITY + b"\n"}))
    with PtyServer(device) as server, SerialTransport(server.name) as transport:
        transport.doubt()
        Scpi(transport).resynchronise()
        assert not transport.doubtful
        assert device.asked == [b"*IDN?"]
