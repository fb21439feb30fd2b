"""The supervisor's connection to a broker, which is a bare ROUTER socket here."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgpack
import pytest
import zmq

from pyrolab.protocol.envelope import Envelope, Kind, pack, parse
from pyrolab.protocol.names import Location
from pyrolab.supervisor.events import Condition
from pyrolab.supervisor.watch import Watch

DEADLINE_S = 20.0
SESSION = 4711


class BareBroker:
    """Welcomes, answers pings, and shows what else it gets."""

    def __init__(self, port: int = 0) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._router = self._context.socket(zmq.ROUTER)
        self._router.setsockopt(zmq.LINGER, 0)
        self._router.bind(f"tcp://127.0.0.1:{port or '*'}")
        endpoint = self._router.getsockopt(zmq.LAST_ENDPOINT)
        assert isinstance(endpoint, bytes)
        self.location = Location("127.0.0.1", int(endpoint.rpartition(b":")[2]))
        self._peer = b""

    def next(self, *kinds: Kind) -> tuple[Envelope, Any]:
        """The next message of these kinds, and its body."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            assert self._router.poll(max(0, int(1000 * (deadline - time.monotonic())))), "waited too long"
            self._peer, header, *frames = self._router.recv_multipart()
            envelope = parse(header)
            if envelope.kind == Kind.HELLO:
                self.send(Kind.WELCOME, {"heartbeat_s": 0.1}, session=SESSION)
            elif envelope.kind == Kind.PING:
                self.send(Kind.PONG, session=SESSION, call=envelope.call)
            if envelope.kind in kinds:
                return envelope, msgpack.unpackb(frames[0]) if frames else None

    def send(self, kind: Kind, body: Any = None, **fields: Any) -> None:
        frames = [] if body is None else [msgpack.packb(body)]
        self._router.send_multipart([self._peer, pack(kind, **fields), *frames])

    def stop(self, number: int, reason: str) -> None:
        said = {"reason": reason, "user": "ana", "host": "bench-pc", "since": 1.0}
        self.send(Kind.STOP, said, session=SESSION, number=number)

    def close(self) -> None:
        self._context.destroy(linger=0)


@contextmanager
def bare_broker(port: int = 0) -> Iterator[BareBroker]:
    broker = BareBroker(port)
    try:
        yield broker
    finally:
        broker.close()


class Heard:
    """What a watch has heard."""

    def __init__(self) -> None:
        self._words: queue.SimpleQueue[str] = queue.SimpleQueue()

    def watch(self, location: Location) -> Watch:
        return Watch(
            location,
            "bench",
            on_stop=lambda reason: self._words.put(f"stop: {reason}"),
            on_reset=lambda: self._words.put("reset"),
        )

    def next(self) -> str:
        return self._words.get(timeout=DEADLINE_S)


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def broker() -> Iterator[BareBroker]:
    with bare_broker() as made:
        yield made


@pytest.fixture
def watch(broker: BareBroker, heard: Heard) -> Iterator[Watch]:
    made = heard.watch(broker.location)
    yield made
    made.close()


def test_it_says_what_it_is_and_pings(broker: BareBroker, watch: Watch) -> None:
    _, hello = broker.next(Kind.HELLO)
    assert (hello["role"], hello["name"]) == ("watch", "bench")
    assert {"host", "pid"} <= hello.keys()
    assert broker.next(Kind.PING)[0].session == SESSION


def test_stops_and_resets_are_heard_once(broker: BareBroker, watch: Watch, heard: Heard) -> None:
    broker.next(Kind.PING)
    broker.send(Kind.RESET, session=SESSION)  # as every newcomer may be told: there was no stop
    broker.stop(1, "fire")
    broker.stop(1, "fire")
    broker.send(Kind.RESET, session=SESSION)
    broker.stop(2, "water " * 100)
    assert [heard.next() for _ in range(3)] == ["stop: fire", "reset", f"stop: {('water ' * 100)[:200]}"]


@pytest.mark.parametrize("body", [None, [1, 2], {"reason": [], "since": {}}])
def test_a_stop_is_a_stop_whatever_it_says(
    broker: BareBroker, watch: Watch, heard: Heard, body: object
) -> None:
    broker.next(Kind.PING)
    broker._router.send_multipart([broker._peer, pack(Kind.STOP, session=SESSION), msgpack.packb(body)])
    assert heard.next().startswith("stop: ")


def test_reports_reach_the_broker(broker: BareBroker, watch: Watch) -> None:
    broker.next(Kind.HELLO)
    watch.report(17, "bench", Condition.HUNG, 5.5)
    envelope, body = broker.next(Kind.REPORT)
    assert envelope.session == SESSION
    assert body == {"pid": 17, "state": "hung", "for_s": 5.5, "name": "bench"}


def test_a_broker_that_is_reached_anew_is_told_of_all_that_live(heard: Heard) -> None:
    with bare_broker() as first:
        watch = heard.watch(first.location)
        watch.report(17, "stage", Condition.RESPONSIVE)
        watch.report(18, "camera", Condition.RESPONSIVE)
        for _ in range(2):
            first.next(Kind.REPORT)
        port = first.location.port
    watch.report(17, "stage", Condition.HUNG, 5.0)
    watch.report(18, "camera", Condition.ENDED)
    with bare_broker(port) as second:
        states = {body["pid"]: body["state"] for _, body in (second.next(Kind.REPORT) for _ in range(2))}
        assert states == {17: "hung", 18: "ended"}
        second.send(Kind.BYE, session=SESSION)
        second.next(Kind.HELLO)
        assert second.next(Kind.REPORT)[1]["pid"] == 17
        watch.report(17, "stage", Condition.ENDED)
        assert second.next(Kind.REPORT)[1]["state"] == "ended"
        watch.close()
        second.next(Kind.BYE)


def test_who_is_refused_tries_on(heard: Heard, caplog: pytest.LogCaptureFixture) -> None:
    with bare_broker() as broker:
        router: Callable[..., None] = broker.send
        refusals = iter([True, True, False])

        def answer(kind: Kind, body: Any = None, **fields: Any) -> None:
            if kind == Kind.WELCOME and next(refusals, False):
                router(Kind.REFUSED, {"code": "pool-full", "text": "no place", "limit": 1})
            else:
                router(kind, body, **fields)

        broker.send = answer  # type: ignore[method-assign]
        watch = heard.watch(broker.location)
        broker.next(Kind.PING)
        watch.close()
    assert [record.message for record in caplog.records].count("bench: no place; trying on") == 1
