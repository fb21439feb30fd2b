"""The wire log on demand: seen while it runs, written to a file, and played again."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pyrolab_drivers.instrument import Identity, Instrument
from pyrolab_drivers.quantities import NotConnected
from pyrolab_drivers.simulators.pty_server import PtyServer
from pyrolab_drivers.transports import (
    ReplayTransport,
    ReplyTimeout,
    Scpi,
    SerialTransport,
    Tapped,
    Transport,
    WireLog,
    open_transport,
    recording,
    wire_log,
)
from wires import IDENTITY, Answering, echo, table

_ANSWERS = {
    b"*IDN?": IDENTITY + b"\n",
    b"VOLT?": b"1.25\n",
    b"half?": b"1.",
    b"data?": b"#13a\nb\n",
    b"two?": b"2\n2\n",
}


def conversation(transport: Transport) -> list[object]:
    """Talk with an instrument that has all of `_ANSWERS`, and return what it answered."""
    scpi = Scpi(transport)
    said: list[object] = [scpi.query("*IDN?"), scpi.query_int("two?"), scpi.query_float("VOLT?")]
    for lost in ("half?", "lost?"):
        with pytest.raises(ReplyTimeout) as caught:
            scpi.query(lost)
        said.append(caught.value.got)
    scpi.write("VOLT 2")
    return [*said, scpi.query_block("data?"), scpi.query_float("VOLT?")]


class Voltmeter(Tapped, Instrument):
    def __init__(self, address: str) -> None:
        super().__init__()
        self.address = address

    @property
    def identity(self) -> Identity:
        return Identity("PyroLab", "Voltmeter", "1")

    def _open(self) -> None:
        self._transport = open_transport(self.address)

    def _close(self) -> None:
        self._transport.close()

    def voltage(self) -> float:
        return Scpi(self._transport).query_float("VOLT?")


def test_a_log_sees_what_goes_over_the_wire_while_it_is_attached() -> None:
    log = WireLog()
    with PtyServer(Answering(echo)) as server, SerialTransport(server.name, 0.05) as transport:
        transport.exchange(b"before\n", b"\n")
        transport.attach(log)
        transport.exchange(b"during\n", b"\n")
        transport.write(b"half")
        with pytest.raises(ReplyTimeout):
            transport.read_until(b"\n")
        transport.detach(log)
        transport.detach(log)
        transport.exchange(b"after\n", b"\n")
    assert [(entry.direction, entry.data) for entry in log.entries()] == [
        ("sent", b"during\n"),
        ("received", b"during\n"),
        ("sent", b"half"),
        ("timeout", b""),
    ]
    assert log.entries(last=1)[0].waited_s == 0.05
    assert log.entries(last=0) == []
    lines = str(log).splitlines()
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{6} > b'during\\n'", lines[0])
    assert lines[1].endswith(r" < b'during\n'")
    assert lines[3].endswith(" ! no reply in 0.05 s")


def test_what_was_recorded_from_an_instrument_is_a_test(tmp_path: Path) -> None:
    path = tmp_path / "voltmeter.jsonl"
    device = Answering(lambda line: _ANSWERS.get(line, b""))
    with PtyServer(device) as server, SerialTransport(server.name, 0.05) as transport:
        with recording(transport, path):
            real = conversation(transport)
        assert transport.exchange(b"VOLT?\n", b"\n") == b"1.25"
    assert real == [IDENTITY.decode(), 2, 1.25, b"1.", b"", b"a\nb", 1.25]
    with ReplayTransport(path) as replay:
        assert conversation(replay) == real


def test_a_file_is_readable_lines(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with open_transport("loop://") as transport, recording(transport, path):
        transport.write(b"VOLT?\n")
        transport.write(b"\xff\x00")
    first, *lines = map(json.loads, path.read_text().splitlines())
    assert first["pyrolab_wire"] == 1
    assert first["name"] == "loop://"
    assert [line["sent"] for line in lines] == ["VOLT?\n", {"base64": "/wA="}]


def test_an_earlier_recording_is_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text("precious")
    with open_transport("loop://") as transport, pytest.raises(FileExistsError), recording(transport, path):
        pass
    assert path.read_text() == "precious"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is full")
def test_a_full_disk_ends_the_file_and_not_the_instrument(tmp_path: Path) -> None:
    log = WireLog(tmp_path / "log.jsonl")
    with open("/dev/full", "w") as full, open_transport("loop://") as transport:
        assert log._file is not None
        log._file.close()
        log._file = full
        transport.attach(log)
        assert transport.exchange(b"hello\n", b"\n") == b"hello"
        assert len(log.entries()) == 2
        with pytest.raises(OSError, match="No space left"):
            log.close()
        log.close()


def test_memory_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire_log, "MOST_ENTRIES", 3)
    monkeypatch.setattr(wire_log, "MOST_BYTES", 10)
    log = WireLog()
    for each in range(5):
        log.sent(b"%d" % each)
    assert [entry.data for entry in log.entries()] == [b"2", b"3", b"4"]
    log.received(bytes(9), end=False)
    assert [entry.data for entry in log.entries()] == [b"4", bytes(9)]
    log.received(bytes(11), end=False)
    assert [entry.data for entry in log.entries()] == [bytes(11)]


def test_an_instrument_can_be_tapped_while_it_runs() -> None:
    with PtyServer(Answering(table(**{"VOLT?": b"1.25\n"}))) as server, Voltmeter(server.name) as voltmeter:
        assert voltmeter.wiretap_read() == []
        voltmeter.wiretap_stop()
        voltmeter.wiretap_start()
        assert voltmeter.voltage() == 1.25
        voltmeter.wiretap_stop()
        assert voltmeter.voltage() == 1.25
        entries = voltmeter.wiretap_read()
        assert [entry[1:] for entry in entries] == [("sent", b"VOLT?\n"), ("received", b"1.25\n")]
        assert voltmeter.wiretap_read(last=1) == entries[-1:]
        voltmeter.wiretap_start()
        assert voltmeter.wiretap_read() == []


def test_an_instrument_without_a_connection_cannot_be_tapped() -> None:
    voltmeter = Voltmeter("loop://")
    with pytest.raises(NotConnected, match="call connect"):
        voltmeter.wiretap_start()
    voltmeter.connect()
    voltmeter.close()
    with pytest.raises(NotConnected):
        voltmeter.wiretap_start()
