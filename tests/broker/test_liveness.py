"""Three facts, kept apart; pools; and names that live services have."""

from __future__ import annotations

from typing import Any

import pytest

from core_table import Sent, Table
from pyrolab.protocol.envelope import Flag, Kind

KEY = bytes(range(16))


@pytest.fixture
def table() -> Table:
    table = Table()
    table.join("worker", role="worker", key=KEY, host="pc1", pid=42)
    table.join("line", role="line", worker=table.sessions["worker"], key=KEY)
    table.join("ana", "ben")
    table.offer("worker")
    return table


def shown(table: Table, number: int) -> dict[str, Any]:
    _, load = table.ask_names("ana", number, "load")
    (worker,) = load["services"]["stage"]["workers"]
    return {name: worker[name] for name in ("computer", "process", "driver")}


WELL = {"computer": "reachable", "process": "alive", "driver": "responsive"}


def test_a_worker_whose_python_is_stuck_is_hung_not_dead(table: Table) -> None:
    table.call("ana", 1)
    table.tick(5.1)
    assert shown(table, 2) == WELL | {"driver": "hung"}
    assert table.call("ben", 1) == [], "its calls wait, and fail at their deadlines"
    table.message("line", Kind.PING)
    table.tick(0.1)
    assert shown(table, 3) == WELL
    assert Sent("ana", Kind.RESULT, 1, [None]) in table.answer("worker", "ana", 1)


def test_a_probe_is_no_sign_of_life(table: Table) -> None:
    for _ in range(8):
        table.tick(2.0)
    assert shown(table, 1) == WELL | {"driver": "hung"}
    (worker,) = table.ask_names("ana", 2, "load")[1]["services"]["stage"]["workers"]
    assert worker["silent_s"] == 16


def test_bulk_in_flight_is_no_silence(table: Table) -> None:
    """While a big answer takes its time, the line still speaks."""
    for _ in range(10):
        table.message("line", Kind.PING)
        table.tick(2.0)
    assert shown(table, 1) == WELL


def test_calls_to_a_hung_worker_fail_at_their_deadlines(table: Table) -> None:
    table.call("ana", 1, budget_ms=6000)
    table.call("ben", 1, budget_ms=6000)
    kinds = {(each.to, each.body) for each in table.tick(6.0) if each.kind == Kind.REFUSED}
    assert kinds == {("ana", "timed-out"), ("ben", "expired")}


def test_the_watch_of_its_computer_tells_what_it_sees(table: Table) -> None:
    table.join("watch", role="watch", host="pc1")
    table.message("watch", Kind.REPORT, {"pid": 42, "state": "ended", "for_s": 1.0})
    assert shown(table, 1) == WELL | {"process": "gone"}
    table.message("watch", Kind.REPORT, {"pid": 42, "state": "hung", "for_s": 1.0})
    assert shown(table, 2) == WELL | {"driver": "hung"}


@pytest.mark.parametrize(
    "body", [{}, [], {"pid": 42}, {"pid": [], "state": {}}, {"pid": 1, "state": "dancing"}]
)
def test_a_report_of_nothing_says_nothing(table: Table, body: Any) -> None:
    table.join("watch", role="watch", host="pc1")
    assert table.message("watch", Kind.REPORT, body) == []
    assert shown(table, 1) == WELL


def test_a_watch_may_not_call(table: Table) -> None:
    table.join("watch", role="watch")
    assert table.call("watch", 1) == [Sent("watch", Kind.REFUSED, 1, "protocol")]


# -- pools -----------------------------------------------------------------------------------------


def pool(*flags: int) -> Table:
    table = Table()
    for worker in ("one", "two"):
        table.join(worker, role="worker")
        offered(table, worker, Flag.POOL, *flags)
    table.join("ana", "ben", "cleo")
    return table


def offered(table: Table, worker: str, *flags: int) -> list[Sent]:
    return table.message(worker, Kind.OFFER, {}, call=1, number=1, target=b"stage", flags=sum(flags))


def calls_in(sent: list[Sent]) -> list[str]:
    return [each.to for each in sent if each.kind == Kind.CALL]


def test_two_workers_may_not_have_one_name_unless_both_are_a_pool() -> None:
    table = pool()
    table.join("three", role="worker")
    assert offered(table, "three") == [Sent("three", Kind.REFUSED, 1, "in-use")]


def test_a_pool_spreads_calls_by_credit() -> None:
    table = pool()
    first, second = calls_in(table.call("ana", 1)), calls_in(table.call("ben", 1))
    assert sorted(first + second) == ["one", "two"]
    assert calls_in(table.call("cleo", 1)) == []
    assert calls_in(table.answer(second[0], "ben", 1)) == second


def test_a_pool_goes_on_without_one_of_its_workers() -> None:
    table = pool()
    table.call("ana", 1)
    table.call("ben", 1)
    table.call("cleo", 1)
    lost = next(iter(table.core.state.peers[b"one"].running.values())).client.id.decode()
    sent = table.unreachable("one")
    assert [(each.to, each.body) for each in sent if each.kind == Kind.REFUSED] == [(lost, "unknown-outcome")]
    other = ({"ana", "ben"} - {lost}).pop()
    assert calls_in(table.answer("two", other, 1)) == ["two"]


def test_a_client_stays_with_the_worker_that_keeps_something_for_it() -> None:
    table = pool()
    (worker,) = calls_in(table.call("ana", 1))
    table.message(worker, Kind.RESULT, [], session=table.sessions["ana"], call=1, flags=Flag.HELD)
    other = ({"one", "two"} - {worker}).pop()
    table.core.state.peers[other.encode()]
    assert calls_in(table.call("ana", 2)) == [worker]
    assert calls_in(table.call("ana", 3)) == [], "it waits for that worker, although the other one is free"
    assert calls_in(table.call("ben", 1)) == [other]
    assert calls_in(table.answer(worker, "ana", 2)) == [worker]


def test_in_a_sticky_pool_each_client_has_one_worker() -> None:
    table = pool(Flag.HELD)
    (worker,) = calls_in(table.call("ana", 1))
    for number in range(2, 6):
        table.answer(worker, "ana", number - 1)
        assert calls_in(table.call("ana", number)) == [worker]


# -- names -----------------------------------------------------------------------------------------


def test_a_name_of_a_live_service_is_not_taken_by_another_worker(table: Table) -> None:
    table.ask_names("ana", 1, "register", "axis", "PYRO:stage")
    table.join("other", role="worker")
    table.offer("other", "newcomer")
    kind, error = table.ask_names("ana", 2, "register", "axis", "PYRO:newcomer")
    assert kind == Kind.RAISED
    assert error["type"] == "pyrolab.errors:NameInUse"
    table.unreachable("worker")
    assert table.ask_names("ana", 3, "register", "axis", "PYRO:newcomer") == (Kind.RESULT, None)


def test_a_worker_may_name_another_of_its_own_objects(table: Table) -> None:
    table.ask_names("ana", 1, "register", "axis", "PYRO:stage")
    table.offer("worker", "newcomer")
    assert table.ask_names("ana", 2, "register", "axis", "PYRO:newcomer") == (Kind.RESULT, None)


def test_names_of_what_is_gone_go_after_a_while_if_that_is_wanted() -> None:
    table = Table(autoclean_s=60.0)
    table.join("worker", role="worker")
    table.join("ana")
    table.offer("worker")
    table.ask_names("ana", 1, "register", "axis", "PYRO:stage")
    table.ask_names("ana", 2, "register", "ghost", "PYRO:nobody")
    table.ask_names("ana", 3, "register", "elsewhere", "PYRO:stage@otherlab:9090")
    for _ in range(5):
        table.tick(15.0)
    assert set(table.ask_names("ana", 4, "list")[1]) == {"Pyro.NameServer", "axis", "elsewhere"}
    table.unreachable("worker")
    table.tick(15.0)
    table.join("again", role="worker")
    table.offer("again")
    for _ in range(5):
        table.tick(15.0)
    assert "axis" in table.ask_names("ana", 5, "list")[1], "it was gone for a moment only"


def test_names_outlive_the_broker() -> None:
    table = Table(stored={"names": {"axis": {"uri": "PYRO:stage", "metadata": ["motion"]}}})
    table.join("ana")
    assert table.ask_names("ana", 1, "lookup", "axis", return_metadata=True)[1] == ("PYRO:stage", {"motion"})
