"""A connection as bytes: every wait ends, what came is told, and what comes late answers nothing else."""

from __future__ import annotations

import threading

import pytest

from pyrolab_drivers.simulators.pty_server import PtyServer
from pyrolab_drivers.transports import BadReply, ReplyTimeout, SerialTransport, TransportClosed
from wires import Answering, echo, table

T = 0.05


def test_lines_and_bytes_come_as_they_were_sent() -> None:
    with PtyServer(Answering(echo)) as server, SerialTransport(server.name) as transport:
        transport.write(b"\x00\xff\r\n")
        assert transport.read_until(b"\n") == b"\x00\xff\r"
        transport.write(b"abc\ndef\n")
        assert transport.read_exactly(5) == b"abc\nd"
        assert transport.read_until(b"\n") == b"ef"


def test_a_terminator_of_two_bytes_may_come_in_two_parts() -> None:
    device = Answering(table(ask=b"1\r2\r"))
    with PtyServer(device) as server, SerialTransport(server.name) as transport:
        transport.write(b"ask\n")
        assert transport.read_exactly(1) == b"1"
        device.says = b"\n"
        assert transport.read_until(b"\r\n") == b"\r2"


def test_silence_is_an_error_that_says_who_and_how_long() -> None:
    with PtyServer(Answering(table())) as server, SerialTransport(server.name, T) as transport:
        transport.write(b"ask\n")
        with pytest.raises(ReplyTimeout, match=r"nothing came.*is it on") as caught:
            transport.read_until(b"\n")
        assert caught.value.name == server.name
        assert caught.value.waited_s >= T
        assert caught.value.got == b""
        assert isinstance(caught.value, TimeoutError)


def test_half_a_line_is_an_error_that_says_what_came() -> None:
    with PtyServer(Answering(table(ask=b"1550."))) as server, SerialTransport(server.name, T) as transport:
        transport.write(b"ask\n")
        with pytest.raises(ReplyTimeout, match=r"got b'1550\.'") as caught:
            transport.read_until(b"\n")
        assert caught.value.got == b"1550."
        transport.write(b"ask\n")
        with pytest.raises(ReplyTimeout, match=r"6 bytes within 0.05 s") as caught:
            transport.read_exactly(6)
        assert caught.value.got == b"1550."


def test_an_instrument_that_never_stops_is_an_error_too() -> None:
    class Endless(Answering):
        def due(self) -> bytes:
            return b"x" if self.asked else b""

    with PtyServer(Endless(table())) as server, SerialTransport(server.name, T) as transport:
        transport.write(b"ask\n")
        with pytest.raises(ReplyTimeout, match="got b'xx"):
            transport.read_until(b"\n")
        with pytest.raises(ReplyTimeout, match="silence"):
            transport.read_until_quiet()
        with pytest.raises(BadReply, match="more than 5 bytes without an end"):
            transport.read_until(b"\n", timeout_s=5.0, most=5)
        transport.settle()  # ends, although there is no silence


def test_a_late_reply_is_dropped_before_the_next_question() -> None:
    device = Answering(table(now=b"now\n"))
    with PtyServer(device) as server, SerialTransport(server.name, T) as transport:
        transport.write(b"later\n")
        with pytest.raises(ReplyTimeout):
            transport.read_until(b"\n")
        assert transport.doubtful
        device.says = b"late\n"
        transport.write(b"now\n")
        assert not transport.doubtful
        assert transport.read_until(b"\n") == b"now"


def test_an_exchange_drops_a_doubled_reply() -> None:
    with (
        PtyServer(Answering(table(one=b"1\n1\n", two=b"2\n"))) as server,
        SerialTransport(server.name) as line,
    ):
        assert line.exchange(b"one\n", b"\n") == b"1"
        assert line.exchange(b"two\n", b"\n") == b"2"


def test_an_exchange_waits_for_the_reply_that_is_accepted() -> None:
    with PtyServer(Answering(table(two=b"1\n2\n"))) as server, SerialTransport(server.name, T) as line:
        assert line.exchange(b"two\n", b"\n", accept=b"2".__eq__) == b"2"
        assert line.doubtful
        with pytest.raises(ReplyTimeout):
            line.exchange(b"two\n", b"\n", accept=b"3".__eq__)


def test_a_gap_is_listened_to_for_second_answers() -> None:
    device = Answering(table(one=b"1\n", two=b"2\n"))
    with PtyServer(device) as server, SerialTransport(server.name) as transport:
        transport.gap_s = 0.2
        assert transport.exchange(b"one\n", b"\n") == b"1"
        device.says = b"1\n"
        assert transport.exchange(b"two\n", b"\n") == b"2"


def test_drain_returns_what_was_not_read() -> None:
    with PtyServer(Answering(table(ask=b"1\n2\n"))) as server, SerialTransport(server.name) as transport:
        transport.write(b"ask\n")
        assert transport.read_until(b"\n") == b"1"
        assert transport.drain() == b"2\n"
        assert transport.drain() == b""


def test_messages_that_nobody_asked_for_can_be_waited_for_without_an_error() -> None:
    device = Answering(table(ask=b"1\n"))
    with PtyServer(device) as server, SerialTransport(server.name) as transport:
        assert transport.read_some(0.01) == b""
        assert not transport.doubtful
        device.says = b"moved"
        assert transport.read_some(5.0) == b"moved"


def test_a_reply_without_an_end_is_read_until_silence() -> None:
    with (
        PtyServer(Answering(table(ask=b"some text"))) as server,
        SerialTransport(server.name, T) as transport,
    ):
        transport.write(b"ask\n")
        assert transport.read_until_quiet(5.0) == b"some text"
        with pytest.raises(ReplyTimeout):
            transport.read_until_quiet()


def test_one_thread_writes_while_another_one_reads() -> None:
    with PtyServer(Answering(echo)) as server, SerialTransport(server.name) as transport:
        lines: list[bytes] = []
        reader = threading.Thread(target=lambda: lines.append(transport.read_until(b"\n", 10.0)))
        reader.start()
        transport.write(b"hello\n")
        reader.join(10.0)
        assert lines == [b"hello"]


def test_exchanges_of_several_threads_do_not_mix() -> None:
    with PtyServer(Answering(echo)) as server, SerialTransport(server.name) as transport:
        wrong: list[bytes] = []

        def talk(name: bytes) -> None:
            for each in range(50):
                question = b"%s %d" % (name, each)
                answer = transport.exchange(question + b"\n", b"\n")
                if answer != question:
                    wrong.append(answer)

        threads = [threading.Thread(target=talk, args=(name,)) for name in (b"a", b"b", b"c")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20.0)
        assert wrong == []


def test_closing_ends_a_read_that_waits() -> None:
    with PtyServer(Answering(table())) as server:
        transport = SerialTransport(server.name)
        begun, errors = threading.Event(), list[BaseException]()

        def read() -> None:
            begun.set()
            try:
                transport.read_until(b"\n", 30.0)
            except TransportClosed as error:
                errors.append(error)

        reader = threading.Thread(target=read)
        reader.start()
        begun.wait(10.0)
        transport.close()
        reader.join(10.0)
        assert len(errors) == 1
        transport.close()
        with pytest.raises(TransportClosed, match="is closed; open it again"):
            transport.write(b"x")
        with pytest.raises(TransportClosed):
            transport.drain()
        assert repr(transport) == f"<SerialTransport {server.name}, closed>"


def test_a_read_without_a_limit_is_refused() -> None:
    for timeout_s in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="every read has to end"):
            SerialTransport("/dev/null", timeout_s)
