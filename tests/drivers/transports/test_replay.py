"""Recordings as connections: the same bytes in the same order, and everything that was answered."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyrolab_drivers.transports import Entry, ReplayMismatch, ReplayTransport, ReplyTimeout
from pyrolab_drivers.transports.wire_log import RECEIVED, SENT, read_wire_file, write_wire_file


def test_what_was_recorded_is_played() -> None:
    with ReplayTransport.of_pairs((b"*IDN?\n", b"A,B,C,D\n"), (b"*RST\n", None)) as transport:
        assert transport.exchange(b"*IDN?\n", b"\n") == b"A,B,C,D"
        transport.write(b"*R")
        transport.write(b"ST\n")


def test_something_else_is_refused_with_both() -> None:
    transport = ReplayTransport.of_pairs((b"VOLT 1.000\n", None), (b"VOLT?\n", b"1.000\n"))
    transport.write(b"VOLT 1.000\n")
    with pytest.raises(
        ReplayMismatch, match=r"message 2:\n  expected b'VOLT\?\\n'\n  sent     b'VOLT 2\\n'"
    ) as caught:
        transport.write(b"VOLT 2\n")
    assert (caught.value.expected, caught.value.got) == (b"VOLT?\n", b"VOLT 2\n")
    transport.close()  # says nothing about the rest: the mismatch did


def test_more_than_was_recorded_is_refused() -> None:
    transport = ReplayTransport.of_pairs((b"a", None))
    with pytest.raises(ReplayMismatch, match="expected the end of the recording"):
        transport.write(b"ab")
    transport.close()


def test_a_reply_that_is_not_read_is_refused() -> None:
    transport = ReplayTransport.of_pairs((b"a?", b"1"), (b"b?", b"2"))
    transport.write(b"a?")
    with pytest.raises(ReplayMismatch, match="expected that b'1' is read first"):
        transport.write(b"b?")
    transport.close()


@pytest.mark.parametrize(
    ("pairs", "rest"), [([(b"a", None)], "to be sent: b'a'"), ([(None, b"b")], "to be read: b'b'")]
)
def test_leftovers_are_complained_about(pairs: list[tuple[bytes | None, bytes | None]], rest: str) -> None:
    with pytest.raises(ReplayMismatch, match=f"closed before the end of the recording.*{rest}"):
        ReplayTransport.of_pairs(*pairs).close()


def test_where_nothing_was_answered_the_timeout_comes_at_once() -> None:
    with ReplayTransport.of_pairs((b"a?", b"hal"), (b"b", None)) as transport:
        transport.write(b"a?")
        with pytest.raises(ReplyTimeout, match="got b'hal'"):
            transport.read_until(b"\n", timeout_s=3600.0)
        transport.write(b"b")
        assert transport.read_some(0.001) == b""


def test_how_bytes_were_cut_does_not_matter(tmp_path: Path) -> None:
    entries = [
        Entry(0.0, SENT, b"a"),
        Entry(0.1, SENT, b"b"),
        Entry(0.2, RECEIVED, b"\x00"),
        Entry(3.0, RECEIVED, b"\n"),
    ]
    write_wire_file(tmp_path / "cut.jsonl", entries)
    assert read_wire_file(tmp_path / "cut.jsonl") == entries
    with ReplayTransport(tmp_path / "cut.jsonl") as transport:
        assert transport.exchange(b"ab", b"\n") == b"\x00"


@pytest.mark.parametrize(
    "line",
    ['{"said": "a"}', "nonsense", '{"sent": {"base64": "?"}}', '{"pyrolab_wire": 9}', '{"sent": 3}', "[]"],
)
def test_a_file_that_is_no_wire_log_names_the_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(f'{{"pyrolab_wire": 1}}\n\n{{"note": "by hand"}}\n{line}\n')
    with pytest.raises(ValueError, match="line 4, is not of a wire log"):
        ReplayTransport(path)
