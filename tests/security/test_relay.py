"""Sources and viewers at a real broker: nobody gets what is not theirs, or pays for who does not read."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import msgpack
import pytest

from live import Process, start_broker, start_worker
from pyrolab.protocol.envelope import Envelope, Flag, Kind, pack, parse
from security.peers import GROWTH_BYTES, HonestClient, Peer, call_body, object_id
from security.raw_zmtp import RawPeer, message

KEY = b"the key of the worker of a source"
FRAME = [0.0, {}, ["value", 1]]


class Station:
    """A worker and its source at a broker."""

    def __init__(self, port: str) -> None:
        self.port = port
        self.worker = Peer(port, "worker", key=KEY)
        self.about = {"worker": self.worker.session, "key": KEY}
        self.source = Peer(port, "source", **self.about)

    @property
    def target(self) -> bytes:
        return b"%016x" % self.source.session

    def viewer(self) -> Peer:
        """One more who watches."""
        viewer = Peer(self.port, "viewer")
        viewer.send(Kind.ATTACH, b"\x80", target=self.target)
        self.has_come(viewer.session)
        return viewer

    def idler(self) -> tuple[RawPeer, int]:
        """One more who watches, and never reads; and its session."""
        peer = RawPeer(self.port, receive_bytes=4096)
        peer.send(message(pack(Kind.HELLO), msgpack.packb({"role": "viewer"})))
        session = parse(peer.receive()[0]).session
        peer.send(message(pack(Kind.ATTACH, target=self.target), b"\x80"))
        self.has_come(session)
        return peer, session

    def has_come(self, session: int) -> None:
        assert self.hears(Kind.ATTACH).session == session

    def hears(self, kind: Kind) -> Envelope:
        """The next message of this kind that comes to the source."""
        while (envelope := self.source.receive()[0]).kind != kind:
            pass
        return envelope

    def close(self) -> None:
        self.source.close()
        self.worker.close()


@pytest.fixture
def station(attacked: Process, honest: HonestClient) -> Iterator[Station]:
    with contextlib.closing(Station(attacked.ready)) as made:
        yield made


def of(*sessions: int) -> bytes:
    return b"".join(b"%016x" % each for each in sessions)


# -- what is not theirs -----------------------------------------------------------------------------------


def test_a_source_that_there_is_not_is_refused(attacked: Process, honest: HonestClient) -> None:
    with Peer(attacked.ready, "viewer") as viewer:
        for kind, body in ((Kind.ATTACH, b"\x80"), (Kind.CREDIT, None), (Kind.DETACH, None)):
            heard = viewer.ask(kind, body, call=7, target=of(12345))
            assert (heard.code, heard.call) == ("gone", 7)


def test_who_has_not_come_to_a_source_gets_none_of_its_frames(station: Station) -> None:
    with station.viewer() as viewer, Peer(station.port, "viewer") as eve, Peer(station.port, "client") as bob:
        sessions = (eve.session, viewer.session, bob.session)
        station.source.send(Kind.FRAME, FRAME, call=1, target=of(*sessions))
        refused = [station.source.hear() for _ in range(2)]
        assert [each.code for each in refused] == ["denied", "gone"]
        assert viewer.hear() == (Kind.FRAME, 1, FRAME)
        assert eve.hears_nothing()
        assert bob.hears_nothing()


def test_a_viewer_cannot_speak_for_another(station: Station) -> None:
    with station.viewer() as viewer, Peer(station.port, "viewer") as eve:
        heard = eve.ask(Kind.CREDIT, session=viewer.session, number=5, call=3, target=station.target)
        assert (heard.code, heard.call) == ("denied", 3)
        assert station.source.hears_nothing()


def test_nobody_is_the_source_of_somebody_elses_worker(station: Station) -> None:
    with station.viewer() as viewer, Peer(station.port) as thief:
        for key in (b"", KEY[:-1], KEY + b"x", os.urandom(16)):
            said = {"role": "source", "worker": station.worker.session, "key": key}
            assert thief.ask(Kind.HELLO, said).code == "denied"
        station.source.send(Kind.FRAME, FRAME, call=1, target=of(viewer.session))
        assert viewer.hear().call == 1


def test_only_a_source_publishes(station: Station) -> None:
    with station.viewer() as viewer, station.viewer() as eve:
        for peer in (eve, station.worker):
            assert peer.ask(Kind.FRAME, FRAME, call=2, target=of(viewer.session)).code == "protocol"
        assert viewer.hears_nothing()


# -- who ends ---------------------------------------------------------------------------------------------


def test_a_source_hears_that_a_viewer_was_killed(station: Station) -> None:
    with Process("-m", "processes.onlooker", station.port, str(station.source.session)) as onlooker:
        station.has_come(int(onlooker.ready))
        onlooker.kill()
        assert station.hears(Kind.ENDED).session == int(onlooker.ready)
    station.source.send(Kind.FRAME, FRAME, call=1, target=of(int(onlooker.ready)))
    assert station.source.hear().code == "gone"


def test_viewers_hear_that_the_process_of_their_source_was_killed() -> None:
    """All of it by the letter of the protocol, with no PyroLab on this side."""
    with start_broker() as broker, start_worker(broker.ready, "services.streams:Camera=camera") as worker:
        camera = object_id(broker.ready, "camera")
        with Peer(broker.ready, "client") as client, Peer(broker.ready, "viewer") as viewer:
            wanted = call_body("frames", args=({"relay": True},), verb="subscribe")
            heard = client.ask(Kind.CALL, wanted, call=1, flags=Flag.READ | Flag.URGENT, target=camera)
            assert heard.kind == Kind.RESULT, heard
            target, ticket = of(heard.body["relay"]), {"ticket": heard.body["ticket"], "local": False}
            assert viewer.ask(Kind.ATTACH, ticket, target=target)[:2] == (Kind.TALLY, 0)
            viewer.send(Kind.CREDIT, number=1, target=target)
            client.send(Kind.CALL, call_body("snap"), call=2, target=camera)
            while viewer.receive()[0].kind != Kind.FRAME:
                pass
            worker.kill()
            while (envelope := viewer.receive()[0]).kind != Kind.ENDED:
                pass
            assert (envelope.session, envelope.target) == (viewer.session, target)
            assert viewer.ask(Kind.CREDIT, number=1, call=9, target=target).code == "gone"


def test_the_source_of_a_worker_that_has_come_again_is_told(station: Station) -> None:
    with station.viewer() as viewer, Peer(station.port, "worker", key=KEY) as again:
        assert viewer.hear().kind == Kind.ENDED
        assert station.hears(Kind.BYE).session == station.source.session
        with Peer(station.port, "source", worker=again.session, key=KEY) as newer:
            assert newer.session != station.source.session


# -- who does not read ------------------------------------------------------------------------------------


def test_what_many_wait_for_is_in_memory_once(attacked: Process, station: Station) -> None:
    """24 MiB for fifteen viewers, not for each of them."""
    image = os.urandom(8 << 20)
    before = attacked.memory_bytes()
    with contextlib.ExitStack() as stack, station.viewer() as viewer:
        sessions = []
        for _ in range(14):
            peer, session = station.idler()
            stack.enter_context(peer)
            sessions.append(session)
        for number in (1, 2, 3):
            station.source.send(Kind.FRAME, FRAME, image, call=number, target=of(*sessions, viewer.session))
            envelope, (_, arrived) = viewer.receive()
            assert (envelope.call, arrived) == (number, image)
        assert attacked.memory_bytes() - before < GROWTH_BYTES


def test_a_viewer_that_does_not_read_loses_its_place_and_nobody_else_does(station: Station) -> None:
    idler, session = station.idler()
    with contextlib.closing(idler), station.viewer() as viewer:
        for number in range(1, 6001):
            station.source.send(
                Kind.FRAME, FRAME, bytes(5000), call=number, target=of(session, viewer.session)
            )
            assert viewer.receive()[0].call == number
        assert station.hears(Kind.ENDED).session == session
        while station.source.poll(0):
            station.source.receive_frames()
        station.source.send(Kind.TALLY, call=6000, target=of(session))
        assert station.source.hear().code == "gone"


def test_a_source_that_does_not_read_ends_before_it_costs_much(attacked: Process, station: Station) -> None:
    """It loses its place; its worker does not, and may have another."""
    before = attacked.memory_bytes()
    lazy = RawPeer(station.port, receive_bytes=4096)
    with contextlib.closing(lazy), Peer(station.port, "viewer") as viewer:
        lazy.send(message(pack(Kind.HELLO), msgpack.packb({"role": "source", **station.about})))
        target = of(parse(lazy.receive()[0]).session)
        heard: list[Any] = []
        while not heard:
            for _ in range(200):
                viewer.send(Kind.ATTACH, bytes(16_000), target=target)
            while viewer.poll(0):
                heard.append(viewer.hear())
        assert attacked.memory_bytes() - before < GROWTH_BYTES
        assert heard[0].kind == Kind.ENDED
        assert station.worker.hears_nothing()
        Peer(station.port, "source", **station.about).close()
