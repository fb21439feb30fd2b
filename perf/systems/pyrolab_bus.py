"""PyroLab as its users run it: a broker, a daemon with a service, and a proxy, each its own process."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from perf.children import end_with_parent, say
from perf.payloads import MIB, TEN_ARGUMENTS, Image, image
from perf.systems.base import Address, Client, Pipeline, System
from pyrolab.api import Daemon, Proxy, behavior, expose, locate_ns
from pyrolab_broker.server import Broker

#: Calls that the eager service's worker holds at a time; the default is 1, which is meant for instruments.
CREDIT = 64


class PyroLabBus(System):
    """A broker, a daemon and a proxy."""

    setup = (
        "broker and daemon in processes of their own, all settings as they come; arrays as arrays; "
        f"pipelined also with a service that declares a credit of {CREDIT}"
    )
    many_services = True

    def start(self, services: int = 1) -> Address:
        broker = self.spawn("broker", module=__spec__.name)
        self.address = {
            **broker,
            **self.spawn("worker", broker["nameserver"], str(services), module=__spec__.name),
        }
        return self.address

    @staticmethod
    def connect(address: Address) -> Client:
        return _BusClient(address["uri"], address["eager_uri"])


class _BusClient(Client):
    def __init__(self, uri: str, eager_uri: str) -> None:
        self._proxy = Proxy(uri)
        self._eager = Proxy(eager_uri)  # connects only when it is used

    def empty(self) -> None:
        self._proxy.empty()

    def ten_arguments(self) -> None:
        self._proxy.ten_arguments(*TEN_ARGUMENTS)

    def fetch(self, size: int) -> Image:
        received: Image = self._proxy.fetch(size)
        return received

    def store(self, image: Image) -> None:
        self._proxy.store(image)

    def pipelines(self) -> Mapping[str, Pipeline]:
        return {
            "future": lambda calls: _pipeline(self._proxy, calls),
            f"future, credit {CREDIT}": lambda calls: _pipeline(self._eager, calls),
        }

    def close(self) -> None:
        self._proxy._pyroRelease()
        self._eager._pyroRelease()


def _pipeline(proxy: Proxy, calls: int) -> None:
    start = proxy.empty.future
    for future in [start() for _ in range(calls)]:
        future.result()


@behavior(instance_mode="single")
@expose
class Service:
    """What is called."""

    def __init__(self) -> None:
        self._images = {size: image(size) for size in (MIB, 8 * MIB)}

    def empty(self) -> None:
        """Do nothing."""

    def ten_arguments(self, *arguments: Any) -> None:
        """Do nothing with them."""

    def fetch(self, size: int) -> Image:
        """An image of `size` bytes, shape (size // 2,)."""
        return self._images[size]

    def store(self, image: Image) -> None:
        """Take an image, shape (n,), uint16."""
        assert image.nbytes in self._images


@behavior(instance_mode="single", credit=CREDIT)
@expose
class EagerService:
    """The same for software: its worker takes more than one call at a time."""

    def empty(self) -> None:
        """Do nothing."""


def _broker() -> None:
    with Broker(port=0) as broker:
        say(nameserver=str(broker.address))
        broker.serve_forever()


def _worker(nameserver: str, services: int) -> None:
    service = Service()
    with Daemon(nameserver=nameserver) as daemon:
        uris = [daemon.register(service if not index else Idle()) for index in range(services)]
        host, port = nameserver.rsplit(":", 1)
        with locate_ns(host, int(port)) as names:
            for index, uri in enumerate(uris):
                names.register(f"service{index}", uri)
        say(uri=str(uris[0]), eager_uri=str(daemon.register(EagerService)))
        daemon.requestLoop()


@expose
class Idle:
    """A service that is registered but not called."""

    def empty(self) -> None:
        """Do nothing."""


if __name__ == "__main__":
    end_with_parent()
    if sys.argv[1] == "broker":
        _broker()
    else:
        _worker(sys.argv[2], int(sys.argv[3]))
