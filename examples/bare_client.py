"""Call a service without PyroLab: `python bare_client.py HOST:PORT NAME METHOD [ARGUMENT ...]`.

It needs pyzmq and msgpack only, and is a pattern for other languages; docs/protocol.md explains it.
Arguments are JSON, or else text: `python bare_client.py localhost:9090 library add_book "The Hobbit" 3`.
"""

import json
import struct
import sys
from typing import Any

import msgpack
import zmq

HEADER = struct.Struct(">4sBBBBQQQIIQ")
HELLO, WELCOME, BYE, REFUSED, CALL, RESULT, RAISED = 1, 2, 3, 6, 32, 33, 34
OPTIONS = {zmq.IMMEDIATE: 1, zmq.RECONNECT_IVL: -1, zmq.LINGER: 200, zmq.SNDTIMEO: 5000, zmq.RCVTIMEO: 60_000}


class Bus:
    """A session with the broker at `host:port`."""

    def __init__(self, address: str) -> None:
        self.socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
        for option, value in OPTIONS.items():
            self.socket.setsockopt(option, value)
        self.socket.connect(f"tcp://{address}")
        self.session = self.number = self.stamp = 0
        self.session, _ = self.request(HELLO, "", {"role": "client"})

    def call(self, target: str, method: str, *args: Any) -> Any:
        return self.request(CALL, target, [[method], "call", list(args), {}])[1]

    def request(self, kind: int, target: str, body: Any) -> tuple[int, Any]:
        self.number += 1
        self.send(kind, target, msgpack.packb(body))
        while True:
            header, *frames = self.socket.recv_multipart()
            _, _, kind, _, _, session, number, self.stamp, *_ = HEADER.unpack_from(header)
            if kind in (WELCOME, RESULT, RAISED, REFUSED) and number in (self.number, 0):
                value = msgpack.unpackb(frames[0], strict_map_key=False)
                if kind in (RAISED, REFUSED):
                    sys.exit(f"{value.get('type') or value['code']}: {value['text']}")
                return session, value

    def send(self, kind: int, target: str = "", *body: bytes) -> None:
        head = (b"PYRL", 1, kind, 0, 0, self.session, self.number, self.stamp, 0xFFFFFFFF, 0, 0)
        header = HEADER.pack(*head)  # the stamp is the broker's clock as last heard: late calls are refused
        self.socket.send_multipart([header + target.encode(), *body])


def plain(argument: str) -> Any:
    try:
        return json.loads(argument)
    except ValueError:
        return argument


if __name__ == "__main__":
    address, name, method, *arguments = sys.argv[1:]
    bus = Bus(address)
    uri = bus.call("Pyro.NameServer", "lookup", name)  # PYRO:object or PYRO:object@host:port
    print(bus.call(uri.removeprefix("PYRO:").partition("@")[0], method, *map(plain, arguments)))
    bus.send(BYE)
