"""The load limiter: every limit refuses at once, with numbers; no client starves another."""

from __future__ import annotations

import pytest

from core_table import Sent, Table
from pyrolab.protocol.envelope import Flag, Kind
from pyrolab_broker.core.limiting import Bucket
from pyrolab_broker.core.peers import BULK_BYTES
from pyrolab_broker.core.queues import PATIENCE, FairQueue
from pyrolab_broker.settings import BrokerSettings, ClientLimits, ServiceLimits


def bus(**settings: object) -> Table:
    table = Table(**settings)
    table.join("worker", role="worker")
    table.offer("worker")
    return table


def who(table: Table, client: str, user: str) -> None:
    """A client that says whose it is."""
    (sent,) = table.envelopes(client, Kind.HELLO, {"role": "client", "user": user, "host": "desk"})
    table.sessions[client] = sent[1].session


# -- rates -----------------------------------------------------------------------------------------


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    bucket = Bucket(10, 3, now=0.0)
    assert [bucket.take(0.0) for _ in range(3)] == [0, 0, 0]
    assert bucket.take(0.0) == pytest.approx(0.1)
    assert bucket.take(0.1) == 0
    assert bucket.take(0.1) > 0
    assert [bucket.take(100.0) for _ in range(4)] == [0, 0, 0, pytest.approx(0.1)]


def test_a_client_that_calls_too_often_hears_when_to_try_again() -> None:
    table = bus(rate_per_client=10, burst_per_client=2)
    table.join("ana", "ben")
    for number in (1, 2):
        assert table.call("ana", number)[-1].kind != Kind.REFUSED or number == 1
        table.answer("worker", "ana", number)
    said = table.refusal("ana", 3)
    assert said["code"] == "busy"
    assert said["limit"] == 600
    assert said["retry_after_s"] == pytest.approx(0.1)
    assert table.call("ben", 1)[-1] == Sent("worker", Kind.CALL, 1), "another client has its own bucket"
    table.answer("worker", "ben", 1)
    table.now += 0.1
    assert table.call("ana", 4)[-1] == Sent("worker", Kind.CALL, 4)


# -- limits of single services and clients ---------------------------------------------------------


def test_a_service_may_have_limits_of_its_own() -> None:
    table = bus(services={"cam*": ServiceLimits(queue=1), "stage": ServiceLimits(queue=2, credit=1)})
    table.offer("worker", "stage", credit=8)
    table.offer("worker", "camera", credit=8)
    table.join("ana")
    assert table.core.state.services[b"camera"].max_queue == 1
    assert table.core.state.services[b"camera"].credit == 8
    assert table.core.state.services[b"stage"].credit == 1
    for number in (1, 2, 3):
        table.call("ana", number)
    said = table.refusal("ana", 4)
    assert (said["limit"], said["current"]) == (2, 2)


def test_a_client_may_have_limits_of_its_own() -> None:
    table = bus(clients={"robot@*": ClientLimits(calls=2, rate=1, burst=50)})
    who(table, "ana", "ana")
    who(table, "robot", "robot")
    for number in (1, 2):
        table.call("robot", number)
    assert table.refusal("robot", 3)["limit"] == 2
    table.call("ana", 1)
    table.call("ana", 2)
    assert table.call("ana", 3) == []


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"silence_s": 0.1}, "silence_s"),
        ({"grace_s": 1.0}, "two heartbeats"),
        ({"max_clients": 0}, "max_clients"),
    ],
)
def test_a_setting_that_cannot_work_is_refused(wrong: dict[str, float], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        BrokerSettings(**wrong)  # type: ignore[arg-type]


# -- lanes -----------------------------------------------------------------------------------------


def queue_of(*items: tuple[str, str]) -> FairQueue[tuple[str, str]]:
    """Items of owners; those in capitals are bulk."""
    queue: FairQueue[tuple[str, str]] = FairQueue(lambda item: item[1].isupper())
    for owner, item in items:
        queue.push(owner, (owner, item))
    return queue


def test_control_goes_before_bulk_of_others() -> None:
    queue = queue_of(("ana", "IMAGE"), ("ben", "move"), ("cleo", "home"))
    assert [queue.pop()[1] for _ in range(3)] == ["move", "home", "IMAGE"]


def test_nobody_overtakes_their_own_call() -> None:
    queue = queue_of(("ana", "WAVEFORM"), ("ana", "start"), ("ben", "move"))
    assert [queue.pop()[1] for _ in range(3)] == ["move", "WAVEFORM", "start"]


def test_bulk_does_not_wait_for_ever() -> None:
    queue = queue_of(("ana", "IMAGE"))
    order = []
    for turn in range(PATIENCE + 1):
        queue.push("ben", ("ben", f"move {turn}"))
        order.append(queue.pop()[1])
    assert order.index("IMAGE") == PATIENCE


def test_big_calls_let_small_ones_of_others_pass() -> None:
    table = bus()
    table.join("ana", "ben", "cleo")
    table.call("cleo", 1)
    table.message("ana", Kind.CALL, bytes(BULK_BYTES), call=1, target=b"stage")
    table.call("ben", 1)
    first = [each.to for each in table.answer("worker", "cleo", 1)]
    assert first == ["cleo", "worker", "worker"]
    assert Sent("ben", Kind.RESULT, 1, [None]) in table.answer("worker", "ben", 1)


# -- urgent calls ----------------------------------------------------------------------------------


def test_an_urgent_call_runs_beside_a_busy_one_and_takes_no_credit() -> None:
    table = bus()
    table.join("ana", "ben")
    table.call("ana", 1)
    assert table.call("ben", 1, flags=Flag.URGENT)[-1] == Sent("worker", Kind.CALL, 1)
    assert table.call("ana", 2) == []
    assert table.answer("worker", "ben", 1) == [Sent("ben", Kind.RESULT, 1, [None])]
    assert Sent("worker", Kind.CALL, 2) in table.answer("worker", "ana", 1)


def test_urgent_calls_have_a_limit_too() -> None:
    table = bus()
    table.join("ana")
    for number in range(1, 9):
        assert table.call("ana", number, flags=Flag.URGENT)[-1] == Sent("worker", Kind.CALL, number)
    assert table.call("ana", 9, flags=Flag.URGENT) == [Sent("ana", Kind.REFUSED, 9, "busy")]
    table.answer("worker", "ana", 1)
    assert table.call("ana", 10, flags=Flag.URGENT)[-1] == Sent("worker", Kind.CALL, 10)


# -- what was cut off ------------------------------------------------------------------------------


def test_a_call_that_lay_in_a_buffer_does_not_run() -> None:
    table = bus()
    table.join("ana")
    stamp = table.core.state.clock
    table.now += 5.1
    assert table.call("ana", 1, stamp=stamp) == [Sent("ana", Kind.REFUSED, 1, "stale")]
    assert table.call("ana", 2, stamp=stamp, flags=Flag.READ)[-1] == Sent("worker", Kind.CALL, 2)
    assert table.call("ana", 3) == [], "a fresh one waits for its turn"
    ahead = table.core.state.clock + 2000
    assert table.call("ana", 4, stamp=ahead) == [Sent("ana", Kind.REFUSED, 4, "stale")]


def test_a_worker_may_state_the_most_absurd_clock() -> None:
    table = bus()
    table.join("ana")
    table.message("worker", Kind.PING, stamp=2**64 - 1)
    table.now += 60.0
    (*_, (_, envelope, _)) = table.envelopes("ana", Kind.CALL, b"\x90", call=1, target=b"stage")
    assert envelope.stamp == 2**64 - 1


def test_the_time_on_the_way_counts_against_the_deadline() -> None:
    table = bus()
    table.join("ana", "ben")
    table.call("ben", 1)
    stamp = table.core.state.clock
    table.now += 2.0
    table.call("ana", 1, stamp=stamp, budget_ms=3000)
    assert table.tick(0.9) == []
    assert table.tick(0.2) == [Sent("ana", Kind.REFUSED, 1, "expired")]


# -- load ------------------------------------------------------------------------------------------


def test_load_tells_what_happens_in_numbers() -> None:
    table = bus(queue_per_service=1)
    table.join("ana")
    table.call("ana", 1)
    table.call("ana", 2)
    table.call("ana", 3)
    table.now += 0.25
    table.answer("worker", "ana", 1)
    table.ask_names("ana", 4, "register", "my stage".replace(" ", "-"), "PYRO:stage")
    kind, load = table.ask_names("ana", 5, "load")
    assert kind == Kind.RESULT
    stage = load["services"]["stage"]
    assert {
        name: stage[name] for name in ("queued", "in_flight", "credit", "calls", "refused", "expired")
    } == {
        "queued": 0,
        "in_flight": 1,
        "credit": 1,
        "calls": 2,
        "refused": 1,
        "expired": 0,
    }
    assert stage["p50_ms"] == stage["p99_ms"] == pytest.approx(250)
    assert stage["names"] == ["my-stage"]
    assert stage["reserved"] is None
    assert [each["driver"] for each in stage["workers"]] == ["responsive"]
    assert load["clients"] == 1
