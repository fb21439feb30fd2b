"""Peers come and go."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest

from core_table import Sent, Table
from pyrolab.protocol.envelope import Envelope, Kind, pack
from pyrolab_broker.core.events import Received, Send, Stopping


def test_a_client_past_the_limit_is_refused_with_numbers_and_gets_in_when_one_leaves() -> None:
    table = Table(max_clients=2)
    table.join("ana", "ben")
    hello = {"role": "client"}
    actions = table.raw(Received(b"cleo", pack(Kind.HELLO), [msgpack.packb(hello)]))
    refusal = msgpack.unpackb(next(a for a in actions if isinstance(a, Send)).frames[1])
    assert (refusal["code"], refusal["limit"], refusal["current"]) == ("pool-full", 2, 2)
    assert "2" in refusal["text"]
    table.message("ana", Kind.BYE)
    assert table.message("cleo", Kind.HELLO, hello) == [Sent("cleo", Kind.WELCOME)]


def test_workers_take_no_place_of_clients() -> None:
    table = Table(max_clients=1)
    table.join("ana")
    table.join("one", "two", role="worker")
    assert len(table.core.state.workers) == 2


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc1",
        msgpack.packb(7),
        msgpack.packb({}),
        msgpack.packb({"role": "king"}),
        b"x" * 5000,
        b"\x81\xa4role" + b"\x91" * 1005 + b"\xc0",  # as deep as msgpack takes it: too deep for its own repr
    ],
)
def test_a_bad_hello_is_refused(body: bytes) -> None:
    table = Table()
    assert table.message("ana", Kind.HELLO, body) == [Sent("ana", Kind.REFUSED, 0, "protocol")]
    assert not table.core.state.peers


def test_what_a_hello_says_of_its_sender_becomes_one_short_line() -> None:
    table = Table()
    deep: list[Any] = []
    for _ in range(1000):
        deep = [deep]
    about = {
        "role": "client",
        "name": deep,
        "host": "pc\n2026 ERROR all is lost\x1b[2J",
        "user": "x" * 999,
        "pid": 7,
    }
    table.message("ana", Kind.HELLO, msgpack.packb(about))
    said = table.core.state.peers[b"ana"].about
    assert said["host"] == "pc\ufffd2026 ERROR all is lost\ufffd[2J"
    assert (said["user"], said["pid"], said["name"]) == ("x" * 200, "7", "None")


def test_a_worker_hears_what_the_hello_said_of_its_caller() -> None:
    table = Table()
    about = {"user": "ada", "host": "desk", "pid": 4711, "name": "", "software": None, "shoes": 38}
    table.message("ana", Kind.HELLO, {"role": "client", **about})
    table.join("worker", role="worker")
    table.offer("worker")
    (to, begun, frames), (_, call, _) = table.envelopes("ana", Kind.CALL, b"\x90", call=1, target=b"stage")
    assert to == "worker"
    assert begun == Envelope(Kind.BEGUN, session=call.session, stamp=1_000_000)
    assert msgpack.unpackb(frames[0]) == {"user": "ada", "host": "desk", "pid": "4711"}


def test_hello_twice_is_the_same_session() -> None:
    table = Table()
    table.join("ana")
    first = table.sessions["ana"]
    table.join("ana")
    assert table.sessions["ana"] == first
    assert len(table.core.state.peers) == 1


def test_a_stranger_is_told_to_say_hello() -> None:
    table = Table()
    assert table.call("ana", 3) == [Sent("ana", Kind.REFUSED, 3, "protocol")]
    assert table.message("ana", Kind.BYE) == []


def test_another_version_is_answered() -> None:
    table = Table()
    header = bytearray(pack(Kind.HELLO))
    header[4] = 9
    assert table.handle(Received(b"old", bytes(header), [b"\x80"])) == [
        Sent("old", Kind.REFUSED, 0, "version")
    ]


@pytest.mark.parametrize("header", [b"", b"GET / HTTP/1.1", b"\0" * 48, b"PYRL", pack(Kind.PING)[:-1]])
def test_what_is_no_message_is_answered_and_changes_nothing(header: bytes) -> None:
    table = Table()
    table.join("ana")
    assert table.handle(Received(b"ana", header, [])) == [Sent("ana", Kind.REFUSED, 0, "protocol")]
    assert table.message("ana", Kind.PING, call=0) == [Sent("ana", Kind.PONG)]


def test_wrong_frame_counts_and_sizes_are_refused() -> None:
    table = Table()
    table.join("ana")
    header = pack(Kind.CALL, call=1, buffers=2, target=b"stage")
    refused = [Sent("ana", Kind.REFUSED, 1, "protocol")]
    assert table.handle(Received(b"ana", header, [b"\x90"])) == refused
    assert table.handle(Received(b"ana", header, [b"\x90"] * 9)) == refused
    limit = table.core.state.settings.wire.message_bytes
    assert table.handle(Received(b"ana", header, [b"", bytes(limit), b"1"])) == refused


def test_a_client_may_not_speak_for_another_session() -> None:
    table = Table()
    table.join("ana", "ben")
    stolen = table.sessions["ben"]
    assert table.call("ana", 1, session=stolen) == [Sent("ana", Kind.REFUSED, 1, "denied")]


@pytest.mark.parametrize("kind", [0, 6, 7, 36, 99, 255])
def test_unknown_kinds_are_refused(kind: int) -> None:
    table = Table()
    table.join("ana")
    body = b"\x80" if kind == Kind.REFUSED else None
    assert [s.kind for s in table.message("ana", kind, body, call=4)] == [Kind.REFUSED]


def test_a_suspected_peer_is_probed_until_it_is_gone_or_cleared() -> None:
    table = Table()
    table.join("ana")
    table.tick()
    assert table.suspect("ana") == [Sent("ana", Kind.PONG)]
    assert table.core.state.wake_at <= table.now + 0.02
    assert table.tick(0.02) == [Sent("ana", Kind.PONG)]
    assert table.tick(2.0) == [], "nothing came of the suspicion"
    table.suspect("ana")
    table.unreachable("ana")
    assert not table.core.state.peers


def test_silent_peers_are_probed_once_for_each_silence() -> None:
    table = Table(heartbeat_s=1.0)
    table.join("ana")
    assert table.tick(2.0) == []
    assert table.tick(2.0) == [Sent("ana", Kind.PONG)]
    assert table.tick(1.0) == []


def test_stopping_tells_everybody() -> None:
    table = Table()
    table.join("ana")
    table.join("worker", role="worker")
    assert table.handle(Stopping()) == [Sent("ana", Kind.BYE), Sent("worker", Kind.BYE)]
