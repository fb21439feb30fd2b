"""Whoever answers at the broker's port may be no broker: clients and workers get an error, and never hang."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import msgpack
import pytest
import zmq

from live import PATIENCE_S
from pyrolab.api import Daemon, Proxy
from pyrolab.errors import GarbledAnswer, OutcomeUnknown, ProtocolError, VersionMismatch
from pyrolab.protocol import codec
from pyrolab.protocol.envelope import Envelope, Kind, pack, parse
from pyrolab.protocol.interface import Interface, Method, Parameter, Property

#: What a script answers: the frames of a message, or None for nothing.
Answer = list[bytes] | None
Script = Callable[[Envelope, list[bytes]], Answer]
Maker: TypeAlias = "Callable[[Script], Impostor]"

GARBAGE: dict[str, list[bytes]] = {
    "an empty frame": [b""],
    "random bytes": [b"\x8f\x02\xe9" * 30],
    "http": [b"HTTP/1.1 400 Bad Request\r\n\r\n"],
    "a header cut short": [pack(Kind.RESULT, call=1)[:-1], b"\xc0"],
    "too few frames": [pack(Kind.RESULT, call=1)],
    "too many frames": [pack(Kind.RESULT, call=1), b"\xc0", b"\xc0"],
    "a target without end": [pack(Kind.PONG) + b"x" * 10_000],
}


class Impostor:
    """A ROUTER that answers as a script says; `hellos` counts those who came."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._context = zmq.Context()
        self._router = self._context.socket(zmq.ROUTER)
        self._router.setsockopt(zmq.LINGER, 0)
        self.port = self._router.bind_to_random_port("tcp://127.0.0.1")
        self._ending = threading.Event()
        self.hellos = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def _work(self) -> None:
        while not self._ending.is_set():
            if self._router.poll(50):
                peer, header, *frames = self._router.recv_multipart()
                envelope = parse(header)
                answer = self._script(envelope, frames)
                if answer is not None:
                    self._router.send_multipart([peer, *answer])
                if envelope.kind == Kind.HELLO:
                    self.hellos.release()

    def close(self) -> None:
        self._ending.set()
        self._thread.join(PATIENCE_S)
        self._router.close()
        self._context.term()


@pytest.fixture
def impostor() -> Iterator[Maker]:
    """Makes impostors, and ends them."""
    made: list[Impostor] = []

    def make(script: Script) -> Impostor:
        made.append(Impostor(script))
        return made[-1]

    yield make
    for each in made:
        each.close()


WELCOME = msgpack.packb({"broker": "x", "version": 1, "heartbeat_s": 0.2, "limits": {}})
INTERFACE = codec.encode(
    Interface(
        "x:X",
        "",
        {
            "move": Method("", (Parameter("mm", "POSITIONAL_OR_KEYWORD"),)),
            "where": Method("", (), readonly=True),
        },
        {"speed": Property("", "rw")},
    ).to_data()
)[0]


def like_a_broker(envelope: Envelope, frames: list[bytes]) -> Answer:
    """What every script does until it matters."""
    match envelope.kind:
        case Kind.HELLO:
            return [pack(Kind.WELCOME, session=7), WELCOME]
        case Kind.DESCRIBE:
            return [pack(Kind.RESULT, session=7, call=envelope.call, target=b"obj"), INTERFACE]
        case Kind.PING:
            return [pack(Kind.PONG, session=7)]
    return None


def answering(kind: Kind, answer: list[bytes]) -> Script:
    """Like a broker, but with this answer to one kind; a header of a call gets the call's number."""

    def script(envelope: Envelope, frames: list[bytes]) -> Answer:
        return answer if envelope.kind == kind else like_a_broker(envelope, frames)

    return script


def proxy_at(impostor: Impostor) -> Any:
    return Proxy(f"PYRO:obj@127.0.0.1:{impostor.port}")


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_instead_of_a_welcome(impostor: Maker, name: str) -> None:
    with proxy_at(impostor(answering(Kind.HELLO, GARBAGE[name]))) as proxy:
        with pytest.raises(ProtocolError):
            proxy._pyroBind()
        assert not proxy._pyroConnected


def test_a_broker_of_another_version(impostor: Maker) -> None:
    refusal = msgpack.packb({"code": "version", "text": "upgrade", "theirs": 1, "ours": 9})
    answer = [b"PYRL\x09" + pack(Kind.REFUSED)[5:], refusal]
    with proxy_at(impostor(answering(Kind.HELLO, answer))) as proxy:
        with pytest.raises(VersionMismatch, match="version 9") as caught:
            proxy._pyroBind()
        assert (caught.value.__dict__["theirs"], caught.value.__dict__["ours"]) == (9, 1)


@pytest.mark.parametrize(
    "answer",
    [
        [pack(Kind.PONG)],
        [pack(Kind.CALL), b"\x80"],
        [pack(Kind.WELCOME, session=7), b""],
        [pack(Kind.WELCOME, session=7), b"\x90"],
        [pack(Kind.WELCOME, session=7), b"\x91" * 2000],
        [pack(Kind.WELCOME, session=7), b"\xdf\xff\xff\xff\xff"],
        [pack(Kind.REFUSED), b"\x80"],
        [pack(Kind.REFUSED), b"\x82\xa4code\x07\xa4text\x07"],
        [pack(Kind.REFUSED), b"\xc1"],
    ],
)
def test_something_else_instead_of_a_welcome(impostor: Maker, answer: list[bytes]) -> None:
    with proxy_at(impostor(answering(Kind.HELLO, answer))) as proxy, pytest.raises(ProtocolError):
        proxy._pyroBind()


@pytest.mark.parametrize("heartbeat", [0, -1.0, float("nan"), float("inf"), 1e300, "soon", None, [1]])
def test_a_heartbeat_of_nonsense_is_passed_by(impostor: Maker, heartbeat: object) -> None:
    welcome = [pack(Kind.WELCOME, session=7), msgpack.packb({"heartbeat_s": heartbeat})]
    with proxy_at(impostor(answering(Kind.HELLO, welcome))) as proxy:
        assert proxy._pyroBind()
        assert proxy._attachment.connection._link.heartbeat_s == 2.0


@pytest.mark.parametrize(
    "fields", [{"self": 1, "message": 2}, {"args": [], "__class__": 1}, {b"limit": 1}, {"a b": 1}]
)
def test_odd_fields_of_a_refusal_are_passed_by(impostor: Maker, fields: dict[Any, Any]) -> None:
    said = {"code": "pool-full", "text": "no room", "limit": 3} | fields
    answer = [pack(Kind.REFUSED), msgpack.packb(said)]
    with proxy_at(impostor(answering(Kind.HELLO, answer))) as proxy:
        with pytest.raises(ConnectionError, match="no room") as caught:
            proxy._pyroBind()
        assert caught.value.__dict__["limit"] == 3
        assert caught.value.args == ("no room",)


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_instead_of_an_interface(impostor: Maker, name: str) -> None:
    with proxy_at(impostor(answering(Kind.DESCRIBE, GARBAGE[name]))) as proxy:
        with pytest.raises(ProtocolError):
            proxy._pyroBind()
        assert not proxy._pyroConnected


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_instead_of_an_answer(impostor: Maker, name: str) -> None:
    with proxy_at(impostor(answering(Kind.CALL, GARBAGE[name]))) as proxy:
        with pytest.raises(ProtocolError) as caught:
            proxy.move(5)
        assert type(caught.value) is GarbledAnswer
        assert isinstance(caught.value, OutcomeUnknown), "nobody knows whether it moved"
        assert not proxy._pyroConnected
        with pytest.raises(ProtocolError) as caught:
            proxy.where()
        assert not isinstance(caught.value, OutcomeUnknown), "a read changes nothing"


@pytest.mark.parametrize(
    "body", [b"", b"\xc1", b"\x91" * 5000, b"\xc7\x09\x30\x93\xa3<u2\x92\x40\x40\x00", b"\xd4\x7f\x00"]
)
def test_an_answer_with_a_body_of_nonsense(impostor: Maker, body: bytes) -> None:
    def script(envelope: Envelope, frames: list[bytes]) -> Answer:
        if envelope.kind == Kind.CALL:
            return [pack(Kind.RESULT, session=7, call=envelope.call), body]
        return like_a_broker(envelope, frames)

    with proxy_at(impostor(script)) as proxy:
        for _ in range(2):
            with pytest.raises(ProtocolError):
                proxy.move(5)


def test_answers_to_calls_that_nobody_made_are_passed_by(impostor: Maker) -> None:
    def script(envelope: Envelope, frames: list[bytes]) -> Answer:
        if envelope.kind == Kind.PING:
            return [pack(Kind.RESULT, session=99, call=12345), b"\xc1"]
        return like_a_broker(envelope, frames)

    with proxy_at(impostor(script)) as proxy:
        proxy._pyroTimeout = 1.0
        with pytest.raises(TimeoutError):
            proxy.move(5)
        assert proxy._attachment.connection._calls.orphans > 0


def test_the_most_absurd_clock_of_a_broker_disturbs_no_call(impostor: Maker) -> None:
    stamps: list[int] = []

    def script(envelope: Envelope, frames: list[bytes]) -> Answer:
        if envelope.kind == Kind.CALL:
            stamps.append(envelope.stamp)
            return [pack(Kind.RESULT, session=7, call=envelope.call, stamp=2**64 - 1), b"\xc0"]
        return like_a_broker(envelope, frames)

    with proxy_at(impostor(script)) as proxy:
        for _ in range(3):
            assert proxy.move(5) is None
    assert stamps[-1] == 2**64 - 1


def test_kinds_of_a_later_time_are_passed_by(impostor: Maker) -> None:
    later = [pack(77, call=1), b"a body", b"and more"]

    def script(envelope: Envelope, frames: list[bytes]) -> Answer:
        if envelope.kind == Kind.CALL and envelope.call % 2 == 0:
            return later
        if envelope.kind in (Kind.CALL, Kind.CANCEL):
            return [pack(Kind.RESULT, session=7, call=envelope.call), b"\xc0"]
        return like_a_broker(envelope, frames)

    with proxy_at(impostor(script)) as proxy:
        proxy._pyroTimeout = 0.2
        with pytest.raises(TimeoutError):  # number 2 is answered with what means nothing yet
            proxy.move(5)
        assert proxy.move(5) is None
        assert proxy._pyroConnected


def test_a_connection_that_breaks_gives_every_thread_its_error(
    impostor: Maker,
) -> None:
    calls: list[int] = []

    def script(envelope: Envelope, frames: list[bytes]) -> Answer:
        if envelope.kind == Kind.CALL:
            calls.append(envelope.call)
            return [b"garbage"] if len(calls) == 5 else None
        return like_a_broker(envelope, frames)

    errors: list[BaseException] = []

    def move() -> None:
        try:
            proxy.move(5)
        except BaseException as error:
            errors.append(error)

    with proxy_at(impostor(script)) as proxy:
        proxy._pyroBind()
        threads = [threading.Thread(target=move) for _ in range(5)]
        for each in threads:
            each.start()
        for each in threads:
            each.join(PATIENCE_S)
    assert [type(each) for each in errors] == [GarbledAnswer] * 5


@pytest.mark.parametrize("name", GARBAGE)
def test_a_daemon_turns_from_garbage_and_tries_again(impostor: Maker, name: str) -> None:
    first = threading.Event()

    def script(envelope: Envelope, frames: list[bytes]) -> Answer:
        if envelope.kind == Kind.OFFER and not first.is_set():
            first.set()
            return GARBAGE[name]
        if envelope.kind == Kind.OFFER:
            return [pack(Kind.RESULT, session=7, call=envelope.call), b"\xc0"]
        return like_a_broker(envelope, frames)

    broker = impostor(script)
    with Daemon(nameserver=f"127.0.0.1:{broker.port}") as daemon:
        daemon.register(Switch, "obj")
        for _ in range(2):
            assert broker.hellos.acquire(timeout=PATIENCE_S)


class Switch:
    """Something to host."""
