"""A link: what it says of itself, what it heeds of the broker's wishes, and how it connects."""

from __future__ import annotations

from typing import Any

import pytest

from chaos.relay import Relay
from pyrolab.link import link as link_module
from pyrolab.link.clock import clock_ms, clock_s
from pyrolab.link.link import SILENCE_S, Link
from pyrolab.protocol.envelope import Envelope, Kind
from pyrolab.protocol.names import Location
from stand_in_broker import StandInBroker


def test_it_says_what_it_is_told_to_say_of_itself() -> None:
    with StandInBroker() as broker:
        link = Link(Location("localhost", broker.port), "client", "ana", about={"urgent": True, "key": b"k"})
        said = broker.hello("client")
        assert (said["role"], said["name"], said["urgent"], said["key"]) == ("client", "ana", True, b"k")
        assert said["pid"] == link.pid
        link.close()


def test_it_heeds_the_brokers_wishes() -> None:
    with StandInBroker() as broker:
        link = Link(Location("localhost", broker.port), "client")
        assert (link.heartbeat_s, link.silence_s) == (0.2, 30.0)
        link.close()


@pytest.mark.parametrize(
    ("welcome", "silence_s"),
    [
        ({}, SILENCE_S),
        ({"silence_s": 12}, 12.0),
        ({"silence_s": 1e9}, SILENCE_S),
        ({"silence_s": 0}, SILENCE_S),
        ({"silence_s": "long"}, SILENCE_S),
        ({"silence_s": float("nan")}, SILENCE_S),
        ({"heartbeat_s": 10, "silence_s": 1}, 30.0),  # never less than three heartbeats
    ],
)
def test_only_wishes_that_make_sense(welcome: dict[str, Any], silence_s: float) -> None:
    with StandInBroker() as broker:
        link = Link(Location("localhost", broker.port), "client")
        link._agree(2.0, SILENCE_S)
        link._heed(welcome)
        assert link.silence_s == silence_s
        assert link.doubt_s < 5.0, "less than the age at which a broker refuses a call"
        link.close()


def test_its_pings_are_numbered() -> None:
    with StandInBroker() as broker:
        link = Link(Location("localhost", broker.port), "client")
        first, second = link.ping(), link.ping()
        assert second == first + 1
        answered: list[Envelope] = []
        while len(answered) < 2:  # the test's own deadline ends this
            link.wait(1.0)
            while (message := link.receive()) is not None:
                answered.append(message[0])
        assert [(each.kind, each.call) for each in answered] == [(Kind.PONG, first), (Kind.PONG, second)]
        link.close()


def test_it_is_not_stuck_when_a_broker_begins_to_listen_just_after_its_first_try(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with StandInBroker() as broker, Relay(broker.port) as relay:
        relay.refuse()
        monkeypatch.setattr(link_module, "check_listening", lambda *_: relay.accept())
        link = Link(Location("localhost", relay.port), "client", timeout_s=50)
        assert link.session
        link.close()


def test_the_clock_is_one_in_two_units() -> None:
    before = clock_s()
    assert before * 1000 - 1 <= clock_ms() <= clock_s() * 1000 + 1
