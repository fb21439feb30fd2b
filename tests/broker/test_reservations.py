"""Who has services for itself: granted at once, in turn, and never to two."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest

from core_table import Sent, Table
from pyrolab.protocol.envelope import Flag, Kind, pack
from pyrolab_broker.core.events import Received, Send, Store
from pyrolab_broker.settings import BrokerSettings

GRACE_S = BrokerSettings().grace_s


@pytest.fixture
def table() -> Table:
    table = Table()
    table.join("worker", role="worker")
    table.join("ana", "ben", "cleo")
    for object_id in ("stage", "laser"):
        table.offer("worker", object_id)
    return table


def granted(sent: list[Sent], to: str) -> bool:
    return [(each.to, each.kind) for each in sent] == [(to, Kind.RESULT)]


def test_a_reservation_is_a_token_that_opens_the_service(table: Table) -> None:
    assert granted(table.reserve("ana", 1), "ana")
    assert table.call("ana", 2, token=table.tokens["ana"])[-1] == Sent("worker", Kind.CALL, 2)


def test_others_read_and_control_nothing(table: Table) -> None:
    table.reserve("ana", 1, user="Ana")
    assert table.call("ben", 1) == [Sent("ben", Kind.REFUSED, 1, "reserved")]
    assert table.call("ben", 2, flags=Flag.READ)[-1] == Sent("worker", Kind.CALL, 2)


def test_the_refusal_says_who_since_when_and_until_when(table: Table) -> None:
    table.reserve("ana", 1, user="Ana")
    said = table.refusal("ben", 1)
    assert said["user"] == "Ana"
    assert said["since"] == table.now
    assert said["until"] == table.now + GRACE_S
    assert "Ana" in said["text"]


def test_a_call_that_relied_on_an_ended_reservation_does_not_run(table: Table) -> None:
    table.reserve("ana", 1)
    table.release("ana", 2)
    assert table.call("ana", 3, token=table.tokens["ana"]) == [Sent("ana", Kind.REFUSED, 3, "fenced")]


def test_tokens_only_grow_and_each_call_tells_the_worker_the_newest(table: Table) -> None:
    seen = []
    for number in range(1, 40, 4):
        table.reserve("ana", number)
        seen.append(table.tokens["ana"])
        (*_, (_, envelope, _)) = table.envelopes(
            "ana", Kind.CALL, b"\x90", call=number + 1, target=b"stage", token=seen[-1]
        )
        assert envelope.token == seen[-1]
        table.answer("worker", "ana", number + 1)
        table.release("ana", number + 2)
    assert seen == sorted(set(seen))


def test_waiting_is_a_queue(table: Table) -> None:
    table.reserve("ana", 1)
    assert table.reserve("ben", 1, wait_ms=10_000) == []
    assert table.reserve("cleo", 1, wait_ms=10_000) == []
    assert [each.to for each in table.release("ana", 2)] == ["ben", "ana"]
    assert [each.to for each in table.release("ben", 2)] == ["cleo", "ben"]


def test_who_does_not_wait_hears_at_once_who_has_it(table: Table) -> None:
    table.reserve("ana", 1)
    assert table.reserve("ben", 1) == [Sent("ben", Kind.REFUSED, 1, "reserved")]


def test_waiting_ends_with_its_time(table: Table) -> None:
    table.reserve("ana", 1)
    table.reserve("ben", 1, wait_ms=1000)
    table.message("ana", Kind.PING)
    assert table.tick(0.9) == []
    assert table.tick(0.1) == [Sent("ben", Kind.REFUSED, 1, "reserved")]


def test_who_gives_up_may_let_another_request_have_it_at_the_same_moment(table: Table) -> None:
    table.reserve("ana", 1)
    table.reserve("ana", 2, "stage", "laser", wait_ms=100)
    table.reserve("ana", 3, "laser", wait_ms=100)
    sent = table.tick(0.2)
    assert [(each.kind, each.call) for each in sent] == [(Kind.REFUSED, 2), (Kind.RESULT, 3)]


def test_several_are_granted_at_once_or_not_at_all(table: Table) -> None:
    table.reserve("ana", 1, "laser")
    assert table.reserve("ben", 1, "stage", "laser", wait_ms=10_000) == []
    assert granted(table.reserve("cleo", 1, "stage", wait_ms=0), "cleo") is False
    assert {each.to for each in table.release("ana", 2)} == {"ana", "ben"}


def test_nobody_overtakes_who_waits_for_the_same(table: Table) -> None:
    """Otherwise whoever wants two would wait for ever for a moment in which both are free."""
    table.reserve("ana", 1, "laser")
    table.reserve("ben", 1, "stage", "laser", wait_ms=10_000)
    assert table.reserve("cleo", 1, "stage", wait_ms=10_000) == []
    table.release("ana", 2)
    assert [each.to for each in table.release("ben", 2)] == ["cleo", "ben"]


def test_an_owner_that_leaves_frees_it_at_once(table: Table) -> None:
    table.reserve("ana", 1)
    table.reserve("ben", 1, wait_ms=10_000)
    assert "ben" in [each.to for each in table.message("ana", Kind.BYE)]


def test_an_owner_that_is_lost_frees_it_after_the_grace_time(table: Table) -> None:
    table.reserve("ana", 1)
    table.reserve("ben", 1, wait_ms=60_000)
    table.unreachable("ana")
    assert table.tick(GRACE_S - 0.1) == []
    assert "ben" in [each.to for each in table.tick(0.2)]


def test_an_owner_that_falls_silent_loses_it_and_hears_so(table: Table) -> None:
    table.reserve("ana", 1)
    table.message("ben", Kind.PING)
    table.tick(GRACE_S + 0.1)
    assert granted(table.reserve("ben", 1), "ben")
    assert table.call("ana", 2, token=table.tokens["ana"]) == [Sent("ana", Kind.REFUSED, 2, "fenced")]


def test_living_renews_it(table: Table) -> None:
    table.reserve("ana", 1)
    for _ in range(10):
        table.message("ana", Kind.PING)
        table.tick(GRACE_S - 0.1)
    assert table.call("ana", 2, token=table.tokens["ana"])[-1].kind == Kind.CALL


def test_it_lasts_no_longer_than_was_asked_for(table: Table) -> None:
    table.reserve("ana", 1, for_s=2.0)
    table.message("ana", Kind.PING)
    table.tick(2.0)
    assert granted(table.reserve("ben", 1), "ben")


def test_an_owner_that_connects_again_still_has_it(table: Table) -> None:
    table.reserve("ana", 1)
    token = table.tokens["ana"]
    table.unreachable("ana")
    table.join("ana-again")
    table.tokens["ana-again"] = token
    assert granted(table.reserve("ana-again", 1, token=token), "ana-again")
    for _ in range(5):
        table.message("ana-again", Kind.PING)
        table.tick(GRACE_S - 0.1)
    assert table.call("ana-again", 2, token=token)[-1].kind == Kind.CALL


def test_whoever_comes_back_too_late_hears_so(table: Table) -> None:
    table.reserve("ana", 1)
    table.unreachable("ana")
    table.tick(GRACE_S + 0.1)
    table.join("ana-again")
    sent = table.reserve("ana-again", 1, token=table.tokens["ana"])
    assert sent == [Sent("ana-again", Kind.REFUSED, 1, "fenced")]


def test_it_can_be_taken_over(table: Table) -> None:
    table.reserve("ana", 1)
    assert granted(table.reserve("ben", 1, force=True, user="the lab manager"), "ben")
    assert table.call("ana", 2, token=table.tokens["ana"]) == [Sent("ana", Kind.REFUSED, 2, "fenced")]


def test_whoever_takes_it_over_gets_it_before_those_who_wait(table: Table) -> None:
    table.reserve("ana", 1)
    table.reserve("cleo", 1, wait_ms=10_000)
    assert granted(table.reserve("ben", 1, force=True), "ben")
    assert "cleo" in [each.to for each in table.release("ben", 2)]


def test_what_others_had_queued_does_not_run_in_somebodys_reservation(table: Table) -> None:
    table.call("ben", 1)
    table.call("cleo", 1)
    table.call("cleo", 2, flags=Flag.READ)
    assert table.reserve("ana", 1) == [
        Sent("cleo", Kind.REFUSED, 1, "reserved"),
        Sent("ana", Kind.RESULT, 1, table.body_of_grant("ana")),
    ]
    assert [each.call for each in table.answer("worker", "ben", 1) if each.to == "worker"] == [0, 2]


def test_what_a_lost_owner_had_queued_does_not_run(table: Table) -> None:
    table.reserve("ana", 1)
    token = table.tokens["ana"]
    table.call("ana", 2, token=token)
    table.call("ana", 3, token=token)
    table.tick(GRACE_S + 0.1)
    assert table.answer("worker", "ana", 2) == [Sent("ana", Kind.RESULT, 2, [None])]


def test_giving_up_frees_what_was_granted_meanwhile(table: Table) -> None:
    table.reserve("ana", 1)
    table.message("ana", Kind.CANCEL, call=1)
    assert granted(table.reserve("ben", 1), "ben")


def test_giving_up_waiting_lets_the_next_one_have_it(table: Table) -> None:
    table.reserve("ana", 1)
    table.reserve("ben", 1, wait_ms=10_000)
    table.reserve("cleo", 1, wait_ms=10_000)
    table.message("ben", Kind.CANCEL, call=1)
    assert "cleo" in [each.to for each in table.release("ana", 2)]


def test_what_nobody_offers_cannot_be_reserved(table: Table) -> None:
    assert table.reserve("ana", 1, "piano") == [Sent("ana", Kind.REFUSED, 1, "gone")]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"services": []},
        {"services": "stage"},
        {"services": ["stage"] * 65},
        {"services": ["stage"], "mode": "loan"},
        {"services": ["stage"], "for_s": -1},
        {"services": ["stage"], "for_s": "long"},
        [],
    ],
)
def test_nonsense_is_refused(table: Table, body: Any) -> None:
    assert table.message("ana", Kind.RESERVE, body, call=1) == [Sent("ana", Kind.REFUSED, 1, "protocol")]


def test_a_pool_is_reserved_when_nothing_runs_in_it() -> None:
    """Otherwise one of its workers could run an old call late: another one has seen the newer fence."""
    table = Table()
    for worker in ("one", "two"):
        table.join(worker, role="worker")
        table.message(worker, Kind.OFFER, {}, call=1, number=1, target=b"stage", flags=Flag.POOL)
    table.join("ana", "ben")
    (*_, call) = table.call("ben", 1)
    assert table.reserve("ana", 1, wait_ms=10_000) == []
    assert table.call("ben", 2) == [], "and nothing new begins meanwhile"
    sent = table.answer(call.to, "ben", 1)
    assert [(each.to, each.kind, each.call) for each in sent] == [
        ("ben", Kind.RESULT, 1),
        ("ben", Kind.REFUSED, 2),
        ("ana", Kind.RESULT, 1),
    ]


# -- transactions ----------------------------------------------------------------------------------


def test_a_transaction_lets_others_wait(table: Table) -> None:
    assert granted(table.reserve("ana", 1, mode="transaction"), "ana")
    assert table.call("ben", 1) == []
    assert table.call("ana", 2, token=table.tokens["ana"])[-1] == Sent("worker", Kind.CALL, 2)
    assert table.answer("worker", "ana", 2)[-1] == Sent("ana", Kind.RESULT, 2, [None])
    assert Sent("worker", Kind.CALL, 1) in table.release("ana", 3)


def test_a_transaction_begins_when_nothing_runs(table: Table) -> None:
    table.call("ben", 1)
    table.call("cleo", 1)
    assert table.reserve("ana", 1, mode="transaction", wait_ms=10_000) == []
    sent = table.answer("worker", "ben", 1)
    assert [(each.to, each.kind) for each in sent] == [("ben", Kind.RESULT), ("ana", Kind.RESULT)]
    assert table.call("ana", 2, token=table.tokens["ana"])[-1] == Sent("worker", Kind.CALL, 2)


def test_a_transaction_that_is_not_to_be_lets_others_go_on(table: Table) -> None:
    table.call("ben", 1)
    table.reserve("ana", 1, mode="transaction", wait_ms=1000)
    table.call("cleo", 1)
    assert table.tick(1.1) == [Sent("ana", Kind.REFUSED, 1, "reserved")]
    assert Sent("worker", Kind.CALL, 1) in table.answer("worker", "ben", 1)


def test_a_transaction_within_a_reservation(table: Table) -> None:
    table.reserve("ana", 1)
    outer = table.tokens["ana"]
    assert granted(table.reserve("ana", 2, mode="transaction"), "ana")
    table.call("ana", 3, token=table.tokens["ana"])
    table.answer("worker", "ana", 3)
    table.release("ana", 4)
    assert table.call("ana", 5, token=outer)[-1] == Sent("worker", Kind.CALL, 5)


def test_nobody_begins_a_transaction_in_somebody_elses_reservation(table: Table) -> None:
    table.reserve("ana", 1)
    assert table.reserve("ben", 1, mode="transaction") == [Sent("ben", Kind.REFUSED, 1, "reserved")]


# -- restarts --------------------------------------------------------------------------------------


def kept_by(table: Table, *events: Received) -> dict[str, dict[str, Any]]:
    """What a broker's file holds after these events."""
    tables: dict[str, dict[str, Any]] = {}
    for event in events:
        for action in table.raw(event):
            if isinstance(action, Store):
                of_kind = tables.setdefault(action.table, {})
                if action.value is None:
                    of_kind.pop(action.key, None)
                else:
                    of_kind[action.key] = msgpack.unpackb(msgpack.packb(action.value))
    return tables


def reserving(table: Table, client: str, number: int) -> Received:
    body = msgpack.packb({"services": ["stage"], "user": client})
    session = table.sessions[client]
    return Received(client.encode(), pack(Kind.RESERVE, call=number, session=session, budget_ms=0), [body])


def test_a_reservation_outlives_the_broker() -> None:
    first = Table()
    stored = kept_by(
        first, Received(b"worker", pack(Kind.HELLO, stamp=7), [msgpack.packb({"role": "worker"})])
    )
    first.join("ana")
    first.sessions["worker"] = first.core.state.peers[b"worker"].session
    first.offer("worker")
    actions = first.raw(reserving(first, "ana", 1))
    for action in actions:
        if isinstance(action, Store):
            stored.setdefault(action.table, {})[action.key] = msgpack.unpackb(msgpack.packb(action.value))
    (answer,) = [each for each in actions if isinstance(each, Send)]
    token = msgpack.unpackb(answer.frames[1])["token"]

    second = Table(stored=stored)
    second.join("worker", role="worker")
    second.join("ana", "ben")
    second.offer("worker")
    assert second.call("ben", 1) == [Sent("ben", Kind.REFUSED, 1, "reserved")]
    assert granted(second.reserve("ana", 1, token=token), "ana")
    (*_, (_, envelope, _)) = second.envelopes("ana", Kind.CALL, b"\x90", call=2, target=b"stage", token=token)
    assert envelope.token > token, "the fence has risen, so that nothing of before the restart runs late"
    second.release("ana", 3)
    second.answer("worker", "ana", 2)
    assert second.call("ben", 2)[-1] == Sent("worker", Kind.CALL, 2)


def test_tokens_go_on_above_what_a_worker_has_seen() -> None:
    """Also of a broker that keeps nothing, on a computer whose clock was put back."""
    table = Table()
    table.join("worker", role="worker")
    seen = 2**62
    table.message("worker", Kind.OFFER, {}, call=1, number=1, target=b"stage", token=seen)
    table.message("worker", Kind.OFFER, {}, call=2, number=1, target=b"other", token=2**64 - 1)
    table.join("ana")
    table.reserve("ana", 1)
    assert seen < table.tokens["ana"] < 2**63


def test_an_owner_that_does_not_come_back_after_a_restart_loses_it() -> None:
    kept = {"services": [b"stage"], "user": "ana", "holder": "ana@desk", "since": 1.0, "ends": 0.0}
    table = Table(stored={"reservations": {"77": kept}, "facts": {"started": 5}})
    table.join("worker", role="worker")
    table.offer("worker")
    table.join("ben")
    assert table.reserve("ben", 1) == [Sent("ben", Kind.REFUSED, 1, "reserved")]
    table.tick(GRACE_S + 0.1)
    assert granted(table.reserve("ben", 2), "ben")
    assert table.tokens["ben"] > 77
