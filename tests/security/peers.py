"""Peers that speak ZeroMQ properly and say whatever a test wants, and honest clients beside them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import msgpack
import zmq

from live import PATIENCE_S, Process
from pyrolab.api import Proxy
from pyrolab.protocol import codec
from pyrolab.protocol.envelope import Envelope, Kind, pack, parse

#: What the tests of this folder allow a broker to grow by, whatever it is sent.
GROWTH_BYTES = 48 << 20


class Heard(NamedTuple):
    """A message that a peer got: its kind and call number, and its body as plain msgpack."""

    kind: int
    call: int
    body: Any

    @property
    def code(self) -> str:
        return str(self.body["code"]) if self.kind == Kind.REFUSED else f"not refused: {self}"


class Peer:
    """A DEALER at a broker; with a `role` it has said HELLO, and `about` in it."""

    def __init__(self, port: str | int, role: str | None = None, **about: Any) -> None:
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.SNDTIMEO, int(PATIENCE_S * 1000))
        self._socket.connect(f"tcp://127.0.0.1:{port}")
        self.session = 0
        #: The broker's clock as last heard.
        self.stamp = 0
        if role is not None:
            self.send(Kind.HELLO, {"role": role, **about}, stamp=1)
            envelope, _ = self.receive()
            assert envelope.kind == Kind.WELCOME, envelope
            self.session = envelope.session

    def send(self, kind: int, body: Any = None, *buffers: bytes, **fields: Any) -> None:
        """A message; `body` is bytes as they are, or a value."""
        frames = [] if body is None else [body if isinstance(body, bytes) else msgpack.packb(body), *buffers]
        fields = {"session": self.session, "buffers": len(buffers)} | fields
        if kind == Kind.CALL:
            fields.setdefault("stamp", self.stamp)
        self.send_frames(pack(kind, **fields), *frames)

    def send_frames(self, *frames: bytes) -> None:
        self._socket.send_multipart(frames)

    def poll(self, patience_s: float) -> bool:
        """Whether a message comes in time."""
        return bool(self._socket.poll(int(patience_s * 1000)))

    def receive_frames(self) -> list[bytes]:
        """The next message as it is. Raises `TimeoutError` if none comes."""
        if not self.poll(PATIENCE_S):
            raise TimeoutError("no message came")
        return self._socket.recv_multipart()

    def receive(self, patience_s: float = PATIENCE_S) -> tuple[Envelope, list[bytes]]:
        """The next message but signs of life and the news of callers. Raises `TimeoutError` if none comes."""
        while self._socket.poll(int(patience_s * 1000)):
            header, *frames = self._socket.recv_multipart()
            envelope = parse(header)
            self.stamp = envelope.stamp
            if envelope.kind not in (Kind.PONG, Kind.BEGUN):
                return envelope, frames
        raise TimeoutError("no message came")

    def hear(self) -> Heard:
        envelope, frames = self.receive()
        body = msgpack.unpackb(frames[0], strict_map_key=False) if frames else None
        return Heard(envelope.kind, envelope.call, body)

    def ask(self, kind: int, body: Any = None, *buffers: bytes, **fields: Any) -> Heard:
        """Send, and hear the next message."""
        self.send(kind, body, *buffers, **fields)
        return self.hear()

    def hears_nothing(self) -> bool:
        """Whether nothing came before the answer to a question that only the broker answers."""
        self._socket.send_multipart([pack(Kind.PING, session=self.session)])
        if not self._socket.poll(int(PATIENCE_S * 1000)):
            raise TimeoutError("the broker does not answer a PING")
        return parse(self._socket.recv_multipart()[0]).kind == Kind.PONG

    def close(self) -> None:
        self._socket.close()
        self._context.term()

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *reason: object) -> None:
        self.close()


def object_id(port: str | int, name: str) -> bytes:
    """The id of the object behind a name."""
    with Peer(port, "client") as peer:
        peer.send(Kind.DESCRIBE, call=1, target=f"PYRONAME:{name}".encode())
        return peer.receive()[0].target


def call_body(*steps: Any, args: tuple[Any, ...] = (), verb: str = "call") -> bytes:
    return codec.encode_call(list(steps), args, {}, verb)[0]


class HonestClient:
    """Calls a service again and again in a thread; every answer must be right."""

    def __init__(self, port: str | int) -> None:
        self._uri = f"PYRONAME:bench@localhost:{port}"
        self._ending = threading.Event()
        self.calls = 0
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._work)

    def _work(self) -> None:
        try:
            with Proxy(self._uri) as bench:
                while not self._ending.is_set():
                    assert bench.echo([self.calls, "µm", b"\0"]) == [self.calls, "µm", b"\0"]
                    self.calls += 1
        except BaseException as error:
            self.error = error

    def check(self) -> None:
        """Return when a few more calls have been answered. Fails if any went wrong."""
        wanted = self.calls + 5
        end = time.monotonic() + PATIENCE_S
        while self.calls < wanted and self.error is None:
            assert time.monotonic() < end, "an honest client is no longer served"
            time.sleep(0.005)
        assert self.error is None, repr(self.error)

    def __enter__(self) -> HonestClient:
        self._thread.start()
        return self

    def __exit__(self, *reason: object) -> None:
        self._ending.set()
        self._thread.join(PATIENCE_S)


@contextmanager
def undisturbed(broker: Process, growth_bytes: int = GROWTH_BYTES) -> Iterator[HonestClient]:
    """Whatever happens inside: an honest client notices nothing, and the broker hardly grows."""
    with HonestClient(broker.ready) as honest:
        honest.check()
        before = broker.memory_bytes()
        yield honest
        honest.check()
        assert broker.popen.poll() is None
        assert broker.memory_bytes() - before < growth_bytes
