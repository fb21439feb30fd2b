"""What a worker offers, and how it insists on it."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from pyrolab.api import Daemon, expose
from pyrolab.errors import DaemonError, NameInUse
from pyrolab.protocol.envelope import Flag, Kind
from pyrolab.worker import offers
from pyrolab.worker.exposure import behavior
from services.stage import Stage
from stand_in_broker import StandInBroker

IN_USE = {"code": "in-use", "text": "'stage' is hosted by another worker"}


@behavior(pool=True, instance_mode="session")
class Kept(Stage):
    """A pool whose workers keep something for each client."""


@behavior(pool=True, instance_mode="single")
class Shared(Stage):
    """A pool that does not."""


def test_a_pool_says_so(broker: StandInBroker, daemon: Daemon) -> None:
    for subject, flags in (
        (Stage, Flag.NONE),
        (Shared, Flag.POOL),
        (Kept, Flag.POOL | Flag.HELD),
        (Kept(), Flag.POOL),
    ):
        daemon.register(subject, "some")
        assert broker.hear(Kind.OFFER).envelope.flags == flags
        daemon.unregister("some")
    with pytest.raises(DaemonError, match=r"Shared is to be in a pool.*objectId="):
        daemon.register(Shared)
    with pytest.raises(DaemonError, match="pool"):
        daemon.register(Kept())


def test_a_result_says_that_something_is_held(broker: StandInBroker, daemon: Daemon) -> None:
    daemon.register(Shared, "shared")
    daemon.register(Stage, "stage")
    for name, flag in (("shared", Flag.HELD), ("stage", Flag.NONE)):
        assert broker.ask(name, ["scan"], 3).envelope.flags == flag
        assert broker.ask(name, ["handle"]).envelope.flags == flag
        assert broker.ask(name, ["speed"], verb="join").envelope.flags == flag
        assert broker.ask(name, ["step"], 1.0).envelope.flags == Flag.NONE
        assert broker.ask(name, ["axis"], verb="get").envelope.flags == Flag.NONE, "reached by its name"


def test_a_first_offer_that_is_refused_is_an_error(broker: StandInBroker, daemon: Daemon) -> None:
    broker.refuse_offers = IN_USE
    with pytest.raises(NameInUse, match="another worker"):
        daemon.register(Stage(), "stage")
    broker.refuse_offers = None
    daemon.register(Stage(), "stage")
    assert broker.ask("stage", ["step"], 1.0).value == 1.0


def test_an_offer_that_is_refused_after_a_cut_is_made_again(
    broker: StandInBroker, daemon: Daemon, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(offers, "AGAIN_S", 0.02)
    daemon.register(Stage(), "stage")
    broker.hear(Kind.OFFER)
    broker.refuse_offers = IN_USE
    with caplog.at_level(logging.INFO, logger="pyrolab.worker"):
        broker.send("worker", Kind.BYE)
        for _ in range(4):
            broker.hear(Kind.OFFER)
        broker.refuse_offers = None
        while not any("has taken stage now" in line for line in caplog.messages):
            pass  # the test's own deadline ends this
    said = [line for line in caplog.messages if "offered again" in line]
    assert len(said) == 1, "once, not every time"
    assert "hosted by another worker" in said[0]
    assert broker.ask("stage", ["step"], 1.0).value == 1.0


def test_what_is_unregistered_meanwhile_is_not_offered_again(
    broker: StandInBroker, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offers, "AGAIN_S", 0.02)
    for name in ("stage", "other"):
        daemon.register(Stage(), name)
        broker.hear(Kind.OFFER)
    broker.refuse_offers = IN_USE
    broker.send("worker", Kind.BYE)
    targets = {broker.hear(Kind.OFFER).envelope.target for _ in range(4)}
    assert targets == {b"stage", b"other"}
    daemon.unregister("stage")
    broker.hear(Kind.WITHDRAW)
    before: list[Any] = []
    while len(before) < 5:  # what was on its way may come, but then no more
        before.append(broker.hear(Kind.OFFER).envelope.target)
    assert before[-2:] == [b"other", b"other"]


def test_a_lockable_daemon_hosts_objects_and_classes(broker: StandInBroker) -> None:
    from pyrolab.api import LockableDaemon

    @expose
    class Plain:
        def work(self) -> int:
            return 1

    with LockableDaemon(nameserver=broker.location) as daemon:
        broker.hear(Kind.HELLO, "line")
        daemon.register(Plain(), "object")
        daemon.register(Plain, "class")
        for name in ("object", "class"):
            assert set(broker.hear(Kind.OFFER).value["methods"]) == {"work"}, "nothing is added"
            assert broker.ask(name, ["work"]).value == 1
