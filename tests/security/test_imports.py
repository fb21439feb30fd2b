"""Nothing that a peer sends makes a process import a module: not a broker, not a worker, not a client.

A module that leaves a file behind when it is imported stands where all three would find it.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest

from live import Process, clean_environment
from pyrolab.api import Proxy
from pyrolab.protocol.envelope import Kind
from security.peers import Peer, call_body, object_id

CANARY = """
import pathlib

pathlib.Path(__file__).with_name("was imported").touch()

class Bird(Exception):
    one = 1
"""
NAMES = ("canary:Bird", "canary:Bird.one", "canary.sub:Bird", "canary:", "canary")


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A folder with the module; the file appears in it when it is imported."""
    (tmp_path / "canary.py").write_text(CANARY, encoding="utf-8")
    return tmp_path


@pytest.fixture
def broker(canary: Path) -> Iterator[Process]:
    """A broker that could import the canary, beside a worker that could."""
    env = {"PYTHONPATH": os.pathsep.join([str(canary), clean_environment()["PYTHONPATH"]])}
    with Process("-m", "processes.broker", "0", "{}", env=env) as broker:
        service = "services.witness:Witness=witness"
        with Process("-m", "processes.worker", f"localhost:{broker.ready}", service, env=env):
            yield broker


@pytest.fixture
def port(broker: Process) -> str:
    return broker.ready


def extension(code: int, payload: Any) -> msgpack.ExtType:
    return msgpack.ExtType(code, payload if isinstance(payload, bytes) else msgpack.packb(payload))


def values() -> Iterator[Any]:
    """Values that name the canary wherever a value can name anything."""
    for name in NAMES:
        yield extension(45, [name, {"one": 1}])  # a dataclass
        yield extension(46, [name, {"one": 1}])  # a namedtuple
        yield extension(47, [name, "one", 1])  # a member of an Enum
        yield extension(42, [name, {}])
        yield extension(43, [name, {}])
        yield extension(48, [name, [1], b"12345678"])
        yield extension(49, [name, b"12345678"])
        yield extension(50, [name])
        yield extension(51, [1.0, name])
        yield extension(11, name.encode())
        for code in (56, 57, 58, 59, 64, 127):
            yield extension(code, [name])


def exceptions() -> Iterator[dict[str, Any]]:
    """The same for what is raised."""
    for name in NAMES:
        yield {"type": name, "text": "", "args": ["x"], "bases": [name, "builtins:ValueError"]}
        yield {"type": "builtins:ValueError", "text": "", "args": [], "cause": {"type": name, "args": []}}
        yield {"type": "builtins:ExceptionGroup", "args": ["x"], "members": [{"type": name, "args": []}]}


def test_what_a_client_sends_imports_nothing(port: str, canary: Path) -> None:
    witness = object_id(port, "witness")
    with Peer(port, "client") as client:
        number = 0
        for value in values():
            body = msgpack.packb([["take"], "call", [value], {}])
            for target in (witness, b"Pyro.NameServer"):
                number += 1
                heard = client.ask(Kind.CALL, body, call=number, target=target)
                assert heard.kind in (Kind.RESULT, Kind.RAISED)
        for steps in (["canary"], ["__import__"], ["take", "__globals__", "canary"]):
            number += 1
            assert client.ask(Kind.CALL, call_body(*steps), call=number, target=witness).kind == Kind.RAISED
        question = call_body("loaded", args=("canary",))
        assert client.ask(Kind.CALL, question, call=number + 1, target=witness).body is False
    assert not (canary / "was imported").exists()


def test_what_a_worker_answers_imports_nothing(
    port: str, canary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(canary))
    method = {"doc": "", "parameters": [], "returns": "canary:Bird", "oneway": False, "readonly": False}
    interface = {"type": "canary:Bird", "doc": "", "methods": {"go": method}, "properties": {}}
    answers = [(Kind.RESULT, value) for value in values()] + [(Kind.RAISED, data) for data in exceptions()]
    with Peer(port, "worker") as worker, Proxy(f"PYRO:obj_bird@localhost:{port}") as bird:
        assert worker.ask(Kind.OFFER, interface, call=1, number=1, target=b"obj_bird").kind == Kind.RESULT
        answering = threading.Thread(target=_answer, args=(worker, answers))
        answering.start()
        for _ in answers:
            with contextlib.suppress(Exception):  # most of them are nonsense, and errors
                bird.go()
        answering.join()
    assert "canary" not in sys.modules
    assert not (canary / "was imported").exists()


def _answer(worker: Peer, answers: list[tuple[Kind, Any]]) -> None:
    for kind, value in answers:
        envelope, _ = worker.receive()
        worker.send(kind, msgpack.packb(value), session=envelope.session, call=envelope.call)


def test_the_canary_sings(canary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(canary))
    __import__("canary")
    monkeypatch.delitem(sys.modules, "canary")
    assert (canary / "was imported").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows which libraries a process has loaded")
def test_nobody_makes_the_broker_load_a_library(broker: Process) -> None:
    with Peer(broker.ready, "client") as client:
        for number, value in enumerate(values(), 1):
            body = msgpack.packb([["lookup"], "call", [value], {}])
            client.ask(Kind.CALL, body, call=number, target=b"Pyro.NameServer")
    maps = Path(f"/proc/{broker.pid}/maps").read_text(encoding="utf-8")
    assert "zmq" in maps
    assert not [name for name in ("numpy", "pandas", "pint") if f"/{name}/" in maps]
