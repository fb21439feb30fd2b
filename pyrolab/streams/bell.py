"""Lets a thread sleep until one of its ZeroMQ sockets has something to read, or somebody rings."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

import zmq

from pyrolab.link.frames import POLLIN


class Bell:
    """One sleeper, who owns the sockets; `ring` from any thread."""

    def __init__(self) -> None:
        self._asleep, self._rope = socket.socketpair()
        self._asleep.setblocking(False)
        self._rope.setblocking(False)

    def wait(self, sockets: Sequence[zmq.Socket[bytes]], timeout_s: float) -> None:
        """Return when there may be something to do."""
        watched: list[Any] = [(self._asleep, POLLIN), *((each, POLLIN) for each in sockets)]
        if any(each is self._asleep for each, _ in zmq.zmq_poll(watched, int(timeout_s * 1000))):
            try:
                while self._asleep.recv(64):
                    pass
            except BlockingIOError:
                pass

    def ring(self) -> None:
        """End the wait that is going on, or the next one."""
        try:
            self._rope.send(b"\0")
        except OSError:
            pass  # it has been rung often enough, or is closed

    def close(self) -> None:
        """Free the descriptors."""
        self._asleep.close()
        self._rope.close()
