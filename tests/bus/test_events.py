"""Events, and properties that are watched."""

from __future__ import annotations

import gc
import threading
from typing import Any

import pytest

from live import Process, start_broker, start_worker
from pyrolab.api import Proxy

PATIENCE_S = 30


@pytest.fixture
def other(station_bus: Process) -> Any:
    with Proxy(f"PYRONAME:station@localhost:{station_bus.ready}") as proxy:
        yield proxy


def test_a_subscription_gets_each_event_in_order(station: Any, other: Any) -> None:
    with station.moved.subscribe() as moves:
        for position in range(100):
            other.move(float(position))
        assert [moves.get(PATIENCE_S) for _ in range(100)] == [float(each) for each in range(100)]
        assert (moves.missed, moves.interruptions) == (0, 0)
    with pytest.raises(StopIteration):
        moves.get(PATIENCE_S)


def test_an_event_can_be_iterated_over(station: Any, other: Any) -> None:
    moves = iter(station.moved)
    other.move(1.0)
    other.move(2.0)
    assert (next(moves), next(moves)) == (1.0, 2.0)


def test_functions_are_connected_and_disconnected(station: Any, other: Any) -> None:
    heard: list[float] = []
    arrived = threading.Event()

    def note(position: float) -> None:
        heard.append(position)
        if position == 4.0:
            arrived.set()

    assert station.moved.connect(note) is note
    gc.collect()
    other.move(3.0)
    other.move(4.0)
    assert arrived.wait(PATIENCE_S)
    assert heard == [3.0, 4.0]
    station.moved.disconnect(note)
    with pytest.raises(ValueError, match="not connected"):
        station.moved.disconnect(note)
    with station.moved.subscribe() as moves:
        other.move(5.0)
        assert moves.get(PATIENCE_S) == 5.0
    assert heard == [3.0, 4.0]


def test_an_event_of_a_sub_object(station: Any, other: Any) -> None:
    with station.channels["a"].heard.subscribe() as heard:
        other.ch_a.voltage = 4.5
        assert heard.get(PATIENCE_S) == 4.5


def test_a_late_watcher_gets_the_value_of_now_and_then_every_change(station: Any, other: Any) -> None:
    other.gain = 3
    with station.watch("gain") as changes:
        other.gain = 4
        other.gain = 4
        other.sweep_gain(5, 6, 7)
        seen = [changes.get(PATIENCE_S) for _ in range(5)]
    assert [change.value for change in seen] == [3, 4, 5, 6, 7]
    assert [change.sequence for change in seen] == list(range(seen[0].sequence, seen[0].sequence + 5))
    stamps = [change.timestamp for change in seen]
    assert stamps == sorted(stamps)
    assert stamps[0] > 1.7e9


def test_a_plain_property_is_watched_too(station: Any, other: Any) -> None:
    with station.watch("position") as changes:
        changes.get(PATIENCE_S)
        other.move(77.0)
        assert changes.get(PATIENCE_S).value == 77.0
    with station.ch_a.watch("voltage") as changes:
        changes.get(PATIENCE_S)
        other.ch_a.voltage = 8.25
        assert changes.get(PATIENCE_S).value == 8.25


def test_what_changes_by_itself_is_looked_at_now_and_then(station: Any) -> None:
    with station.watch("temperature", every=0.01) as changes:
        values = [changes.get(PATIENCE_S).value for _ in range(5)]
    assert values == sorted(set(values))


def test_what_is_not_there_cannot_be_heard(station: Any) -> None:
    with pytest.raises(AttributeError, match="did you mean 'gain'"):
        station.watch("gian")
    with pytest.raises(AttributeError):
        station._attachment.invoke(["_gain"], "join")
    with pytest.raises(TimeoutError, match="moved"), station.moved.subscribe() as moves:
        moves.get(0.01)


def test_a_dropped_subscription_is_parted_from(station: Any, other: Any) -> None:
    moves = station.moved.subscribe()
    topic = moves.topic
    del moves
    gc.collect()
    station.ping()
    moves = station.moved.subscribe()
    assert moves.topic == topic + 1, "the topic was given up, and made anew"


def test_releasing_a_proxy_ends_its_subscriptions(station_bus: Process) -> None:
    proxy = Proxy(f"PYRONAME:station@localhost:{station_bus.ready}")
    moves = proxy.moved.subscribe()
    proxy._pyroRelease()
    with pytest.raises(StopIteration):
        moves.get(PATIENCE_S)
    assert not proxy._pyroConnected


def test_a_subscription_outlives_the_worker_and_the_broker() -> None:
    service = "services.station:Station=station"
    with start_broker() as broker:
        port = int(broker.ready)
        name = f"PYRONAME:station@localhost:{port}"
        with (
            start_worker(port, service) as worker,
            Proxy(name) as listener,
            listener.watch("gain") as changes,
        ):
            assert changes.get(PATIENCE_S).value == 1
            worker.kill()
            with start_worker(port, service), Proxy(name) as setter:
                assert changes.get(PATIENCE_S).value == 1, "the value at its successor"
                setter.gain = 12
                assert changes.get(PATIENCE_S).value == 12
                assert changes.interruptions == 1
                broker.kill()
                with start_broker(port), start_worker(port, service):
                    assert changes.get(PATIENCE_S).value == 1


def test_a_call_that_finds_its_service_gone_ends_no_subscription() -> None:
    service = "services.station:Station=station"
    with start_broker() as broker:
        name = f"PYRONAME:station@localhost:{broker.ready}"
        with (
            start_worker(broker.ready, service) as worker,
            Proxy(name) as station,
            station.watch("gain") as seen,
        ):
            assert seen.get(PATIENCE_S).value == 1
            worker.kill()
            with pytest.raises(ConnectionError):
                station.ping()
            with start_worker(broker.ready, service):
                assert seen.get(PATIENCE_S).value == 1
                assert station.ping()
