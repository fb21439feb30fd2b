"""Serial ports and what pyserial opens by a URL, on real pseudo-terminals, sockets and a port server."""

from __future__ import annotations

import os
import pty
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from pyrolab_drivers.simulators.pty_server import PtyServer, TcpServer
from pyrolab_drivers.transports import (
    PortBusy,
    PortNotFound,
    ReplayTransport,
    ReplyTimeout,
    SerialTransport,
    TransportClosed,
    TransportError,
    VisaTransport,
    WriteTimeout,
    open_transport,
)
from wires import Answering, echo, table

T = 0.05


@contextmanager
def port_server(device: str) -> Iterator[str]:
    """pyserial's own RFC 2217 server in front of `device`; its URL. It ends with the connection."""
    import serial
    from serial.rfc2217 import PortManager

    listener = socket.create_server(("127.0.0.1", 0))
    port = serial.serial_for_url(device, timeout=0.01)
    ended = threading.Event()

    def serve() -> None:
        client, _ = listener.accept()
        with client:
            client.settimeout(0.01)
            carry(client)

    def carry(client: socket.socket) -> None:
        # A pseudo-terminal has no modem lines to look at or to set.
        without_lines: Any = _Lineless(port)
        connection: Any = _Connection(client)
        manager = PortManager(without_lines, connection)
        while not ended.is_set():
            try:
                data = client.recv(1024)
                if not data:
                    return
                port.write(b"".join(manager.filter(data)))
            except TimeoutError:
                pass
            except OSError:
                return
            from_port = port.read(port.in_waiting or 1)
            if from_port:
                client.sendall(b"".join(manager.escape(from_port)))

    server = threading.Thread(target=serve, daemon=True)
    server.start()
    try:
        yield f"rfc2217://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        ended.set()
        server.join(10.0)
        listener.close()
        port.close()


class _Connection:
    """What a port server writes its own messages to."""

    def __init__(self, client: socket.socket) -> None:
        self.write = client.sendall


class _Lineless:
    """A port whose modem lines can be set, and are not there."""

    def __init__(self, port: object) -> None:
        self.__dict__.update(port=port, rts=True, dtr=True, cts=False, dsr=False, ri=False, cd=False)

    def __getattr__(self, name: str) -> object:
        return getattr(self.port, name)


def test_a_socket_behind_a_url_answers() -> None:
    with TcpServer(Answering(echo)) as server, open_transport(server.name) as transport:
        assert isinstance(transport, SerialTransport)
        large = bytes(range(11, 256)) * 2000
        assert transport.exchange(large + b"\n", b"\n") == large


def test_a_socket_that_says_nothing_is_an_error() -> None:
    with TcpServer(Answering(table())) as server, open_transport(server.name, timeout_s=T) as line:
        line.write(b"ask\n")
        with pytest.raises(ReplyTimeout):
            line.read_until(b"\n")


@pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")  # pyserial 3.5
def test_a_port_server_answers_and_has_modem_lines() -> None:
    with ExitStack() as stack:
        server = stack.enter_context(PtyServer(Answering(table(ask=b"1\n", half=b"12"))))
        url = stack.enter_context(port_server(server.name))
        settings = {"baudrate": 115200, "rts": True, "dtr": False}
        transport = stack.enter_context(open_transport(url, timeout_s=5.0, **settings))
        assert transport.exchange(b"ask\n", b"\n") == b"1"
        with pytest.raises(ReplyTimeout) as caught:
            transport.exchange(b"half\n", b"\n", timeout_s=0.3)
        assert caught.value.got == b"12"
        assert transport.exchange(b"ask\n", b"\n") == b"1"


def test_a_loop_back_answers() -> None:
    with open_transport("loop://", timeout_s=T) as transport:
        assert transport.exchange(b"hello\n", b"\n") == b"hello"
        with pytest.raises(ReplyTimeout):
            transport.read_exactly(1)


def test_a_port_that_does_not_exist_names_those_that_do() -> None:
    with pytest.raises(PortNotFound, match="there is no port /dev/ttyNONE9; there are") as caught:
        open_transport("/dev/ttyNONE9")
    assert isinstance(caught.value, FileNotFoundError)
    assert isinstance(caught.value, TransportError)


def test_a_port_that_another_connection_has_is_busy() -> None:
    with PtyServer(Answering(echo)) as server, open_transport(server.name):
        with pytest.raises(PortBusy, match="is in use by another program"):
            open_transport(server.name)
        with open_transport(server.name, exclusive=False):
            pass
    with PtyServer(Answering(echo)) as server:
        open_transport(server.name).close()
        open_transport(server.name).close()


_DENIED = """
import os, sys
from pyrolab_drivers.transports import PortDenied, open_transport
import serial, serial.tools.list_ports
if os.getuid() == 0:
    os.setuid(65534)
try:
    open_transport(sys.argv[1])
except PortDenied as error:
    print(isinstance(error, PermissionError), error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are of POSIX")
def test_a_port_that_this_user_may_not_open_says_which_group_may() -> None:
    with PtyServer(Answering(echo)) as server:
        os.chmod(server.name, stat.S_IWGRP)
        command = [sys.executable, "-c", _DENIED, server.name]
        said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert said.startswith(f"True this user may not open {server.name}")
    assert "dialout" in said


def test_nobody_at_a_socket_is_an_error_that_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(TransportError, match=f"socket://127.0.0.1:{port} cannot be opened.*refused"):
        open_transport(f"socket://127.0.0.1:{port}")


def test_a_terminal_without_modem_lines_is_refused_unless_that_is_allowed() -> None:
    with PtyServer(Answering(echo)) as server:
        with pytest.raises(TransportError, match="modem_lines_optional=True"):
            open_transport(server.name, rts=True)
        with open_transport(server.name, rts=True, modem_lines_optional=True) as transport:
            assert transport.exchange(b"hello\n", b"\n") == b"hello"


def test_an_instrument_that_has_gone_is_closed() -> None:
    server = PtyServer(Answering(echo))
    transport = open_transport(server.name, timeout_s=5.0)
    server.close()
    with pytest.raises(TransportClosed, match=r"has gone.*check cable and power"):
        transport.read_until(b"\n")
    transport.close()


def test_an_instrument_that_takes_nothing_is_an_error() -> None:
    master, slave = pty.openpty()
    transport = open_transport(os.ttyname(slave), timeout_s=T)
    with pytest.raises(WriteTimeout, match="did not take 1000000 bytes"):
        transport.write(bytes(1_000_000))
    transport.close()
    os.close(master)
    os.close(slave)


def test_a_connection_can_be_shared() -> None:
    with open_transport("loop://") as transport:
        assert open_transport(transport) is transport


def test_addresses_say_what_they_are_of(tmp_path: Path) -> None:
    with open_transport("USB::0x1111::0x2222::0x1234::INSTR", visa_library="@sim") as transport:
        assert isinstance(transport, VisaTransport)
    (tmp_path / "recorded.jsonl").write_text('{"sent": "a"}\n')
    transport = open_transport(f"replay:{tmp_path / 'recorded.jsonl'}", baudrate=9600)
    assert isinstance(transport, ReplayTransport)
    transport.write(b"a")
    transport.close()


@pytest.mark.parametrize(
    ("module", "address", "extra"), [("serial", "COM3", "serial"), ("pyvisa", "GPIB::1::INSTR", "visa")]
)
def test_a_missing_library_names_what_to_install(
    monkeypatch: pytest.MonkeyPatch, module: str, address: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ModuleNotFoundError, match=rf"pip install 'pyrolab\[{extra}\]'"):
        open_transport(address)


def test_no_library_is_imported_before_it_is_used() -> None:
    code = "import sys, pyrolab_drivers.transports; print({'serial', 'pyvisa'} & set(sys.modules))"
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, capture_output=True, text=True, timeout=60).stdout == "set()\n"
