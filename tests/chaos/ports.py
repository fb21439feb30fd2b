"""Ports that stay ours while whoever listens there is killed and started again."""

from __future__ import annotations

import socket

#: What the kernel may hold for a connection of a relay, and what the relay itself may.
BUFFER_BYTES = 1 << 16


class HeldPort:
    """A port that nobody else is given, although whoever listens there may come and go."""

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", 0))
        self.number: int = self._socket.getsockname()[1]

    def listen(self) -> socket.socket:
        """A socket that listens there."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)  # its connections inherit it
        listener.setblocking(False)
        listener.bind(("127.0.0.1", self.number))
        listener.listen(128)
        return listener

    def close(self) -> None:
        self._socket.close()
