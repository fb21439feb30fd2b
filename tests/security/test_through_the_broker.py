"""What a client sends to a service: only what its interface lists is reached, and nonsense does no harm."""

from __future__ import annotations

import threading
from typing import Any

import msgpack
import numpy as np
import pytest

from live import Process
from pyrolab.api import Proxy
from pyrolab.protocol import codec
from pyrolab.protocol.envelope import Kind
from pyrolab.protocol.names import new_object_id
from security.peers import HonestClient, Peer, call_body, object_id

DEEP = b"\x91" * 5000 + b"\xc0"


def call_with(argument: bytes) -> bytes:
    """A call to `take` with one argument, packed by hand."""
    return b"\x94\x91\xa4take\xa4call\x91" + argument + b"\x80"


def extension(code: int, payload: Any) -> bytes:
    packed = payload if isinstance(payload, bytes) else msgpack.packb(payload)
    return bytes(msgpack.packb(msgpack.ExtType(code, packed)))


BAD_BODIES: dict[str, bytes] = {
    "nothing": b"",
    "no msgpack": b"\xc1",
    "cut short": call_body("count")[:-1],
    "no call": b"\xc0",
    "a map": b"\x80",
    "a name of no letters": call_body(""),
    "three parts": b"\x93\x91\xa5count\xa4call\x90",
    "too deep": call_with(DEEP),
    "too deep in tuples": call_with(b"\xc7\xff\x20" * 100),
    "too long by its own words": call_with(b"\xdd\xff\xff\xff\xff"),
    "too many elements": call_with(b"\xdd\x00\x20\x00\x00" + b"\xc0" * (1 << 21)),
    "bad text": call_with(b"\xa2\xff\xfe"),
    "an unknown extension": call_with(extension(127, b"x")),
    "msgpack's own timestamp": call_with(b"\xc7\x0c\xff" + b"\xff" * 12),
    "a buffer that is not there": call_with(extension(48, ["<u2", [64, 64], 0])),
    "an array of objects": call_with(extension(48, ["|O", [1], bytes(8)])),
    "an array of the wrong size": call_with(extension(48, ["<f8", [3], bytes(8)])),
    "an endless array": call_with(extension(48, ["<f8", [2**62, 2**62], b""])),
    "a negative array": call_with(extension(48, ["<f8", [-1], b""])),
    "too many dimensions": call_with(extension(48, ["<f8", [1] * 70, bytes(8)])),
    "a dtype to evaluate": call_with(extension(48, ["__import__('os').system('true')", [1], bytes(8)])),
    "an array as a key": b"\x94\x91\xa4take\xa4call\x90\x81\x91\x01\x02",
    "a number as a keyword": b"\x94\x91\xa4take\xa4call\x90\x81\x01\x02",
    "a zone outside": call_with(extension(11, b"../../../../etc/passwd")),
    "an endless fraction": call_with(extension(40, [1, 0])),
}

#: Members that no interface lists, and ways to reach one through another.
UNLISTED: list[tuple[list[Any], str]] = [
    *(([name], "call") for name in ("__class__", "__init__", "__dict__", "_secret", "_count", "nothing")),
    *(([name], "get") for name in ("__class__", "__init__", "__dict__", "_secret", "_count", "nothing")),
    (["count", "__func__"], "call"),
    (["count", "__globals__"], "get"),
    (["count", ["__globals__"]], "get"),
    (["__class__", "__mro__", [1], "__subclasses__"], "call"),
    ([["count"]], "call"),
    (["count"], "get"),
    (["count"], "set"),
    (["count"], "del"),
    (["__class__"], "set"),
    ([], "call"),
]


@pytest.fixture
def port(attacked: Process, honest: HonestClient) -> str:
    return attacked.ready


@pytest.mark.parametrize("name", BAD_BODIES)
def test_a_bad_call_is_answered_and_the_next_is_served(port: str, name: str) -> None:
    witness = object_id(port, "witness")
    with Peer(port, "client") as client:
        before = client.ask(Kind.CALL, call_body("count"), call=1, target=witness).body
        heard = client.ask(Kind.CALL, BAD_BODIES[name], call=2, target=witness)
        assert heard.kind == Kind.RAISED, heard
        assert heard.body["type"] in ("pyrolab.errors:ProtocolError", "builtins:TypeError")
        after = client.ask(Kind.CALL, call_body("count"), call=3, target=witness)
        assert after == (Kind.RESULT, 3, before + 1)


def test_buffers_that_nothing_uses_are_answered(port: str) -> None:
    witness = object_id(port, "witness")
    with Peer(port, "client") as client:
        for number, buffers in enumerate(([b""], [b"x" * 5000] * 255), 1):
            heard = client.ask(Kind.CALL, call_body("count"), *buffers, call=number, target=witness)
            assert (heard.kind, heard.body["type"]) == (Kind.RAISED, "pyrolab.errors:ProtocolError")
        body, parts = codec.encode_call(["take"], (np.zeros(5000), np.ones(6000)), {})
        heard = client.ask(Kind.CALL, body, *map(bytes, parts), call=3, target=witness)
        assert heard == (Kind.RESULT, 3, "ndarray, ndarray")
        wrong = [bytes(each)[:-1] for each in parts]
        assert client.ask(Kind.CALL, body, *wrong, call=4, target=witness).kind == Kind.RAISED


@pytest.mark.parametrize(("steps", "verb"), UNLISTED)
def test_only_what_the_interface_lists_is_reached(port: str, steps: list[Any], verb: str) -> None:
    witness = object_id(port, "witness")
    body = codec.encode_call(steps, (1,) if verb == "set" else (), {}, verb)[0]
    with Peer(port, "client") as client:
        heard = client.ask(Kind.CALL, body, call=1, target=witness)
        assert (heard.kind, heard.body["type"]) == (Kind.RAISED, "builtins:AttributeError"), heard
        assert client.ask(Kind.CALL, call_body("count"), call=2, target=witness).kind == Kind.RESULT


def test_a_service_lists_nothing_private(port: str) -> None:
    with Proxy(f"PYRONAME:witness@localhost:{port}") as witness:
        names = witness._pyroInterface.names()
    assert "count" in names
    assert not [name for name in names if name.startswith("_")]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        *((kind, body) for kind in (Kind.RESULT, Kind.RAISED, Kind.REFUSED) for body in (b"", b"\xc1", DEEP)),
        *((Kind.RAISED, body) for body in (b"\x07", b"\x80", b"\x81\xa4type\x91\x01", b"\x81\xa4type\xa0")),
        *((Kind.REFUSED, body) for body in (b"\x07", b"\x80", b"\x81\xa4code\x91\x01", b"\x81\xc4\x01x\x01")),
    ],
)
def test_a_worker_that_answers_nonsense_gives_its_client_an_error(port: str, kind: Kind, body: bytes) -> None:
    target = new_object_id()
    interface = {"type": "x:X", "doc": "", "methods": {"go": _method()}, "properties": {}}
    with Peer(port, "worker") as worker, Proxy(f"PYRO:{target}@localhost:{port}") as liar:
        assert worker.ask(Kind.OFFER, interface, call=1, number=1, target=target.encode()).kind == Kind.RESULT
        go = liar.go
        _answer_next_call(worker, kind, body)
        with pytest.raises(ConnectionError):
            go()
        assert liar._pyroConnected


def _method() -> dict[str, Any]:
    return {"doc": "", "parameters": [], "returns": "", "oneway": False, "readonly": False}


def _answer_next_call(worker: Peer, kind: Kind, body: bytes) -> None:
    """From a thread of its own, because the test waits for the answer."""

    def answer() -> None:
        envelope, _ = worker.receive()
        worker.send(kind, body, session=envelope.session, call=envelope.call)

    threading.Thread(target=answer, daemon=True).start()


@pytest.mark.parametrize(
    "interface",
    [
        b"",
        b"\xc1",
        DEEP,
        b"\x80",
        b"\xc0",
        msgpack.packb({"type": 1, "doc": 2, "methods": [], "properties": 7}),
    ],
)
def test_a_worker_that_describes_nonsense_gives_its_client_an_error(port: str, interface: bytes) -> None:
    target = new_object_id()
    with Peer(port, "worker") as worker, Proxy(f"PYRO:{target}@localhost:{port}") as odd:
        assert worker.ask(Kind.OFFER, interface, call=1, number=1, target=target.encode()).kind == Kind.RESULT
        with pytest.raises(ConnectionError):
            odd._pyroBind()


def test_an_answer_with_the_wrong_frames_ends_the_call(port: str) -> None:
    target = new_object_id().encode()
    with Peer(port, "worker") as worker, Peer(port, "client") as client:
        assert worker.ask(Kind.OFFER, b"\x80", call=1, number=1, target=target).kind == Kind.RESULT
        client.send(Kind.CALL, call_body("go"), call=1, target=target)
        envelope, _ = worker.receive()
        worker.send(Kind.RESULT, 1, session=envelope.session, call=1, buffers=7)
        assert worker.hear().code == "protocol"
        heard = client.hear()
        assert (heard.code, heard.call) == ("unknown-outcome", 1)
