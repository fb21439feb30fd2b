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

    def wait(self, sockets: Sequence[zmq.Socket[bytes]], timeout_s: float) -> bool:
        """Return when there may be something to do; whether somebody has rung."""
        bell = self._asleep.fileno()
        watched: list[Any] = [(bell, POLLIN), *((each, POLLIN) for each in sockets)]
        rung = any(each == bell for each, _ in zmq.zmq_poll(watched, int(timeout_s * 1000)))
        if rung:
            try:
                while self._asleep.recv(64):
                    pass
            except BlockingIOError:
                pass  # all rings have been heard
        return rung

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
