"""The emergency stop: told first, then purged, then latched, until somebody resets it."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest

from core_table import Sent, Table
from pyrolab.protocol import codec
from pyrolab.protocol.envelope import Flag, Kind, pack
from pyrolab_broker.core.events import Received, Record, Store

KEY = bytes(range(16))


@pytest.fixture
def table() -> Table:
    table = Table()
    with_line(table, "worker")
    table.join("ana", "ben")
    table.offer("worker")
    return table


def with_line(table: Table, worker: str, key: bytes = KEY) -> None:
    table.join(worker, role="worker", key=key)
    table.join(f"{worker}-line", role="line", worker=table.sessions[worker], key=key)


def stop(table: Table, client: str, number: int, method: str = "emergency_stop", *args: Any) -> list[Sent]:
    body, _ = codec.encode_call([method], args, {})
    return table.message(client, Kind.CALL, body, call=number, target=b"Pyro.NameServer")


def hook(table: Table, worker: str, state: str, number: int, target: str = "stage") -> list[Sent]:
    body = {"state": state, "hook": "stop", "text": ""}
    return table.message(f"{worker}-line", Kind.STOPPED, body, number=number, target=target.encode())


def number_of(table: Table) -> int:
    assert table.core.state.stop is not None
    return table.core.state.stop.number & 0xFFFF_FFFF


def test_the_line_hears_first_and_all_that_waits_is_refused(table: Table) -> None:
    table.call("ana", 1)
    table.call("ana", 2)
    table.call("ben", 1, flags=Flag.READ)
    sent = stop(table, "ben", 2)
    assert [(each.to, each.kind) for each in sent] == [("worker-line", Kind.STOP), ("ana", Kind.REFUSED)]
    assert sent[1] == Sent("ana", Kind.REFUSED, 2, "stopped")


def test_whoever_stops_is_answered_when_all_have_begun(table: Table) -> None:
    assert [each.to for each in stop(table, "ben", 1)] == ["worker-line"]
    (answer,) = hook(table, "worker", "begun", number_of(table))
    assert (answer.to, answer.kind, answer.call) == ("ben", Kind.RESULT, 1)
    assert answer.body["services"] == {"stage": "begun"}
    assert hook(table, "worker", "ended", number_of(table)) == []


def test_whoever_stops_is_answered_although_a_worker_is_silent(table: Table) -> None:
    stop(table, "ben", 1)
    (answer,) = [each for each in table.tick(1.0) if each.call]
    assert answer.body["services"] == {"stage": "no answer"}


def test_nothing_runs_until_it_is_reset(table: Table) -> None:
    stop(table, "ben", 1, "emergency_stop", "the beam is open", "ben")
    said = table.refusal("ana", 1)
    assert said["code"] == "stopped"
    assert (said["reason"], said["user"], said["since"]) == ("the beam is open", "ben", table.now)
    assert table.call("ana", 2, flags=Flag.READ)[-1] == Sent("worker", Kind.CALL, 2)
    sent = stop(table, "ana", 3, "reset_emergency_stop")
    assert [(each.to, each.kind) for each in sent] == [
        ("worker", Kind.RESET),
        ("worker-line", Kind.RESET),
        ("ana", Kind.RESULT),
    ]
    assert sent[-1].body is True
    table.answer("worker", "ana", 2)
    assert table.call("ana", 4)[-1] == Sent("worker", Kind.CALL, 4)


def test_a_second_stop_is_another_stop(table: Table) -> None:
    stop(table, "ben", 1)
    first = number_of(table)
    assert [each.to for each in stop(table, "ana", 1)] == ["worker-line"]
    assert number_of(table) != first


def test_a_worker_that_comes_later_learns_of_it(table: Table) -> None:
    stop(table, "ben", 1)
    table.join("late", role="worker", key=bytes(16))
    session = table.sessions["late"]
    sent = table.message("late-line", Kind.HELLO, {"role": "line", "worker": session, "key": bytes(16)})
    assert [each.kind for each in sent] == [Kind.WELCOME, Kind.STOP]


def test_it_outlives_the_broker(table: Table) -> None:
    body, _ = codec.encode_call(["emergency_stop"], ("fire",), {})
    call = Received(b"ben", pack(Kind.CALL, call=1, target=b"Pyro.NameServer"), [body])
    (store,) = [each for each in table.raw(call) if isinstance(each, Store)]
    again = Table(stored={store.table: {store.key: msgpack.unpackb(msgpack.packb(store.value))}})
    again.join("worker", role="worker")
    again.offer("worker")
    again.join("ana")
    assert again.call("ana", 1) == [Sent("ana", Kind.REFUSED, 1, "stopped")]
    assert again.ask_names("ana", 2, "stopped")[1]["reason"] == "fire"


def test_all_of_it_is_recorded(table: Table) -> None:
    body, _ = codec.encode_call(["emergency_stop"], ("fire", "ben"), {})
    call = Received(b"ben", pack(Kind.CALL, call=1, target=b"Pyro.NameServer"), [body])
    (record,) = [each for each in table.raw(call) if isinstance(each, Record)]
    assert record.what == "emergency stop"
    assert (record.facts["user"], record.facts["reason"]) == ("ben", "fire")


def test_it_is_told_as_an_event(table: Table) -> None:
    body, _ = codec.encode_call(["emergency"], (), {}, "join")
    table.message("ana", Kind.CALL, body, call=1, target=b"Pyro.NameServer")
    events = [each for each in stop(table, "ben", 1, "emergency_stop", "fire") if each.kind == Kind.EVENT]
    assert [each.to for each in events] == ["ana"]
    assert events[0].body[2] == [True, "fire", ""]


def test_it_takes_no_place_in_the_pool() -> None:
    table = Table(max_clients=1)
    table.join("ana")
    refused = table.message("ben", Kind.HELLO, {"role": "client"})
    assert [each.kind for each in refused] == [Kind.REFUSED]
    table.join("cleo", urgent=True)
    assert stop(table, "cleo", 1)[-1].kind == Kind.RESULT
    table.message("ana", Kind.BYE)
    table.join("ben")


def test_reservations_do_not_hinder_it(table: Table) -> None:
    table.reserve("ana", 1)
    assert stop(table, "ben", 1)[0] == Sent("worker-line", Kind.STOP)


# -- lines -----------------------------------------------------------------------------------------


def test_a_line_must_know_its_workers_key() -> None:
    table = Table()
    table.join("worker", role="worker", key=KEY)
    session = table.sessions["worker"]
    for said in ({"worker": session}, {"worker": session, "key": bytes(16)}, {"worker": 1, "key": KEY}):
        assert table.message("liar", Kind.HELLO, {"role": "line", **said}) == [
            Sent("liar", Kind.REFUSED, 0, "denied")
        ]


def test_a_worker_without_a_key_has_no_line() -> None:
    table = Table()
    table.join("worker", role="worker")
    said = {"role": "line", "worker": table.sessions["worker"], "key": b""}
    assert table.message("liar", Kind.HELLO, said) == [Sent("liar", Kind.REFUSED, 0, "denied")]


def test_urgent_calls_go_by_the_line_and_their_answers_come_back(table: Table) -> None:
    assert [each.to for each in table.call("ana", 1, flags=Flag.URGENT)] == ["worker-line", "worker-line"]
    session = table.sessions["ana"]
    assert table.message("worker-line", Kind.RESULT, [4], session=session, call=1) == [
        Sent("ana", Kind.RESULT, 1, [4])
    ]


def test_a_lost_line_loses_its_calls_alone(table: Table) -> None:
    table.call("ana", 1)
    table.call("ben", 1, flags=Flag.URGENT)
    assert table.unreachable("worker-line") == [Sent("ben", Kind.REFUSED, 1, "unknown-outcome")]
    assert table.answer("worker", "ana", 1) == [Sent("ana", Kind.RESULT, 1, [None])]
    assert table.call("ben", 2, flags=Flag.URGENT)[-1] == Sent("worker", Kind.CALL, 2)


def test_a_worker_that_leaves_takes_its_line_along(table: Table) -> None:
    table.unreachable("worker")
    assert b"worker-line" not in table.core.state.peers


def test_a_worker_that_connects_again_replaces_what_is_left_of_it(table: Table) -> None:
    table.call("ana", 1)
    table.join("again", role="worker", key=KEY)
    assert b"worker" not in table.core.state.peers
    assert table.offer("again") == [Sent("again", Kind.RESULT, 1)]
