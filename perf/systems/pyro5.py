"""Pyro5 with its default serializer: straight from client to daemon, arrays as bytes."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import Pyro5
import Pyro5.client
import Pyro5.server
import serpent  # type: ignore[import-untyped]

from perf.children import end_with_parent, say
from perf.payloads import MIB, TEN_ARGUMENTS, Image, as_image, image
from perf.systems.base import Address, Client, Pipeline, System

#: Its default of 80 would turn the last of 100 clients away.
_POOL = 200


class Pyro(System):
    """A Pyro5 daemon with its thread pool."""

    setup = (
        f"serpent (its default); thread pool raised to {_POOL}; arrays as bytes, decoded with serpent.tobytes"
    )
    many_services = True

    def start(self, services: int = 1) -> Address:
        self.address = self.spawn(str(services))
        return self.address

    @staticmethod
    def connect(address: Address) -> Client:
        return _PyroClient(address["uri"])


class _PyroClient(Client):
    def __init__(self, uri: str) -> None:
        self._proxy: Any = Pyro5.client.Proxy(uri)
        self._proxy._pyroBind()

    def empty(self) -> None:
        self._proxy.empty()

    def ten_arguments(self) -> None:
        self._proxy.ten_arguments(*TEN_ARGUMENTS)

    def fetch(self, size: int) -> Image:
        return as_image(serpent.tobytes(self._proxy.fetch(size)))

    def store(self, image: Image) -> None:
        self._proxy.store(image.tobytes())

    def pipelines(self) -> Mapping[str, Pipeline]:
        return {"sequential": self._sequential, "batch": self._batch}

    def _sequential(self, calls: int) -> None:
        for _ in range(calls):
            self._proxy.empty()

    def _batch(self, calls: int) -> None:
        batch: Any = Pyro5.client.BatchProxy(self._proxy)
        for _ in range(calls):
            batch.empty()
        for _ in batch():
            pass

    def close(self) -> None:
        self._proxy._pyroRelease()


@Pyro5.server.expose
class Service:
    def __init__(self) -> None:
        self._images = {size: image(size).tobytes() for size in (MIB, 8 * MIB)}

    def empty(self) -> None:
        pass

    def ten_arguments(self, *arguments: Any) -> None:
        pass

    def fetch(self, size: int) -> bytes:
        return self._images[size]

    def store(self, data: Any) -> None:
        as_image(serpent.tobytes(data))


def _serve(services: int) -> None:
    settings: Any = Pyro5.config
    settings.THREADPOOL_SIZE = _POOL
    daemon = Pyro5.server.Daemon(host="127.0.0.1", port=0)
    service = Service()
    uris = [daemon.register(service, f"service{index}", force=True) for index in range(services)]
    say(uri=str(uris[0]))
    daemon.requestLoop()


if __name__ == "__main__":
    end_with_parent()
    _serve(int(sys.argv[1]))
