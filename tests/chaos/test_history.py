"""The checker: a good history passes, and each invariant finds what was forged for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chaos.history import (
    FAILED,
    INVARIANTS,
    NOT_EXECUTED,
    OK,
    OPEN,
    RAISED,
    SENT,
    UNKNOWN,
    URGENT,
    Call,
    Execution,
    History,
    Interval,
    check,
    read_calls,
    read_executions,
)

S = 1_000_000_000
Forgery = Callable[[History], None]


def at(seconds: float) -> int:
    return int(seconds * S)


def call(number: int, outcome: str = OK, **more: Any) -> Call:
    value = number if outcome == OK else None
    made = Call(number, "c1.1", "alpha", at(number), at(number + 0.5), outcome, value=value)
    return replace(made, **more)


def execution(number: int, start_s: float | None = None, **more: Any) -> Execution:
    start = number + 0.1 if start_s is None else start_s
    made = Execution(number, f"aa/{number}", "alpha", at(start), at(start + 0.1), pid=1)
    return replace(made, **more)


def good() -> History:
    """Ten calls with all outcomes there are, two reservations and one emergency stop."""
    calls = [
        call(1),
        call(2, RAISED),
        call(3, NOT_EXECUTED, error="bus:CallExpired", budget_s=0.3, status="refused"),
        call(4, UNKNOWN, status="done", status_pid=1, status_ns=at(5)),
        call(5, UNKNOWN, status="never seen", status_pid=1, status_ns=at(6)),
        call(6, OPEN, end_ns=0),
        call(7, grant="ana 1", token=5, budget_s=1.0),
        call(8, grant="ana 1", token=5),
        call(9, grant="bob 2", token=6),
        call(10, SENT),
        call(11, FAILED, error="bus:NamingError"),
    ]
    ran = [execution(number) for number in (1, 2, 4, 6, 7, 8, 9, 10)]
    history = History(ran, {each.number: each for each in calls}, [Interval(at(11), at(12))])
    history.pauses["c1.1"].append(Interval(at(20), at(30)))
    return history


def test_a_good_history_passes() -> None:
    assert check(good()) == {name: [] for name in INVARIANTS}


def again(history: History) -> None:
    history.executions.append(execution(4, 12.5, call="bb/4"))


def same_id(history: History) -> None:
    history.executions[0] = replace(history.executions[0], call="aa/2")


def unasked(history: History) -> None:
    history.executions.append(execution(99))


def lost(history: History) -> None:
    del history.executions[0]


def unfinished(history: History) -> None:
    history.executions[0] = replace(history.executions[0], end_ns=0)


def crossed(history: History) -> None:
    history.calls[1] = replace(history.calls[1], value=2)


def ran_although_refused(history: History) -> None:
    history.executions.append(execution(3))


def twice_unknown(history: History) -> None:
    history.executions.append(execution(6, call="bb/6"))


def said_done(history: History) -> None:
    history.calls[5] = replace(history.calls[5], status="done")


def said_never_seen(history: History) -> None:
    history.calls[4] = replace(history.calls[4], status="never seen")


def late(history: History) -> None:
    history.executions[4] = replace(history.executions[4], start_ns=at(14))


def older_token(history: History) -> None:
    history.calls[9] = replace(history.calls[9], token=4)


def in_spite_of_the_stop(history: History) -> None:
    history.stops.append(Interval(at(8.9)))


def hung(history: History) -> None:
    history.calls[7] = replace(history.calls[7], end_ns=at(11))


def hung_without_deadline(history: History) -> None:
    history.calls[4] = replace(history.calls[4], end_ns=at(100))


def someone_between(history: History) -> None:
    history.calls[2] = replace(history.calls[2], grant="ana 1")


def two_owners(history: History) -> None:
    history.calls[7] = replace(history.calls[7], grant="bob 2")


def broken(history: History) -> None:
    history.calls[11] = replace(history.calls[11], error="AssertionError")


def vague(history: History) -> None:
    history.calls[11] = replace(history.calls[11], error="bus:ConnectionClosedError")


@pytest.mark.parametrize(
    ("forge", "invariant"),
    [
        (again, "I1"),
        (same_id, "I1"),
        (unasked, "I1"),
        (lost, "I2"),
        (unfinished, "I2"),
        (crossed, "I2"),
        (ran_although_refused, "I3"),
        (twice_unknown, "I4"),
        (said_done, "I4"),
        (said_never_seen, "I4"),
        (late, "I5"),
        (older_token, "I6"),
        (in_spite_of_the_stop, "I7"),
        (hung, "I8"),
        (hung_without_deadline, "I8"),
        (someone_between, "no reservation"),
        (two_owners, "no reservation"),
        (broken, "every error"),
        (vague, "every error"),
    ],
)
def test_what_must_not_happen_is_found(forge: Forgery, invariant: str) -> None:
    history = good()
    forge(history)
    assert any(found for name, found in check(history).items() if name.startswith(invariant))


def test_a_stopped_client_is_given_its_time() -> None:
    history = good()
    history.calls[7] = replace(history.calls[7], end_ns=at(19))
    late(history)
    history.pauses["c1.1"].append(Interval(at(7.1), at(17)))
    assert check(history) == {name: [] for name in INVARIANTS}


def test_what_may_run_beside_is_let_through() -> None:
    history = good()
    for number in (7, 9):
        history.calls[number] = replace(history.calls[number], grant="transaction 1")
    assert check(history)["no reservation had two owners"]
    history.executions[5] = replace(history.executions[5], what=URGENT)
    assert not check(history)["no reservation had two owners"]
    history.executions[5] = replace(history.executions[5], what="move")
    history.calls[8] = replace(history.calls[8], begin_ns=at(6))
    history.pools.add("alpha")
    assert not check(history)["no reservation had two owners"]


def test_logs_are_read() -> None:
    about = {"service": "alpha", "what": "move", "pid": 3}
    lines = [
        {"at": "start", "number": 1, "call": "a/1", "ns": 10, **about},
        {"at": "end", "number": 1, "call": "a/1", "ns": 20, **about},
        {"at": "stop", "service": "alpha", "ns": 25, "pid": 3},
        {"at": "start", "number": 2, "call": "a/2", "ns": 30, **about},
        {"at": "start", "number": 2, "call": "a/2", "ns": 40, **about},
    ]
    first, second, third = read_executions(lines)
    assert (first.number, first.start_ns, first.end_ns) == (1, 10, 20)
    assert (second.number, third.number, third.end_ns) == (2, 2, 0)
    said: list[dict[str, Any]] = [
        {"at": "begin", "number": 1, "service": "alpha", "begin_ns": 5, "budget_s": 1.5},
        {"at": "begin", "number": 2, "service": "alpha", "begin_ns": 6},
        {"at": "end", "number": 1, "end_ns": 9, "outcome": OK, "value": 1},
        {"at": "note", "what": "reserved"},
    ]
    ended, open_one = read_calls("c1.1", said)
    assert (ended.outcome, ended.end_ns, ended.budget_s, ended.value) == (OK, 9, 1.5, 1)
    assert (open_one.outcome, open_one.number) == (OPEN, 2)
