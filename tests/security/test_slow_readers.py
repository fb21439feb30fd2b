"""Peers that ask and never read the answers: they cost nobody anything, and in the end their place."""

from __future__ import annotations

import contextlib
import time

import msgpack

from live import PATIENCE_S, Process, bus
from pyrolab.api import Proxy
from pyrolab.protocol import codec
from pyrolab.protocol.envelope import Flag, Kind, pack, parse
from security.peers import GROWTH_BYTES, HonestClient, Peer, call_body, object_id, undisturbed
from security.raw_zmtp import RawPeer, message

NAME_SERVICE = b"Pyro.NameServer"


def arrive(port: str) -> tuple[RawPeer, int]:
    """A client with a small receive buffer that will not read any more; and its session."""
    peer = RawPeer(port, receive_bytes=4096)
    peer.send(message(pack(Kind.HELLO), msgpack.packb({"role": "client"})))
    return peer, parse(peer.receive()[0]).session


def flood(peer: RawPeer, session: int) -> None:
    """Ask for more answers than the kernel and the broker's queue of a thousand messages hold."""
    for number in range(1, 10_000):
        peer.send(message(pack(Kind.DESCRIBE, session=session, call=number, target=NAME_SERVICE)))


def has_room(port: str) -> bool:
    """Whether a new client gets the only place that there is, in the end."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        with Peer(port) as peer:
            if peer.ask(Kind.HELLO, {"role": "client"}).kind == Kind.WELCOME:
                return True
    return False


def test_who_never_reads_disturbs_nobody(attacked: Process, honest: HonestClient) -> None:
    peer, session = arrive(attacked.ready)
    with contextlib.closing(peer):
        flood(peer, session)
        honest.check()


def test_answers_that_nobody_reads_take_bounded_memory(attacked: Process, honest: HonestClient) -> None:
    bench = object_id(attacked.ready, "bench")
    peer, session = arrive(attacked.ready)
    body, _ = codec.encode_call(["echo"], (b"x" * 16_384,), {})
    with contextlib.closing(peer):
        for number in range(1, 3000):
            peer.send(message(pack(Kind.CALL, session=session, call=number, target=bench), body))
        honest.check()


def test_a_place_that_was_lost_is_free_again() -> None:
    with bus("services.bench:Bench=bench", max_clients=1) as broker:
        peer, session = arrive(broker.ready)
        with contextlib.closing(peer):
            with Peer(broker.ready) as other:
                assert other.ask(Kind.HELLO, {"role": "client"}).code == "pool-full"
            flood(peer, session)
            assert has_room(broker.ready)


def test_one_who_floods_does_not_starve_another(attacked: Process, honest: HonestClient) -> None:
    bench = object_id(attacked.ready, "bench")
    with Peer(attacked.ready, "client") as flood:
        for number in range(1, 6000):
            flags = Flag.ONEWAY if number % 2 else 0
            flood.send(Kind.CALL, call_body("ping"), call=number, flags=flags, target=bench)
        honest.check()
        with Proxy(f"PYRONAME:bench@localhost:{attacked.ready}") as proxy:
            assert proxy.ping()


def test_thousands_of_bad_messages_leave_the_broker_as_it_was(attacked: Process) -> None:
    def storm() -> None:
        with Peer(attacked.ready, "client") as peer, Peer(attacked.ready) as stranger:
            for number in range(1, 2000):
                peer.send_frames(b"PYRL\x01" + bytes(number % 64))
                peer.send(Kind.CALL, b"\xc1" * 500, call=number, target=NAME_SERVICE)
                peer.send(200, call=number)
                stranger.send(Kind.CALL, b"\x80", call=number, target=b"nobody")
            for _ in range(1, 2000):
                for each in (peer, peer, peer, stranger):
                    assert each.hear().kind in (Kind.REFUSED, Kind.RAISED)

    storm()  # what Python and libzmq keep once, they keep
    with undisturbed(attacked, GROWTH_BYTES // 4):
        storm()
        storm()
