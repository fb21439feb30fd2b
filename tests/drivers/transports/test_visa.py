"""VISA resources: pyvisa-sim's default devices, and pyvisa-py on real sockets and pseudo-terminals."""

from __future__ import annotations

import importlib.util
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pyrolab_drivers.simulators.pty_server import PtyServer, TcpServer
from pyrolab_drivers.transports import (
    BadReply,
    ReplayTransport,
    ReplyTimeout,
    Scpi,
    TransportClosed,
    TransportError,
    VisaTransport,
    WireLog,
    open_transport,
    recording,
)
from wires import IDENTITY, Answering, table

T = 0.05
GPIB, USB, SERIAL = "GPIB::9::INSTR", "USB::0x1111::0x2222::0x2468::INSTR", "ASRL2::INSTR"
_BLOCK = bytes(range(256)) * 300
_ANSWERS = {
    "*IDN?": IDENTITY + b"\n",
    "VOLT?": b"1.25\n",
    "half?": b"1.",
    "data?": b"#576800" + _BLOCK + b"\n",
    "long?": b",".join([b"1.5"] * 20000) + b"\n",
    "two?": b"2\n2\n",
}


_BLOCKS = f"""
spec: "1.0"
devices:
  blocks:
    eom:
      GPIB INSTR: {{q: "\\n", r: "\\n"}}
    dialogues:
      - {{q: "DEF?", r: "#13abc"}}
      - {{q: "INDEF?", r: "#0abcd"}}
      - {{q: "LONG?", r: "#570000{"a" * 70000}"}}
resources:
  GPIB::9::INSTR: {{device: blocks}}
"""


@contextmanager
def visa(kind: str) -> Iterator[VisaTransport]:
    """A device behind pyvisa-py: on a socket, or on a serial port."""
    device = Answering(table(**_ANSWERS))
    with TcpServer(device) if kind == "SOCKET" else PtyServer(device) as server:
        host, _, port = server.name.removeprefix("socket://").partition(":")
        name = f"TCPIP::{host}::{port}::SOCKET" if kind == "SOCKET" else f"ASRL{server.name}::INSTR"
        with open_transport(name, timeout_s=5.0, visa_library="@py") as transport:
            assert isinstance(transport, VisaTransport)
            yield transport


@pytest.mark.parametrize("resource", [GPIB, USB, "TCPIP::localhost:2222::INSTR"])
def test_message_based_resources_answer(resource: str) -> None:
    with open_transport(resource, visa_library="@sim") as transport:
        scpi = Scpi(transport)
        assert scpi.query("*IDN?") == "SCPI,MOCK,VERSION_1.0"
        scpi.write(":VOLT:IMM:AMPL 2.5")
        assert scpi.query_float(":VOLT:IMM:AMPL?") == 2.5
        assert scpi.query_int("*ESR?") == 0


def test_a_simulated_serial_port_answers() -> None:
    with open_transport(SERIAL, visa_library="@sim", timeout_s=1.0) as transport:
        scpi = Scpi(transport, write_terminator="\r\n")
        assert scpi.query("*IDN?") == "SCPI,MOCK,VERSION_1.0"
        scpi.write("OUTP 1")
        assert scpi.query_bool("OUTP?") is True


def test_an_error_queue_of_a_stranger_is_read() -> None:
    with open_transport("GPIB::4::INSTR", visa_library="@sim") as transport:
        scpi = Scpi(transport, error_query=":SYST:ERR?")
        assert scpi.errors() == []
        scpi.write("NONSENSE")
        assert scpi.errors() == [(1, "Command error")]


@pytest.mark.parametrize("resource", [GPIB, SERIAL])
def test_silence_is_an_error_and_the_next_command_is_answered(resource: str) -> None:
    with open_transport(resource, visa_library="@sim", timeout_s=0.1) as transport:
        end = b"\r\n" if resource == SERIAL else b"\n"
        with pytest.raises(ReplyTimeout, match="nothing came"):
            transport.exchange(b":VOLT:IMM:AMPL 2.0" + end, b"\n")
        assert transport.exchange(b"*IDN?" + end, b"\n") == b"SCPI,MOCK,VERSION_1.0"


def test_a_reply_ends_with_its_message_even_without_a_terminator() -> None:
    with open_transport(GPIB, visa_library="@sim", timeout_s=1.0) as transport:
        transport.write(b"*IDN?\n")
        with pytest.raises(BadReply, match="ended its message before 100 bytes"):
            transport.read_exactly(100)
        transport.write(b"*IDN?\n")
        assert transport.read_until(b"no such end") == b"SCPI,MOCK,VERSION_1.0\n"
        transport.write(b"*IDN?\n")
        assert transport.read_exactly(21) == b"SCPI,MOCK,VERSION_1.0"
        assert transport.read_until(b"\n") == b""


def test_blocks_of_any_length_end_with_their_message(tmp_path: Path) -> None:
    path = tmp_path / "blocks.yaml"
    path.write_text(_BLOCKS)
    with open_transport(GPIB, visa_library=f"{path}@sim", timeout_s=5.0) as transport:
        scpi = Scpi(transport)
        assert scpi.query_block("LONG?") == b"a" * 70000
        assert scpi.query_block("DEF?") == b"abc"
        assert scpi.query_block("INDEF?") == b"abcd"


def test_the_end_of_a_message_is_recorded_and_played(tmp_path: Path) -> None:
    path = tmp_path / "gpib.jsonl"
    with open_transport(GPIB, visa_library="@sim") as transport, recording(transport, path):
        transport.write(b"*IDN?\n")
        assert transport.read_until(b"no such end") == b"SCPI,MOCK,VERSION_1.0\n"
    with ReplayTransport(path) as replay:
        replay.write(b"*IDN?\n")
        assert replay.read_until(b"no such end") == b"SCPI,MOCK,VERSION_1.0\n"


@pytest.mark.parametrize("kind", ["SOCKET", "ASRL"])
def test_streams_through_visa_are_read_to_the_byte(kind: str) -> None:
    with visa(kind) as transport:
        scpi = Scpi(transport)
        assert scpi.query("*IDN?") == IDENTITY.decode()
        assert scpi.query_int("two?") == 2
        assert scpi.query_float("VOLT?") == 1.25
        assert scpi.query_block("data?") == _BLOCK
        assert scpi.query_floats("long?") == [1.5] * 20000
        with pytest.raises(ReplyTimeout) as caught:
            scpi.query("half?", timeout_s=T)
        assert caught.value.got == b"1."
        assert scpi.query_float("VOLT?") == 1.25
        transport.write(b"half?\n")
        assert transport.read_until_quiet() == b"1."


@pytest.mark.parametrize("kind", ["SOCKET", "ASRL"])
def test_a_library_that_drops_half_a_reply_at_its_timeout_is_read_byte_by_byte(kind: str) -> None:
    with visa(kind) as transport:
        transport._session = None  # as with the vendors' libraries
        assert transport.exchange(b"VOLT?\n", b"\n") == b"1.25"
        with pytest.raises(ReplyTimeout) as caught:
            transport.exchange(b"half?\n", b"\n", timeout_s=T)
        assert caught.value.got == b"1."


def test_a_device_clear_is_used_where_the_bus_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    log = WireLog()
    with open_transport(GPIB, visa_library="@sim", timeout_s=0.1) as transport:
        assert isinstance(transport, VisaTransport)
        scpi = Scpi(transport)
        cleared: list[bool] = []
        resource = transport._resource
        monkeypatch.setattr(type(resource), "clear", lambda _: cleared.append(True))
        with pytest.raises(ReplyTimeout):
            scpi.query("OUTP 1")
        transport.attach(log)
        assert scpi.query_bool("OUTP?") is True
        assert cleared == [True]
        assert [entry.data for entry in log.entries()] == [b"OUTP?\n", b"1\n"]


def test_settings_of_serial_ports_are_those_of_pyserial() -> None:
    framing: dict[str, Any] = {"bytesize": 7, "parity": "E", "stopbits": 1.5, "exclusive": True}
    with open_transport(SERIAL, visa_library="@sim", baudrate=19200, rtscts=True, **framing) as port:
        assert isinstance(port, VisaTransport)
        resource = port._resource
        assert (resource.baud_rate, resource.data_bits) == (19200, 7)
        assert (resource.parity.name, resource.stop_bits.name) == ("even", "one_and_a_half")
        assert resource.flow_control.name == "rts_cts"
    with open_transport(GPIB, visa_library="@sim", rts=True, chunk_size=100, **framing) as transport:
        assert Scpi(transport).query("*IDN?") == "SCPI,MOCK,VERSION_1.0"


def test_modem_lines_are_not_set_through_visa() -> None:
    with PtyServer(Answering(table(**_ANSWERS))) as server:
        name = f"ASRL{server.name}::INSTR"
        settings: dict[str, Any] = {"baudrate": 115200, "rtscts": True, "rts": True}
        with pytest.raises(TransportError, match="rts cannot be set through VISA; open the port itself"):
            open_transport(name, visa_library="@py", **settings)
        with open_transport(name, visa_library="@py", modem_lines_optional=True, **settings) as port:
            assert Scpi(port).query_float("VOLT?") == 1.25


def test_a_connection_that_breaks_is_closed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host, port = listener.getsockname()
        transport = open_transport(f"TCPIP::{host}::{port}::SOCKET", visa_library="@py", timeout_s=5.0)
        client, _ = listener.accept()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
        with pytest.raises(TransportClosed, match="cannot be reached any more"):
            transport.exchange(b"a\n", b"\n")
        transport.close()
        with pytest.raises(TransportClosed):
            transport.write(b"a\n")


@pytest.mark.parametrize(
    ("resource", "library"),
    [("GPIB::29::INSTR", "@sim"), ("GPIB::1::INSTR", "nosuch.yaml@sim"), ("no resource", "@sim")],
)
def test_what_cannot_be_opened_says_through_which_library(resource: str, library: str) -> None:
    with pytest.raises(TransportError, match=f"{resource} cannot be opened through VISA.*{library}"):
        open_transport(resource, visa_library=library)


def test_a_back_end_that_is_not_installed_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModuleNotFoundError, match="@nosuch needs pyvisa_nosuch: pip install pyvisa-nosuch"):
        open_transport(GPIB, visa_library="@nosuch")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ModuleNotFoundError, match=r"needs pyvisa_py: pip install 'pyrolab\[visa\]'"):
        open_transport(GPIB, visa_library="@py")


def test_a_resource_with_registers_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    import pyvisa

    closed: list[bool] = []
    register_based = SimpleNamespace(interface_type=None, close=lambda: closed.append(True))
    monkeypatch.setattr(pyvisa.ResourceManager, "open_resource", lambda *_, **__: register_based)
    with pytest.raises(TransportError, match="not message-based"):
        open_transport("VXI0::1::INSTR", visa_library="@sim")
    assert closed == [True]
