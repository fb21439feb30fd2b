"""Serves a simulated device as if it were plugged in: on a pseudo-terminal, or on a TCP port.

A device is anything with `receive(data) -> bytes` and `due() -> bytes` (what it says by itself by now). One
thread serves one client at a time. `UnreliableLine` puts a bad cable in between.
"""

from __future__ import annotations

import os
import select
import socket
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Protocol

from typing_extensions import Self

#: How often a device is asked what it says by itself.
_LOOK_S = 0.005
_CHUNK = 4096


class Device(Protocol):
    """What can be served."""

    def receive(self, data: bytes) -> bytes:
        """The answer to what came from the host."""
        ...

    def due(self) -> bytes:
        """What the device says by itself by now."""
        ...


#: What a bad cable does to an answer.
Fault = Callable[[bytes], bytes]


def silence(_: bytes) -> bytes:
    """Nothing arrives."""
    return b""


def half(answer: bytes) -> bytes:
    """Only the first half arrives."""
    return answer[: len(answer) // 2]


def twice(answer: bytes) -> bytes:
    """It arrives twice."""
    return answer + answer


def garbage(noise: bytes) -> Fault:
    """`noise` arrives before the answer."""
    return lambda answer: noise + answer


def instead(noise: bytes) -> Fault:
    """`noise` arrives instead of the answer."""
    return lambda _: noise


class UnreliableLine:
    """A device behind a bad cable: the next answers suffer the faults that `then` was given, one each."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._faults: deque[Fault | None] = deque()

    def then(self, *faults: Fault | None) -> None:
        """Let the next answers suffer these; None leaves an answer alone."""
        self._faults.extend(faults)

    def receive(self, data: bytes) -> bytes:
        """The answer, or what is left of it."""
        answer = self._device.receive(data)
        fault = self._faults.popleft() if answer and self._faults else None
        return fault(answer) if fault is not None else answer

    def due(self) -> bytes:
        """What the device says by itself, unharmed."""
        return self._device.due()


class _Server(ABC):
    """A thread that carries bytes between a device and one client."""

    def __init__(self, device: Device, name: str) -> None:
        self.name = name
        self._device = device
        self._wake, self._woken = os.pipe()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"simulated {name}", daemon=True)
        self._thread.start()

    @abstractmethod
    def _serve(self) -> None:
        """Carry bytes until `_ended` is set."""

    @abstractmethod
    def _shut(self) -> None:
        """Free what was opened."""

    def wait(self) -> None:
        """Return when the server has been closed."""
        self._ended.wait()

    def close(self) -> None:
        """End serving. A second time does nothing."""
        if not self._ended.is_set():
            self._ended.set()
            os.write(self._woken, b"x")
            self._thread.join()
            os.close(self._wake)
            os.close(self._woken)
            self._shut()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self) -> None:
        while not self._ended.is_set():
            self._serve()

    def _ready(self, *readers: int, timeout_s: float | None) -> list[int]:
        return select.select([self._wake, *readers], [], [], timeout_s)[0]

    def _carry(self, reader: int, read: Callable[[], bytes], write: Callable[[bytes], object]) -> None:
        """Until the client has gone, or the server is closed."""
        while not self._ended.is_set():
            answer = b""
            if reader in self._ready(reader, timeout_s=_LOOK_S):
                data = read()
                if not data:
                    return
                answer = self._device.receive(data)
            answer += self._device.due()
            if answer:
                write(answer)


class PtyServer(_Server):
    """A device on a pseudo-terminal; `name` is what to open, such as /dev/pts/7."""

    def __init__(self, device: Device) -> None:
        import tty

        self._master, self._slave = (
            os.openpty()
        )  # the slave stays open, else reading fails between two clients
        tty.setraw(self._slave)
        super().__init__(device, os.ttyname(self._slave))

    def _serve(self) -> None:
        self._carry(
            self._master, lambda: os.read(self._master, _CHUNK), lambda answer: os.write(self._master, answer)
        )

    def _shut(self) -> None:
        os.close(self._master)
        os.close(self._slave)


class TcpServer(_Server):
    """A device on a TCP port of this computer; `name` is what to open, such as socket://127.0.0.1:40001."""

    def __init__(self, device: Device, port: int = 0) -> None:
        self._listener = socket.create_server(("127.0.0.1", port))
        super().__init__(device, f"socket://127.0.0.1:{self._listener.getsockname()[1]}")

    def _serve(self) -> None:
        if self._listener.fileno() not in self._ready(self._listener.fileno(), timeout_s=None):
            return
        client, _ = self._listener.accept()
        with client:
            try:
                self._carry(client.fileno(), lambda: client.recv(_CHUNK), client.sendall)
            except ConnectionError:
                pass  # the client has gone; the next may come

    def _shut(self) -> None:
        self._listener.close()
