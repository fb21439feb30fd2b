"""ZMTP 3.0 over a plain socket, for peers that do what no ZeroMQ library would: lie, stop, or never read."""

from __future__ import annotations

import socket
import struct
from types import TracebackType

from live import PATIENCE_S

SIGNATURE = b"\xff" + bytes(8) + b"\x7f"
MORE, LONG, COMMAND = 1, 2, 4


def greeting(version: bytes = b"\x03\x00", mechanism: bytes = b"NULL") -> bytes:
    """The 64 bytes with which both sides begin."""
    return SIGNATURE + version + mechanism.ljust(20, b"\0") + bytes(32)


def ready(socket_type: bytes = b"DEALER", identity: bytes = b"") -> bytes:
    """The command that ends a NULL handshake."""
    properties = {b"Socket-Type": socket_type, b"Identity": identity}
    body = b"\x05READY" + b"".join(
        bytes([len(name)]) + name + struct.pack(">I", len(value)) + value
        for name, value in properties.items()
    )
    return command(body)


def command(body: bytes) -> bytes:
    """A frame for the other side's ZeroMQ, not for its application."""
    return bytes([COMMAND, len(body)]) + body


def frame(content: bytes, more: bool = False, declared: int | None = None) -> bytes:
    """One frame; `declared` is the length that it claims."""
    size = len(content) if declared is None else declared
    flags = MORE if more else 0
    return (bytes([flags, size]) if size < 256 else struct.pack(">BQ", flags | LONG, size)) + content


def message(*frames: bytes) -> bytes:
    *first, last = frames
    return b"".join(frame(each, more=True) for each in first) + frame(last)


class RawPeer:
    """A TCP connection to a broker, with the handshake done unless `shake_hands` is false."""

    def __init__(
        self,
        port: str | int,
        identity: bytes = b"",
        shake_hands: bool = True,
        receive_bytes: int | None = None,
    ) -> None:
        self.socket = socket.socket()
        self.socket.settimeout(PATIENCE_S)
        if receive_bytes is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.connect(("127.0.0.1", int(port)))
        if shake_hands:
            self.send(greeting())
            self._exactly(64)
            self.send(ready(identity=identity))
            self._read_frame()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def receive(self) -> list[bytes]:
        """The next message. Raises `ConnectionError` if none will come, `TimeoutError` if none does."""
        frames: list[bytes] = []
        while True:
            flags, content = self._read_frame()
            if flags & COMMAND:
                self._obey(content)
                continue
            frames.append(content)
            if not flags & MORE:
                return frames

    def is_cut(self) -> bool:
        """Read until the broker closes the connection; whether it does before our patience ends."""
        try:
            while self.socket.recv(65536):
                pass
        except TimeoutError:
            return False
        except OSError:
            pass
        return True

    def _obey(self, content: bytes) -> None:
        if content.startswith(b"\x04PING"):
            self.send(command(b"\x04PONG" + content[7:]))

    def _read_frame(self) -> tuple[int, bytes]:
        (flags,) = self._exactly(1)
        size = struct.unpack(">Q", self._exactly(8))[0] if flags & LONG else self._exactly(1)[0]
        return flags, self._exactly(size)

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                raise ConnectionError("the connection was closed")
            data += piece
        return data

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> RawPeer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
