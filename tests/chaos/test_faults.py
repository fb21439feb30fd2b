"""Faults one by one, with real processes; after each test, its whole history has to be in order.

They are the rows of the table of faults that need no special rights. Where each is tested (tests/…):

| row | fault | where |
|---|---|---|
| 1, 2 | worker killed, or crashed by its driver, in a call | here |
| 2, 3 | what dies is started again; supervisor killed | supervisor/test_supervisor.py |
| 4, 5 | broker killed and started again; calls meanwhile | here |
| 6, 7, 8, 14 | silent cuts, both ways and one way; a laptop that sleeps | here |
| 9, 15 | lost packets, another address | need special rights |
| 10 | all connections reset, again and again | here |
| 11 | a driver that hangs, ten callers | here |
| 12 | a driver that keeps Python's lock | here; how it is seen and ended: supervisor/test_hung.py |
| 13 | worker, broker, client stopped for a while | here; supervisor: supervisor/test_supervisor.py |
| 16, 17, 18 | owner of a reservation stopped or killed, its broker killed | test_owners.py |
| 19, 20 | emergency stop of a busy service with a queue, under bulk load | test_emergency.py |
| 21 | a call that is sent twice | security/test_liars.py (…replayed…) |
| 22 | jumps of the wall clock | broker/: cores get the time as an argument, tables set it |
| 23 | a client that does not read | security/test_slow_readers.py |
| 25, 26, 28 | a stopped subscriber, a slow line, no more descriptors | test_overload.py |
| 27, 29, 30, 39 | half-open handshakes, strangers, lies about sizes and ids | security/ |
| 33, 34, 40 | bad bodies, hostile servers | protocol/, security/ |
| 42 | after a fork, from many threads | bus/test_ways_to_call.py, bus/test_calls.py |
| 43 | Ctrl-C in a call: bus/test_ways_to_call.py | elsewhere and over a cut line: test_leaving.py |
| 44, 45 | audit log on a full disk, drain under load | test_leaving.py |
| 46 | all of it at random | test_chaos.py, and `python tasks.py chaos` |
"""

from __future__ import annotations

import itertools
import time

import pytest

from chaos.callers import Aside, Caller
from chaos.history import Interval
from chaos.journal import now_ns
from chaos.lab import Lab
from chaos.looking import has_started, line_of, load_of, moves_on, wait_for
from chaos.relay import Way
from live import PATIENCE_S
from pyrolab.api import locate_ns

UNKNOWN, GONE = "unknown bus:OutcomeUnknown", "not executed bus:ServiceGone"
#: Longer than what a worker takes for stale.
CUT_S = 6.5


# -- rows 1 to 5: something dies ---------------------------------------------------------------------


@pytest.mark.parametrize("how", ["killed", "crashed"])
def test_a_worker_that_dies_in_a_call(lab: Lab, how: str) -> None:
    worker = lab.add_worker("w1", "alpha")
    lab.add_worker("w2", "beta")
    victim, other = Caller(lab, "alpha"), Caller(lab, "beta")
    waiting = [Caller(lab, "alpha") for _ in range(3)]
    assert all(each.works() for each in (victim, other, *waiting))
    if how == "killed":
        running = Aside(victim.call, "move", 60)
        wait_for(lambda: victim.number in lab.starts("alpha"))
        queued = [Aside(each.call) for each in waiting]
        while len(load_of(lab, "alpha")) and load_of(lab, "alpha")["queued"] < len(queued):
            pass
        worker.process.kill()
    else:
        queued = []
        running = Aside(victim.call, "crash")
    assert running.result() == UNKNOWN
    assert [each.result() for each in queued] == [GONE] * len(queued)
    assert other.call() == "ok"
    worker.process.popen.wait(PATIENCE_S)
    worker.start().wait_until_ready()
    assert all(each.works() for each in (victim, *waiting))


def test_futures_find_the_successor_of_their_worker_by_name(lab: Lab) -> None:
    worker = lab.add_worker("w1", "alpha", by_name=True)
    alpha = Caller(lab, "alpha")
    assert alpha.several(3) == ["ok"] * 3
    worker.process.kill()
    assert set(alpha.several(3)) <= {GONE, UNKNOWN}
    worker.start().wait_until_ready()
    wait_for(lambda: alpha.several(3) == ["ok"] * 3, lab)


def test_a_broker_that_is_killed_comes_back_and_nothing_is_done_twice(lab: Lab) -> None:
    lab.add_worker("w1", "alpha")
    lab.add_worker("w2", "beta", by_name=True)
    alpha, beta = Caller(lab, "alpha"), Caller(lab, "beta")
    assert alpha.works()
    assert beta.works()
    running = Aside(alpha.call, "move", 1.0)
    wait_for(has_started(lab, alpha))
    lab.kill_broker()
    assert running.result() == UNKNOWN
    callers = [Caller(lab, axis) for axis in ("alpha", "beta") for _ in range(10)]
    threads = [Aside(_call_times, each, 5) for each in callers]
    refused = [outcome for thread in threads for outcome in thread.result()]
    assert refused == ["not executed bus:NoBroker"] * 100
    before = len(lab.history().executions)
    lab.restart_broker()
    wait_for(alpha.works, lab)
    wait_for(beta.works, lab)
    history = lab.history()
    ran_since = {each.number for each in history.executions[before:]}
    assert all(history.calls[number].outcome == "ok" for number in ran_since), "nothing came from before"


def _call_times(caller: Caller, times: int) -> list[str]:
    return [caller.call() for _ in range(times)]


# -- rows 6 to 8, 14: nothing is said, and then everything arrives -----------------------------------


def test_nothing_arrives_late(lab: Lab) -> None:
    """Six silent cuts at once, of clients and of workers, and a laptop that sleeps through all of it."""
    ways: tuple[tuple[Way, ...], ...] = ((), (Way.UP,), (Way.DOWN,))
    lab.add_worker("w0", "alpha")
    workers = [
        lab.add_worker(f"w{n}", axis, wait=False) for n, axis in enumerate(("beta", "gamma", "delta"), 1)
    ]
    laptop = lab.add_client("c1", "moves", ["alpha"])
    lines = [lab.new_relay() for _ in ways]
    callers = [Caller(lab, "alpha", line) for line in lines]
    callers += [Caller(lab, axis) for axis in ("beta", "gamma", "delta")]
    for each in callers:
        wait_for(each.works, lab)
    moves_on(lab, laptop)
    cut = [*lines, *(line_of(worker) for worker in workers)]
    assert laptop.relay is not None
    laptop.relay.hold()
    laptop.process.stop()
    slept_from = now_ns()
    for line, way in zip(cut, ways * 2, strict=True):
        line.hold(*way)
    end = time.monotonic() + CUT_S
    for thread in [Aside(_call_until, each, end) for each in callers]:
        thread.result()
    for line in (*cut, laptop.relay):
        line.let_pass()
    laptop.process.go_on()
    lab.pauses[laptop.process.name].append(Interval(slept_from, now_ns()))
    for caller in callers:
        wait_for(caller.works, lab)
    moves_on(lab, laptop)
    history = lab.history()
    for execution in history.executions:
        call = history.calls[execution.number]
        assert execution.start_ns - call.begin_ns < 5.5e9, f"{call} ran late: {execution}"


def _call_until(caller: Caller, end: float) -> None:
    for number in itertools.count():
        caller.call(budget_s=1.0 if number % 2 else None)
        if time.monotonic() > end:
            return


def _call_within(caller: Caller, budget_s: float, method: str = "move", *args: float) -> str:
    return caller.call(method, *args, budget_s=budget_s)


# -- rows 10 to 13 -----------------------------------------------------------------------------------


def test_a_storm_of_resets(lab: Lab) -> None:
    worker = lab.add_worker("w1", "alpha")
    lines = [lab.new_relay() for _ in range(3)]
    callers = [Caller(lab, "alpha", line) for line in lines]
    end = time.monotonic() + 3
    threads = [Aside(_call_until, each, end) for each in callers]
    while time.monotonic() < end:
        for line in (*lines, line_of(worker)):
            line.reset()
            time.sleep(0.1)
    for thread in threads:
        thread.result()
    for caller in callers:
        wait_for(caller.works, lab)


def test_a_driver_that_hangs_holds_one_call_and_the_others_never_run(lab: Lab) -> None:
    lab.add_worker("w1", "alpha")
    callers = [Caller(lab, "alpha") for _ in range(10)]
    assert all(each.works() for each in callers)
    first = Aside(_call_within, callers[0], 0.5, "move", 3.0)
    wait_for(has_started(lab, callers[0]))
    others = [Aside(_call_within, each, 0.5) for each in callers[1:]]
    assert first.result() == "unknown bus:CallTimedOut"
    assert {each.result() for each in others} == {"not executed bus:CallExpired"}
    wait_for(callers[1].works, lab)


def test_a_driver_that_keeps_the_lock_disturbs_only_its_own_callers(lab: Lab) -> None:
    lab.add_worker("w1", "alpha")
    lab.add_worker("w2", "beta")
    alpha, other_alpha, beta = Caller(lab, "alpha"), Caller(lab, "alpha"), Caller(lab, "beta")
    assert all(each.works() for each in (alpha, other_alpha, beta))
    stuck = Aside(_call_within, alpha, 0.5, "stick", 4.0)
    wait_for(has_started(lab, alpha))
    assert stuck.result() == "unknown bus:CallTimedOut"
    assert other_alpha.call(budget_s=0.2) == "not executed bus:CallExpired"
    assert beta.call() == "ok"
    with locate_ns(f"localhost:{lab.port}") as names:
        said = names.emergency_stop("stuck")["services"]
        lab.stops.append(Interval(now_ns()))
        assert said["beta"] in ("begun", "ended")
        assert beta.call() == "not executed bus:EmergencyStopped"
        wait_for(lambda: [e for e in lab.history().executions if e.number == alpha.number and e.end_ns])
        lab.stops[-1] = Interval(lab.stops[-1].from_ns, now_ns())
        names.reset_emergency_stop()
    wait_for(alpha.works, lab)


@pytest.mark.parametrize("who", ["worker", "client", "broker"])
def test_whoever_was_stopped_goes_on(lab: Lab, who: str) -> None:
    """For longer than the others wait for a sign of life."""
    worker = lab.add_worker("w1", "alpha")
    lab.add_worker("w2", "beta")
    client = lab.add_client("c1", "moves", ["alpha"])
    alpha, beta = Caller(lab, "alpha"), Caller(lab, "beta")
    assert alpha.works()
    assert beta.works()
    moves_on(lab, client)
    stopped = {"worker": worker, "client": client, "broker": lab.broker}[who]
    running = Aside(alpha.call, "move", 0.2)
    wait_for(has_started(lab, alpha))
    from_ns = now_ns()
    stopped.process.stop()
    outcomes = [beta.call(budget_s=0.5) for _ in range(6)]
    if who == "broker":
        assert "ok" not in outcomes
        time.sleep(0.5)
    else:
        assert outcomes == ["ok"] * 6
        time.sleep(3)
    stopped.process.go_on()
    lab.pauses[stopped.process.name].append(Interval(from_ns, now_ns()))
    running.result()
    wait_for(alpha.works, lab)
    wait_for(beta.works, lab)
    moves_on(lab, client)
