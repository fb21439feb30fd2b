"""Peers that speak the protocol and lie in it: about the version, who they are, and what is theirs."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgpack
import pytest

from live import Process
from pyrolab.api import Proxy
from pyrolab.protocol.envelope import WITH_BODY, Kind, pack, parse
from pyrolab.protocol.names import new_object_id
from pyrolab_broker.server import Broker
from security.peers import HonestClient, Peer, call_body, object_id
from security.raw_zmtp import RawPeer, message

NAME_SERVICE = b"Pyro.NameServer"
HELLO = (pack(Kind.HELLO), msgpack.packb({"role": "client"}))


@pytest.fixture
def port(attacked: Process, honest: HonestClient) -> str:
    return attacked.ready


@pytest.mark.parametrize("version", [0, 2, 255])
@pytest.mark.parametrize("role", [None, "client", "worker"])
def test_another_version_is_told_so(port: str, version: int, role: str | None) -> None:
    with Peer(port, role) as peer:
        for rest in ([], [b"\x80"], [b""] * 20):
            peer.send_frames(b"PYRL" + bytes([version]) + pack(Kind.HELLO)[5:], *rest)
            heard = peer.hear()
            assert heard.code == "version"
            assert (heard.body["theirs"], heard.body["ours"]) == (version, 1)


@pytest.mark.parametrize("role", [None, "client", "worker"])
def test_what_is_no_message_is_refused(port: str, role: str | None) -> None:
    header = pack(Kind.PING)
    with Peer(port, role) as peer:
        for bad in (b"", b"\0", b"PYRL", header[:-1], b"pyrl" + header[4:], bytes(4096), header + b"x" * 256):
            peer.send_frames(bad)
            assert peer.hear().code == "protocol"


def test_a_stranger_gets_nothing_but_the_way_in(port: str) -> None:
    with Peer(port) as peer:
        for kind in set(Kind) - {Kind.HELLO, Kind.BYE, Kind.REFUSED}:
            heard = peer.ask(kind, b"\x80" if kind in WITH_BODY else None, call=9, target=NAME_SERVICE)
            assert (heard.code, heard.call, heard.body.get("hello")) == ("protocol", 9, True)
        assert peer.ask(Kind.HELLO, {"role": "client"}).kind == Kind.WELCOME


@pytest.mark.parametrize(
    "body",
    [b"", b"\xc1", b"\x91" * 4000, b"\x81\xa4role" + b"\x91" * 1000 + b"\xc0", b"\xdf\xff\xff\xff\xff"],
)
def test_a_hello_of_nonsense_is_refused(port: str, body: bytes) -> None:
    with Peer(port) as peer:
        assert peer.ask(Kind.HELLO, body).code == "protocol"
        assert peer.ask(Kind.HELLO, {"role": "client"}).kind == Kind.WELCOME


@pytest.mark.parametrize("role", ["client", "worker"])
def test_unknown_kinds_are_refused(port: str, role: str) -> None:
    with Peer(port, role) as peer:
        for kind in sorted(set(range(256)) - set(Kind)):
            heard = peer.ask(kind, call=kind + 1)
            assert (heard.code, heard.call) == ("protocol", kind + 1)


@pytest.mark.parametrize("frames", [0, 2, 255, 5000, 100_000])
def test_too_many_or_too_few_frames_are_refused(port: str, frames: int) -> None:
    with Peer(port, "client") as peer:
        peer.send_frames(pack(Kind.CALL, call=1, session=peer.session, target=b"x"), *[b"\x90"] * frames)
        heard = peer.hear()
        assert (heard.code, heard.call) == ("protocol", 1)


def test_a_client_that_names_another_session_is_refused(port: str) -> None:
    bench = object_id(port, "witness")
    with Peer(port, "client") as victim, Peer(port, "client") as thief:
        for kind in (Kind.CALL, Kind.DESCRIBE, Kind.CANCEL, Kind.BYE, Kind.PING, Kind.RESULT):
            body = call_body("count") if kind in WITH_BODY else None
            heard = thief.ask(kind, body, session=victim.session, call=5, target=bench)
            assert (heard.code, heard.call) == ("denied", 5)
        assert victim.hears_nothing()


def test_an_answer_to_somebody_elses_call_reaches_nobody(port: str) -> None:
    with Proxy(f"PYRONAME:bench@localhost:{port}") as bench, ThreadPoolExecutor() as pool:
        bench.ping()
        assert bench._attachment.connection is not None
        session = bench._attachment.connection.session
        call = pool.submit(bench.sleep, 1.0)
        for role, code in (("client", "denied"), ("worker", "protocol")):
            with Peer(port, role) as liar:
                for number in range(20):
                    for kind in (Kind.RESULT, Kind.RAISED, Kind.REFUSED):
                        body = msgpack.packb({"code": "gone", "text": "a lie"})
                        heard = liar.ask(kind, body, session=session, call=number)
                        assert (heard.code, heard.call) == (code, number)
        assert call.result() == "slept"


def test_a_worker_cannot_answer_twice(port: str) -> None:
    target = new_object_id().encode()
    with Peer(port, "worker") as worker, Peer(port, "client") as client:
        assert worker.ask(Kind.OFFER, b"\x80", call=1, number=4, target=target).kind == Kind.RESULT
        client.send(Kind.CALL, call_body("count"), call=1, target=target)
        delivered, _ = worker.receive()
        for code in (None, "protocol", "protocol"):
            worker.send(Kind.RESULT, 7, session=delivered.session, call=delivered.call)
            if code is not None:
                assert worker.hear().code == code
        assert client.hear() == (Kind.RESULT, 1, 7)
        assert client.hears_nothing()


def test_a_replayed_call_is_not_carried_out_again(port: str) -> None:
    witness = object_id(port, "witness")
    with Peer(port, "client") as client, Peer(port, "client") as thief:
        first = client.ask(Kind.CALL, call_body("count"), call=7, target=witness)
        assert first.kind == Kind.RESULT
        for number in (7, 6, 0, 7):
            assert client.ask(Kind.CALL, call_body("count"), call=number, target=witness).code == "protocol"
        recorded = pack(Kind.CALL, session=client.session, call=8, target=witness)
        thief.send_frames(recorded, call_body("count"))
        assert thief.hear().code == "denied"
        second = client.ask(Kind.CALL, call_body("count"), call=8, target=witness)
        assert second.body == first.body + 1


def test_who_takes_a_peers_own_routing_id_gets_nothing_of_it(port: str) -> None:
    with RawPeer(port, b"victim") as victim, RawPeer(port, b"victim") as thief:
        victim.send(message(*HELLO))
        session = parse(victim.receive()[0]).session
        thief.send(message(*HELLO) + message(pack(Kind.PING, session=session)))
        for number in (1, 2, 3):
            victim.send(
                message(
                    pack(Kind.CALL, session=session, call=number, target=NAME_SERVICE), call_body("count")
                )
            )
            header, _ = victim.receive()
            assert (parse(header).kind, parse(header).call) == (Kind.RESULT, number)
        thief.socket.settimeout(0.5)
        with pytest.raises(TimeoutError):
            thief.receive()


def test_who_takes_a_routing_id_that_the_broker_gave_gets_nothing_of_it() -> None:
    """In this process, because only here the ids can be known."""
    with Broker(port=0) as broker:
        serving = threading.Thread(target=broker.serve_forever)
        serving.start()
        try:
            port = broker.address.port
            with Peer(port, "client") as victim:
                (routing_id,) = broker._core.state.peers
                with RawPeer(port, routing_id) as thief:
                    thief.send(message(*HELLO))
                    for number in (1, 2, 3):
                        heard = victim.ask(Kind.CALL, call_body("count"), call=number, target=NAME_SERVICE)
                        assert heard == (Kind.RESULT, number, 1)
                    assert len(broker._core.state.peers) == 1
        finally:
            broker.stop()
            serving.join()


def test_an_object_stays_with_the_worker_that_offered_it(port: str) -> None:
    bench = object_id(port, "bench")
    with Peer(port, "worker") as thief, Peer(port, "client") as client:
        for target in (bench, NAME_SERVICE):
            heard = thief.ask(Kind.OFFER, b"\x80", call=1, number=1, target=target)
            assert heard.code == ("in-use" if target == bench else "naming")
            assert "hosted by" in heard.body["text"]
        thief.send(Kind.WITHDRAW, target=bench)
        assert thief.hears_nothing()
        assert client.ask(Kind.OFFER, b"\x80", call=1, number=1, target=b"obj_new").code == "denied"
        assert client.ask(Kind.OFFER, b"\x80", call=2, number=1, target=bench).code == "denied"
        assert client.ask(Kind.CALL, call_body("ping"), call=3, target=bench).body is True


@pytest.mark.parametrize("target", [b"", b"a b", b"a@b", b"\xff\xfe", b"\0", b"a\nb"])
def test_an_object_id_is_a_name(port: str, target: bytes) -> None:
    with Peer(port, "worker") as worker:
        assert worker.ask(Kind.OFFER, b"\x80", call=1, number=1, target=target).code == "protocol"


def test_an_offer_is_not_endless(port: str) -> None:
    with Peer(port, "worker") as worker:
        heard = worker.ask(Kind.OFFER, bytes(2 << 20), call=1, number=1, target=b"obj_large")
        assert heard.code == "protocol"
        assert "allowed" in heard.body["text"]


def test_a_worker_cannot_call(port: str) -> None:
    with Peer(port, "worker") as worker:
        assert worker.ask(Kind.CALL, call_body("count"), call=1, target=NAME_SERVICE).code == "denied"


def test_what_was_said_before_hello_is_not_carried_out(port: str) -> None:
    witness = object_id(port, "witness")
    with Peer(port) as early:
        assert early.ask(Kind.CALL, call_body("count"), call=1, target=witness).code == "protocol"
        assert early.ask(Kind.HELLO, {"role": "client"}).kind == Kind.WELCOME
        assert early.hears_nothing()


def test_after_goodbye_one_is_a_stranger_again(port: str) -> None:
    with Peer(port, "client") as peer:
        assert peer.ask(Kind.BYE).kind == Kind.BYE
        assert peer.ask(Kind.CALL, call_body("count"), call=1, target=NAME_SERVICE).code == "protocol"
        assert peer.ask(Kind.HELLO, {"role": "client"}).kind == Kind.WELCOME


def introduce(client: Peer, worker: Peer, target: bytes) -> None:
    """Have the client call the worker, which answers."""
    client.send(Kind.CALL, call_body("count"), call=1, target=target)
    delivered, _ = worker.receive()
    worker.send(Kind.RESULT, 1, session=delivered.session, call=delivered.call)
    assert client.hear().kind == Kind.RESULT


def offer(worker: Peer) -> bytes:
    target = new_object_id().encode()
    assert worker.ask(Kind.OFFER, b"\x80", call=1, number=1, target=target).kind == Kind.RESULT
    return target


def test_a_worker_cannot_ask_a_stranger(port: str) -> None:
    bench = object_id(port, "bench")
    with Peer(port, "worker") as worker, Peer(port, "client") as client:
        target = offer(worker)
        assert client.ask(Kind.CALL, call_body("ping"), call=1, target=bench).body is True
        for session in (client.session, client.session ^ 1, worker.session, 0):
            heard = worker.ask(Kind.ASK, [1, "call", [], {}], session=session, call=9, token=1, target=target)
            assert (heard.code, heard.call) == ("denied" if session == client.session else "gone", 9)
        assert client.hears_nothing()


def test_a_worker_cannot_make_a_stranger_listen(port: str) -> None:
    with Peer(port, "worker") as worker, Peer(port, "client") as client, Peer(port, "client") as caller:
        target = offer(worker)
        introduce(caller, worker, target)
        for session, code in ((client.session, "denied"), (client.session ^ 1, "gone"), (0, "gone")):
            heard = worker.ask(Kind.JOIN, session=session, call=9, number=7, target=target)
            assert (heard.code, heard.call) == (code, 9)
        worker.send(Kind.JOIN, session=caller.session, number=7, target=target)
        worker.send(Kind.EVENT, ["news"], number=7, target=target)
        assert caller.hear() == (Kind.EVENT, 0, ["news"])
        assert client.hears_nothing()


def test_a_worker_cannot_publish_for_an_object_of_another(port: str) -> None:
    with Peer(port, "worker") as worker, Peer(port, "worker") as liar, Peer(port, "client") as client:
        target, own = offer(worker), offer(liar)
        introduce(client, worker, target)
        worker.send(Kind.JOIN, session=client.session, number=7, target=target)
        assert worker.hears_nothing()
        for wrong in (target, object_id(port, "bench"), NAME_SERVICE, b"obj_nothing"):
            assert (
                liar.ask(Kind.EVENT, ["a lie"], session=worker.session, number=7, target=wrong).code
                == "denied"
            )
        liar.send(Kind.PART, session=client.session, number=7, target=target)
        liar.send(Kind.EVENT, ["a lie"], number=7, target=own)
        assert liar.hears_nothing()
        worker.send(Kind.EVENT, ["the truth"], number=7, target=target)
        assert client.hear() == (Kind.EVENT, 0, ["the truth"])
        assert client.hears_nothing()


def test_a_client_cannot_answer_for_another(port: str) -> None:
    with Peer(port, "worker") as worker, Peer(port, "client") as client, Peer(port, "client") as liar:
        target = offer(worker)
        introduce(client, worker, target)
        worker.send(Kind.ASK, [1, "call", [], {}], session=client.session, call=9)
        question, _ = client.receive()
        assert question.target == b"%016x" % worker.session
        answer = {"call": 9, "target": question.target}
        heard = liar.ask(Kind.RESULT, "a lie", session=client.session, **answer)
        assert (heard.code, heard.call) == ("denied", 9)
        liar.send(Kind.RESULT, "a lie", **answer)
        assert liar.hears_nothing()
        assert worker.hears_nothing(), "the liar has never called it"
        introduce(liar, worker, target)
        liar.send(Kind.RESULT, "a lie", **answer)
        assert worker.receive()[0].session == liar.session, "it can answer for itself alone"
        client.send(Kind.RESULT, "the truth", **answer)
        envelope, frames = worker.receive()
        assert (envelope.session, envelope.call, frames) == (client.session, 9, [msgpack.packb("the truth")])


@pytest.mark.parametrize("kind", [Kind.RESULT, Kind.RAISED, Kind.REFUSED])
def test_a_client_that_answers_nobody_hears_so_once(port: str, kind: Kind) -> None:
    with Peer(port, "client") as client:
        for target in (b"", b"obj_bench", b"F" * 16, b"0" * 15, b"0x" + b"1" * 14):
            heard = client.ask(kind, {"code": "gone", "text": "a lie"}, call=9, target=target)
            assert (heard.code, heard.call) == ("protocol", 0)
        client.send(kind, {"code": "gone", "text": "a lie"}, call=9, target=b"1" * 16)
        assert client.hears_nothing()


@pytest.mark.parametrize("kind", [Kind.BEGUN, Kind.ASK, Kind.JOIN, Kind.PART, Kind.EVENT, Kind.ENDED])
def test_a_client_cannot_speak_as_a_worker_or_the_broker(port: str, kind: Kind) -> None:
    with Peer(port, "client") as victim, Peer(port, "client") as client:
        body = b"\x90" if kind in WITH_BODY else None
        for session in (client.session, victim.session):
            heard = client.ask(kind, body, session=session, call=9, number=7, target=object_id(port, "bench"))
            assert (heard.code, heard.call) == ("protocol", 9)
        assert victim.hears_nothing()


def test_events_with_large_buffers_reach_everybody_unchanged(port: str) -> None:
    image = bytes(range(256)) * 4096
    with Peer(port, "worker") as worker, Peer(port, "client") as one, Peer(port, "client") as two:
        target = offer(worker)
        for client in (one, two):
            introduce(client, worker, target)
            worker.send(Kind.JOIN, session=client.session, number=7, target=target)
        for number in range(3):
            worker.send(Kind.EVENT, [number], image, number=7, target=target)
        for number in range(3):
            for client in (one, two):
                envelope, frames = client.receive()
                assert (envelope.session, envelope.buffers) == (client.session, 1)
                assert frames == [msgpack.packb([number]), image]


def ask_names(peer: Peer, number: int, body: bytes, *buffers: bytes) -> Any:
    heard = peer.ask(Kind.CALL, body, *buffers, call=number, target=NAME_SERVICE)
    assert heard.kind == Kind.RAISED, heard
    return heard.body


BAD_CALLS: dict[str, bytes] = {
    "nothing": b"",
    "no msgpack": b"\xc1",
    "cut short": call_body("lookup", args=("library",))[:-3],
    "more than one value": call_body("count") * 2,
    "a number": b"\x07",
    "too deep": b"\x91" * 100_000 + b"\xc0",
    "too deep in a map": b"\x81\xa1x" * 50_000 + b"\xc0",
    "too deep in extensions": b"\xc7\x03\x20" * 1000,
    "too long by its own words": b"\xdd\xff\xff\xff\xff",
    "a map too long by its own words": b"\xdf\xff\xff\xff\xff",
    "text too long by its own words": b"\xdb\xff\xff\xff\xff",
    "too many elements": b"\xdd\x00\x20\x00\x00" + b"\xc0" * (1 << 21),
    "too large": b"\xc6\x00\x80\x00\x00" + bytes(1 << 23),
    "bad text": b"\x94\x91\xa2\xff\xfe\xa4call\x90\x80",
    "an unknown extension": b"\x94\x91\xa5count\xa4call\x91\xc7\x01\x7f\x00\x80",
    "no steps": b"\x94\x90\xa4call\x90\x80",
    "three steps": call_body("lookup", "__func__", "__globals__"),
    "an index": call_body("lookup", ["__globals__"]),
    "dunder": call_body("__class__"),
    "private": call_body("_names"),
    "another verb": call_body("count", verb="get"),
    "an unknown verb": b"\x94\x91\xa5count\xa4eval\x90\x80",
    "too few arguments": call_body("lookup"),
    "too many arguments": call_body("ping", args=(1, 2, 3)),
    "a list as a name": call_body("lookup", args=(["library"],)),
    "a map as a name": call_body("lookup", args=({},)),
    "no name": call_body("lookup", args=(None,)),
    "an endless name": call_body("lookup", args=("x" * 3_000_000,)),
    "an endless uri": call_body("register", args=("x", "PYRO:x@" + "h" * 3_000_000)),
    "no uri": call_body("register", args=("x", {"a": 1})),
    "endless metadata": call_body("register", args=("x", "PYRO:x", False, [f"tag{n}" for n in range(5000)])),
    "one word of metadata": call_body("register", args=("x", "PYRO:x", False, "tag")),
    "numbers as metadata": call_body("set_metadata", args=("library", [1, 2, 3])),
    "the name service itself": call_body("register", args=("Pyro.NameServer", "PYRO:x")),
    "text as a prefix of numbers": call_body("list", args=(5,)),
}


def test_the_name_service_answers_nonsense_with_an_error(port: str) -> None:
    with Peer(port, "client") as peer:
        for number, (name, body) in enumerate(BAD_CALLS.items(), 1):
            error = ask_names(peer, number, body)
            assert error["type"].partition(":")[2] in {
                "ProtocolError",
                "AttributeError",
                "TypeError",
                "ValueError",
                "NamingError",
            }, (name, error)
            assert len(error["text"]) < 2000, name
        body = call_body("count")
        assert ask_names(peer, 1000, body, b"x" * 5000)["type"] == "pyrolab.errors:ProtocolError"
        assert peer.ask(Kind.CALL, body, call=1001, target=NAME_SERVICE).kind == Kind.RESULT
