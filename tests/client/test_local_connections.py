"""What stays on one computer is not paced, whatever the system does with what goes out to the network."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import psutil
import pytest

from live import Process
from pyrolab.api import Proxy
from pyrolab.link.sockets import hasten_local

pytestmark = pytest.mark.skipif(not hasattr(socket, "TCP_CONGESTION"), reason="only Linux has a choice")

_CHOICES = Path("/proc/sys/net/ipv4/tcp_allowed_congestion_control")
_NAME_BYTES = 16


def control_of(connection: socket.socket) -> str:
    """The congestion control of a connection."""
    name = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, _NAME_BYTES)
    return name.rstrip(b"\0").decode()


def another_control() -> bytes:
    """A congestion control that is not ours, and that anybody may choose."""
    others = [each for each in _CHOICES.read_text().split() if each != "reno"]
    if not others:
        pytest.skip("there is no choice here")
    return others[0].encode()


def test_a_connection_within_the_computer_is_not_paced() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as connection,
    ):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, another_control())
        hasten_local(connection.fileno())
        assert control_of(connection) == "reno"
        connection.sendall(b"it is still open")


def test_a_connection_to_another_address_is_left_alone() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname(), source_address=("127.0.0.2", 0)) as connection,
    ):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, other := another_control())
        hasten_local(connection.fileno())
        assert control_of(connection) == other.decode()


def test_what_is_no_connection_is_left_alone() -> None:
    reading, writing = os.pipe()
    with open(reading, "rb"), open(writing, "wb"):
        hasten_local(reading)
    hasten_local(reading)  # closed by now
    with socket.socket() as unconnected:
        hasten_local(unconnected.fileno())
    first, second = socket.socketpair()
    with first, second:
        hasten_local(first.fileno())


def controls_towards(port: int) -> list[str]:
    """The congestion controls of this process's connections to a port of this computer."""
    found = []
    for each in psutil.Process().net_connections("tcp"):
        if each.raddr and each.raddr.port == port:
            with socket.socket(fileno=os.dup(each.fd)) as connection:
                found.append(control_of(connection))
    return found


def test_a_proxy_sends_to_the_broker_of_its_computer_unpaced(bench_bus: Process) -> None:
    with Proxy(f"PYRONAME:bench@localhost:{bench_bus.ready}") as bench:
        assert bench.ping()
        assert controls_towards(int(bench_bus.ready)) == ["reno"]
