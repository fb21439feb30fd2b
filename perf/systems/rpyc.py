"""RPyC: straight from client to server, arrays as bytes, by value."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

import rpyc
from rpyc.core.channel import Channel
from rpyc.core.stream import SocketStream
from rpyc.utils.factory import connect_stream
from rpyc.utils.helpers import async_
from rpyc.utils.server import ThreadedServer

from perf.children import end_with_parent, say
from perf.payloads import MIB, TEN_ARGUMENTS, Image, as_image, image
from perf.systems.base import Address, Client, Pipeline, System

#: Longer than any packet: noise does not pack, so that its default (zlib above 3 kB) would only cost time.
_NEVER_COMPRESS = 1 << 40


def _never_compress() -> None:
    channel: Any = Channel
    channel.COMPRESSION_THRESHOLD = _NEVER_COMPRESS


class Rpyc(System):
    """A threaded RPyC server."""

    setup = "ThreadedServer; compression off, TCP_NODELAY on; methods looked up once; arrays as bytes"

    def start(self, services: int = 1) -> Address:
        self.address = self.spawn()
        return self.address

    @staticmethod
    def connect(address: Address) -> Client:
        return _RpycClient(address["port"])


class _RpycClient(Client):
    def __init__(self, port: int) -> None:
        _never_compress()
        self._connection = connect_stream(SocketStream.connect("127.0.0.1", port, nodelay=True))
        root = self._connection.root
        self._empty, self._ten_arguments = root.empty, root.ten_arguments
        self._fetch, self._store = root.fetch, root.store
        self._start = async_(self._empty)

    def empty(self) -> None:
        self._empty()

    def ten_arguments(self) -> None:
        self._ten_arguments(*TEN_ARGUMENTS)

    def fetch(self, size: int) -> Image:
        return as_image(self._fetch(size))

    def store(self, image: Image) -> None:
        self._store(image.tobytes())

    def pipelines(self) -> Mapping[str, Pipeline]:
        return {"async": self._pipeline}

    def _pipeline(self, calls: int) -> None:
        for result in [self._start() for _ in range(calls)]:
            result.wait()

    def close(self) -> None:
        self._connection.close()


class _Service(rpyc.Service):  # type: ignore[misc]  # untyped
    def __init__(self) -> None:
        self._images = {size: image(size).tobytes() for size in (MIB, 8 * MIB)}

    def exposed_empty(self) -> None:
        pass

    def exposed_ten_arguments(self, *arguments: Any) -> None:
        pass

    def exposed_fetch(self, size: int) -> bytes:
        return self._images[size]

    def exposed_store(self, data: bytes) -> None:
        as_image(data)


def _serve() -> None:
    _never_compress()
    server = ThreadedServer(_Service(), hostname="127.0.0.1", port=0)
    server.listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    server._listen()  # as its `start` does first, so that nobody is told too early
    say(port=server.port)
    server.start()


if __name__ == "__main__":
    end_with_parent()
    _serve()
