"""A broker of a few lines, for tests of workers: it says what a test tells it to, and keeps what it hears."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

import msgpack
import zmq

from live import PATIENCE_S
from pyrolab.link.clock import clock_ms
from pyrolab.protocol import codec
from pyrolab.protocol.envelope import NO_DEADLINE, Envelope, Flag, Kind, pack, parse

CLIENT = 77
_POLL_MS = 2


class Heard(NamedTuple):
    """A message of a worker, and the role of the connection that it came through."""

    role: str
    envelope: Envelope
    frames: list[bytes]

    @property
    def value(self) -> Any:
        """What is in its body."""
        return codec.decode(self.frames[0], self.frames[1:])

    @property
    def code(self) -> str:
        """The code of a REFUSED."""
        return str(msgpack.unpackb(self.frames[0])["code"])


class StandInBroker:
    """Listens at `port`; `refuse_offers` is the body of a REFUSED, or None to take them."""

    def __init__(self) -> None:
        self._context = zmq.Context()
        self._router = self._context.socket(zmq.ROUTER)
        self._router.setsockopt(zmq.LINGER, 0)
        self.port = self._router.bind_to_random_port("tcp://127.0.0.1")
        self.refuse_offers: dict[str, Any] | None = None
        self.sessions: dict[str, int] = {}
        self._peers: dict[str, bytes] = {}
        self._roles: dict[bytes, str] = {}
        self._stamps: dict[str, tuple[int, int]] = {}
        self._newest = self._calls = 0
        self._heard: list[Heard] = []
        self._news = threading.Condition()
        self._outgoing: deque[tuple[bytes, list[Any]]] = deque()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self) -> StandInBroker:
        return self

    def __exit__(self, *reason: object) -> None:
        self._ending.set()
        self._thread.join(PATIENCE_S)
        self._router.close(0)
        self._context.term()

    @property
    def location(self) -> str:
        return f"localhost:{self.port}"

    # -- what tests say ------------------------------------------------------------------------------

    def send(self, role: str, kind: int, frames: list[Any] | None = None, **fields: Any) -> None:
        """Send a message to the newest connection of this role."""
        frames = frames or []
        header = pack(kind, buffers=max(len(frames) - 1, 0), **fields)
        self._outgoing.append((self._peers[role], [header, *frames]))

    def call(
        self,
        target: str,
        steps: list[Any],
        *args: Any,
        verb: str = "call",
        role: str = "worker",
        flags: int = Flag.NONE,
        token: int = 0,
        age_ms: int = 0,
        number: int = 0,
        session: int = CLIENT,
    ) -> int:
        """Have a call carried out; returns its number."""
        if not number:
            self._calls += 1
            number = self._calls
        body, buffers = codec.encode_call(steps, args, {}, verb)
        stamp = clock_ms() - age_ms  # the worker is in this very process
        fields = {"flags": flags, "session": session, "call": number, "stamp": stamp, "token": token}
        self.send(role, Kind.CALL, [body, *buffers], target=target.encode(), **fields)
        return number

    def urgent(self, target: str, steps: list[Any], *args: Any, verb: str = "call", flags: int = 0) -> int:
        """Have an urgent call carried out, over the line."""
        return self.call(target, steps, *args, verb=verb, role="line", flags=flags | Flag.URGENT)

    def ask(self, target: str, steps: list[Any], *args: Any, **how: Any) -> Heard:
        """Have a call carried out, and wait for its answer."""
        return self.answer(self.call(target, steps, *args, **how))

    def stop(self, number: int = 1, since: float = 1000.0, role: str = "line") -> None:
        body = {"reason": "smoke", "user": "ana", "host": "desk", "since": since}
        self.send(role, Kind.STOP, [msgpack.packb(body)], number=number)

    def reset(self, target: str, number: int = 0) -> None:
        """End the emergency; returns when the worker of `target` has heard that."""
        self.send("line", Kind.RESET, number=number)
        self.answer(self.urgent(target, [], 0, 0, verb="status", flags=Flag.READ))

    # -- what tests hear -----------------------------------------------------------------------------

    def wait_for(self, fits: Callable[[Heard], bool]) -> Heard:
        """The first message that fits, taken out."""
        until = time.monotonic() + PATIENCE_S
        with self._news:
            while True:
                for heard in self._heard:
                    if fits(heard):
                        self._heard.remove(heard)
                        return heard
                if not self._news.wait(until - time.monotonic()):
                    raise AssertionError(f"nothing of this kind came; there is {self._heard}")

    def hear(self, kind: int, role: str | None = None) -> Heard:
        return self.wait_for(lambda heard: heard.envelope.kind == kind and role in (None, heard.role))

    def answer(self, number: int) -> Heard:
        kinds = (Kind.RESULT, Kind.RAISED, Kind.REFUSED)
        return self.wait_for(lambda heard: heard.envelope.kind in kinds and heard.envelope.call == number)

    def hello(self, role: str) -> dict[str, Any]:
        """What the next connection of this role says of itself."""
        said: dict[str, Any] = msgpack.unpackb(self.hear(Kind.HELLO, role).frames[0])
        return said

    def stopped(self, target: str) -> dict[str, Any]:
        """The next word of a service on what a stop did."""
        wanted = target.encode()
        heard = self.wait_for(
            lambda each: each.envelope.kind == Kind.STOPPED and each.envelope.target == wanted
        )
        said: dict[str, Any] = msgpack.unpackb(heard.frames[0])
        return said

    def has_heard(self, kind: int) -> bool:
        with self._news:
            return any(heard.envelope.kind == kind for heard in self._heard)

    # -- its thread ----------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._ending.is_set():
            while self._outgoing:
                peer, frames = self._outgoing.popleft()
                self._router.send_multipart([peer, *frames])
            if self._router.poll(_POLL_MS):
                peer, header, *frames = self._router.recv_multipart()
                self._see_to(peer, parse(header), frames)

    def _see_to(self, peer: bytes, envelope: Envelope, frames: list[bytes]) -> None:
        if envelope.kind == Kind.HELLO:
            self._welcome(peer, envelope, frames)
        elif envelope.kind == Kind.PING:
            self._reply(peer, Kind.PONG, envelope)
            return
        elif envelope.kind == Kind.OFFER and self.refuse_offers is not None:
            self._reply(peer, Kind.REFUSED, envelope, msgpack.packb(self.refuse_offers))
        elif envelope.kind == Kind.OFFER:
            self._reply(peer, Kind.RESULT, envelope, msgpack.packb(None))
        elif envelope.kind == Kind.BYE:
            self._reply(peer, Kind.BYE, envelope)
        with self._news:
            self._heard.append(Heard(self._roles.get(peer, ""), envelope, frames))
            self._news.notify_all()

    def _welcome(self, peer: bytes, envelope: Envelope, frames: list[bytes]) -> None:
        role = msgpack.unpackb(frames[0])["role"]
        self._newest += 1
        self.sessions[role] = self._newest
        self._peers[role], self._roles[peer] = peer, role
        self._reply(peer, Kind.WELCOME, envelope, msgpack.packb({"heartbeat_s": 0.2, "silence_s": 30.0}))

    def _reply(self, peer: bytes, kind: int, envelope: Envelope, *frames: bytes) -> None:
        session = self.sessions.get(self._roles.get(peer, ""), 0)
        header = pack(kind, session=session, call=envelope.call, stamp=1, budget_ms=NO_DEADLINE)
        self._router.send_multipart([peer, header, *frames])
