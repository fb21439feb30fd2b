"""The limit of a brokered design: bare sockets through `zmq.proxy`, C code in a process of its own."""

from __future__ import annotations

import sys

import zmq

from perf.children import end_with_parent, say
from perf.systems.base import Address, Client, System
from perf.systems.wire import WireClient, serve


class RawProxy(System):
    """DEALER, `zmq.proxy` (ROUTER and DEALER), DEALER."""

    setup = "prepared frames of PyroLab's layout; the C proxy and an echoing worker in processes of their own"

    def start(self, services: int = 1) -> Address:
        proxy = self.spawn("proxy")
        self.spawn("worker", proxy["backend"])
        self.address = {"endpoint": proxy["frontend"]}
        return self.address

    @staticmethod
    def connect(address: Address) -> Client:
        return WireClient(address["endpoint"])


def _proxy() -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
    frontend, backend = context.socket(zmq.ROUTER), context.socket(zmq.DEALER)
    ends = {}
    for name, socket in (("frontend", frontend), ("backend", backend)):
        socket.bind("tcp://127.0.0.1:*")
        ends[name] = socket.getsockopt_string(zmq.LAST_ENDPOINT)
    say(**ends)
    zmq.proxy(frontend, backend)


def _worker(endpoint: str) -> None:
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
    socket.connect(endpoint)
    say()
    serve(socket)


if __name__ == "__main__":
    end_with_parent()
    if sys.argv[1] == "proxy":
        _proxy()
    else:
        _worker(sys.argv[2])
