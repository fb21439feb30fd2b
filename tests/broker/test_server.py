"""The socket loop, where the network can be made to fail as no real one does on demand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgpack
import pytest
import zmq

from pyrolab.protocol.envelope import Kind, pack
from pyrolab_broker import server
from pyrolab_broker.core.events import Received, Suspected
from pyrolab_broker.server import Broker
from pyrolab_broker.settings import BrokerSettings

#: More pairs than Python has room for in its stack.
PAIRS = 700


class Wire:
    """What the broker sends through: swallows everything, until it is cut."""

    def __init__(self) -> None:
        self.cut = False

    def send(self, socket: Any, frames: Any, peer: bytes) -> None:
        if self.cut:
            raise zmq.ZMQError(zmq.EHOSTUNREACH)


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    wire = Wire()
    monkeypatch.setattr(server, "send_frames", wire.send)
    return wire


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker(port=0, settings=BrokerSettings(max_clients=PAIRS)) as broker:
        yield broker


def says(broker: Broker, peer: bytes, kind: Kind, body: Any = None, **fields: Any) -> None:
    frames = [] if body is None else [msgpack.packb(body)]
    broker._carry_out(Received(peer, pack(kind, **fields), frames), 0.0)


def test_a_network_that_fails_as_a_whole_ends_every_session(broker: Broker, wire: Wire) -> None:
    """Each end is news for a peer that is gone, too, and whose end is news for the next."""
    state = broker._core.state
    for number in range(PAIRS):
        client, worker, target = b"c%d" % number, b"w%d" % number, b"obj_%d" % number
        says(broker, client, Kind.HELLO, {"role": "client"})
        says(broker, worker, Kind.HELLO, {"role": "worker"})
        says(broker, worker, Kind.OFFER, {}, call=1, number=2, target=target)
        for caller in (client, b"c%d" % (number - 1)) if number else (client,):
            says(broker, caller, Kind.CALL, [], call=number + 1, target=target)
            says(broker, worker, Kind.JOIN, session=state.peers[caller].session, number=1, target=target)
    assert len(state.peers) == 2 * PAIRS
    wire.cut = True
    broker._carry_out(Suspected(b"c0"), 1.0)
    broker._give_up(1.0)
    assert not state.peers
