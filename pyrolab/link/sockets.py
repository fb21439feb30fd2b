"""Sockets that connect to a broker: how they are set up, and why one cannot be reached."""

from __future__ import annotations

import os
import socket

import zmq

from pyrolab.errors import NoBroker
from pyrolab.protocol.limits import MAX_FRAME_BYTES
from pyrolab.protocol.names import Location

#: Messages that may wait in the socket; more means that nothing leaves this computer.
_SEND_QUEUE = 10_000

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
