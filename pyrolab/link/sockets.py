"""Sockets that connect to a broker, or listen: how they are set up, and why one cannot be reached."""

from __future__ import annotations

import contextlib
import os
import socket

import zmq

from pyrolab.errors import NoBroker
from pyrolab.protocol.limits import MAX_FRAME_BYTES
from pyrolab.protocol.names import Location

#: Messages that may wait in the socket; more means that nothing leaves this computer.
_SEND_QUEUE = 10_000
#: A non-empty ZAP domain makes libzmq refuse peers that do not speak ZMTP 3 (HTTP, port scanners).
_ZAP_DOMAIN = b"pyrolab"
_HANDSHAKE_MS = 3000
#: Does not pace what it sends, and every Linux has it.
_UNPACED = b"reno"

_contexts: dict[int, zmq.Context[zmq.Socket[bytes]]] = {}


def _context() -> zmq.Context[zmq.Socket[bytes]]:
    """The process's context; a forked child gets its own, because its parent's is of no use to it."""
    pid = os.getpid()
    if pid not in _contexts:
        context = zmq.Context()
        context.setsockopt(zmq.MAX_SOCKETS, 65_000)
        context.setsockopt(zmq.BLOCKY, 0)
        _contexts[pid] = context
    return _contexts[pid]


def new_socket(location: Location) -> zmq.Socket[bytes]:
    """A DEALER that will connect to `location` once, and never queue for a connection that is not there."""
    dealer = _context().socket(zmq.DEALER)
    dealer.setsockopt(zmq.LINGER, 0)
    dealer.setsockopt(zmq.IMMEDIATE, 1)  # never queue for a connection that is not there
    dealer.setsockopt(zmq.RECONNECT_IVL, -1)  # a broken link stays broken: a new one has a new session
    dealer.setsockopt(zmq.SNDHWM, _SEND_QUEUE)
    dealer.setsockopt(zmq.RCVHWM, 0)  # a full one with heartbeats aborts the process; calls bound it
    dealer.setsockopt(zmq.MAXMSGSIZE, MAX_FRAME_BYTES)
    dealer.setsockopt(zmq.IPV6, int(":" in location.host))
    return dealer


def new_listener(
    host: str, port: int, frame_bytes: int, heartbeat_s: float, silence_s: float
) -> zmq.Socket[bytes]:
    """A ROUTER that listens at `host`; `port` 0 takes a free one. Raises `zmq.ZMQError` if it cannot."""
    router = _context().socket(zmq.ROUTER)
    set_listening(router, host, frame_bytes, heartbeat_s, silence_s)
    router.setsockopt(zmq.LINGER, 0)
    endpoint = Location(host, port).endpoint
    try:
        router.bind(endpoint if port else endpoint.removesuffix(":0") + ":*")
    except zmq.ZMQError:
        router.close(0)
        raise
    return router


def set_listening(
    router: zmq.Socket[bytes], host: str, frame_bytes: int, heartbeat_s: float, silence_s: float
) -> None:
    """The options of every ROUTER that strangers can reach."""
    router.setsockopt(zmq.ZAP_DOMAIN, _ZAP_DOMAIN)
    router.setsockopt(zmq.ROUTER_MANDATORY, 1)
    router.setsockopt(zmq.MAXMSGSIZE, frame_bytes)
    router.setsockopt(zmq.HANDSHAKE_IVL, _HANDSHAKE_MS)
    # Heartbeats of ZMTP on the binding side only: on the connecting side they can abort a process.
    router.setsockopt(zmq.HEARTBEAT_IVL, int(heartbeat_s * 1000))
    router.setsockopt(zmq.HEARTBEAT_TIMEOUT, int(silence_s * 1000))
    router.setsockopt(zmq.IPV6, int(":" in host))


def address_towards(location: Location) -> str:
    """The address of this computer by which others reach it who can reach `location`."""
    host = "127.0.0.1" if location.host == "localhost" else location.host
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((host, location.port or 9))
            return str(probe.getsockname()[0])
    except OSError:
        return "127.0.0.1"


def hasten_local(fd: int) -> None:
    """Let a connection within this computer send as fast as it can, whatever is set for the network.

    Congestion controls that pace what they send (BBR) do so there, too, and large arrays then take half as
    long again.
    """
    if not hasattr(socket, "TCP_CONGESTION"):
        return
    with contextlib.suppress(OSError):
        own = os.dup(fd)
        try:
            with socket.socket(fileno=own) as connection:
                own = -1
                if connection.getsockname()[:1] == connection.getpeername()[:1]:
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, _UNPACED)
        finally:
            if own >= 0:
                os.close(own)  # it is no socket


def descriptor_of(socket: zmq.Socket[bytes]) -> int:
    """The file descriptor that becomes readable when something has happened."""
    fd = socket.getsockopt(zmq.FD)
    assert isinstance(fd, int)
    return fd


def resolved(location: Location) -> str:
    """The endpoint; `localhost` is taken for what the broker binds by default."""
    return (location._replace(host="127.0.0.1") if location.host == "localhost" else location).endpoint


def check_listening(location: Location, timeout_s: float) -> None:
    """Raise `NoBroker`, with the reason, if no program listens there."""
    host = "127.0.0.1" if location.host == "localhost" else location.host
    try:
        socket.create_connection((host, location.port), max(timeout_s, 0.1)).close()
    except ConnectionRefusedError:
        raise NoBroker(
            f"no broker runs at {location}; start one with `pyrolab up CONFIG` or `pyrolab broker`, "
            "or say where it is: PYROLAB_NAMESERVER=host:port",
            location=str(location),
        ) from None
    except socket.gaierror:
        raise NoBroker(
            f"there is no computer named {location.host!r} that this one knows; check the spelling, "
            "or use its IP address",
            location=str(location),
        ) from None
    except OSError as error:
        raise NoBroker(
            f"{location} cannot be reached ({error}); is the computer on, and the port open in its firewall?",
            location=str(location),
        ) from None
