"""Bare sockets without anything between client and worker: DEALER to ROUTER."""

from __future__ import annotations

import zmq

from perf.children import end_with_parent, say
from perf.systems.base import Address, Client, System
from perf.systems.wire import WireClient, serve


class RawDirect(System):
    """DEALER to ROUTER."""

    setup = "prepared frames of PyroLab's layout; an echoing worker in a process of its own, no broker"

    def start(self, services: int = 1) -> Address:
        self.address = {"endpoint": self.spawn()["endpoint"]}
        return self.address

    @staticmethod
    def connect(address: Address) -> Client:
        return WireClient(address["endpoint"])


def _worker() -> None:
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.ROUTER)
    socket.bind("tcp://127.0.0.1:*")
    say(endpoint=socket.getsockopt_string(zmq.LAST_ENDPOINT))
    serve(socket)


if __name__ == "__main__":
    end_with_parent()
    _worker()
