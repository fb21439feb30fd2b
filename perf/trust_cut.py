"""A silent cut between clients and the broker, with moves sent into it; and moves that nothing delays.

What the axis has carried out is its own word; when each client asked for a move, and what it was told, is the
client's. Late is a move that begins more than `FRESH_S` after it was asked for, or after its caller was told
that it had failed.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from functools import partial
from threading import Event, Lock, Thread
from typing import Any, NamedTuple

from perf.trust_bus import Bus, ask_all, at, run_role, serve_questions, suspended
from pyrolab.api import Daemon, Proxy, expose, oneway
from pyrolab.errors import NotExecuted, PyroError

CLIENTS, PROCESSES = 50, 2
CUT_S = 12.0
FRESH_S = 5.0
_NAME = "axis"
#: Before the cut, and after it: by then everybody is connected again, or has given up.
_BEFORE_S, _AFTER_S = 1.0, 4.0
#: After so long nothing is on its way any more that the cut does not hold back.
_ARRIVED_S = 0.5
#: Between two moves of a thread.
_EVERY_S = 0.5
#: Fresh calls come in bursts, with a pause of up to so many s before each.
_BURST, _PAUSE_S = 20, 2.0
#: Moves of one client have numbers below this, from its own first.
_NUMBERS_EACH = 100_000


class Move(NamedTuple):
    """What a client knows of one move."""

    number: int
    asked: float
    #: When it was told what became of it; None if it never was.
    told: float | None
    #: How it ended: "done", the name of the error, or nothing.
    outcome: str
    #: Whether it was told that it certainly did not run.
    refused: bool


class Late(NamedTuple):
    """What a cut led to."""

    moves: int
    executed: int
    late: int


class Cutting:
    """An axis, and clients whose line to the broker can be cut."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._axis = bus.start(__name__, "worker", bus.nameserver)
        self._relay = bus.start("perf.trust_relay", str(bus.port))
        line = at(self._relay.facts["port"])
        self._clients = bus.start_many(PROCESSES, __name__, "clients", line)

    def false_refusals(self, calls: int) -> int:
        """So many fresh calls by all clients together: how many times one was refused.

        That is counted where it would show: what the broker refused or handed over to the worker, less what
        the axis has done. A client sends again what was refused as stale, so it knows nothing of most.
        """
        before, done = self._handled(), len(self._executed())
        answers = ask_all(self._clients, what="fresh", calls=calls // CLIENTS)
        failed = [error for answer in answers for error in answer["fresh"]]
        done = len(self._executed()) - done
        if done + len(failed) < calls // CLIENTS * CLIENTS:
            raise RuntimeError(f"of {calls} fresh calls, the axis has seen {done}, and {failed} failed")
        return max(self._handled() - before - done, len(failed))

    def cut(self) -> Late:
        """One cut, with moves sent before, into and after it."""
        before = {number for number, _ in self._executed()}
        ask_all(self._clients, what="begin")
        time.sleep(_BEFORE_S)
        start = time.monotonic()
        with suspended(self._relay):
            time.sleep(CUT_S)
            end = time.monotonic()
        time.sleep(_AFTER_S)
        answers = ask_all(self._clients, what="end")
        moves = [Move(*each) for answer in answers for each in answer["end"]]
        executed = [each for each in self._executed() if each[0] not in before]
        _check(moves, executed, start, end)
        into = [move for move in moves if start < move.asked < end]
        ran = {number for number, _ in executed}
        return Late(len(into), sum(move.number in ran for move in into), late(moves, executed))

    def _executed(self) -> list[tuple[int, float]]:
        return [(number, when) for number, when in self._axis.ask(what="executed")["executed"]]

    def _handled(self) -> int:
        with self._bus.names() as names:
            load = names.load()["services"][_NAME]
        return int(load["calls"] + load["refused"])


def late(moves: Sequence[Move], executed: Sequence[tuple[int, float]]) -> int:
    """How many executions there should not have been: late, a second time, or of a move that was refused."""
    known = {move.number: move for move in moves}
    seen: set[int] = set()
    count = 0
    for number, when in executed:
        move = known[number]
        is_late = when - move.asked > FRESH_S or (move.told is not None and when > move.told)
        count += is_late or move.refused or number in seen
        seen.add(number)
    return count


def _check(moves: Sequence[Move], executed: Sequence[tuple[int, float]], start: float, end: float) -> None:
    """Raise `RuntimeError` unless the moves went through before and after the cut, and not in it."""
    times = [when for _, when in executed]
    if not (any(when < start for when in times) and any(when > end for when in times)):
        raise RuntimeError("no move was carried out before the cut, or after it")
    if any(start + _ARRIVED_S < when < end for when in times):
        raise RuntimeError("the line was not cut: a move came through")
    if not any(start < move.asked < end for move in moves):
        raise RuntimeError("no move was sent into the cut")


# -- the axis and its clients ----------------------------------------------------------------------------


@expose
class Axis:
    """Notes its moves."""

    def __init__(self) -> None:
        self.executed: list[tuple[int, float]] = []

    def move(self, number: int) -> None:
        """Move."""
        self.executed.append((number, time.monotonic()))

    @oneway
    def push(self, number: int) -> None:
        """Move, and don't say how it went."""
        self.executed.append((number, time.monotonic()))


def _worker(nameserver: str) -> None:
    axis = Axis()
    daemon = Daemon(nameserver=nameserver)
    daemon.register(axis, _NAME)
    serve_questions({"executed": lambda: axis.executed})


class _Mover:
    """One client, that moves in two threads: one waits for each answer, the other one for none."""

    def __init__(self, line: str, first: int) -> None:
        self._proxy = Proxy(f"PYRO:{_NAME}@{line}")
        self._proxy._pyroBind()
        self._next = first
        self._lock = Lock()
        self._moves: dict[int, Move] = {}
        self._threads: list[Thread] = []
        self._ended = Event()

    def fresh(self, calls: int) -> list[str]:
        """So many calls, in bursts; the names of the errors."""
        errors = []
        for place in range(calls):
            if not place % _BURST:
                time.sleep(random.uniform(0, _PAUSE_S))
            try:
                self._proxy.move(self._number())
            except PyroError as error:
                errors.append(type(error).__name__)
        return errors

    def begin(self) -> None:
        """Move and move."""
        acts = (self._plain, self._at_once)
        self._threads = [Thread(target=self._repeat, args=(act,), daemon=True) for act in acts]
        for thread in self._threads:
            thread.start()

    def end(self) -> list[Move]:
        """Stop moving; all moves."""
        self._ended.set()
        for thread in self._threads:
            thread.join()
        with self._lock:
            return list(self._moves.values())

    def _number(self) -> int:
        with self._lock:
            self._next += 1
            return self._next

    def _repeat(self, act: Callable[[int], None]) -> None:
        while not self._ended.wait(random.uniform(0.5, 1.5) * _EVERY_S):
            number = self._number()
            with self._lock:
                self._moves[number] = Move(number, time.monotonic(), None, "", False)
            try:
                act(number)
            except PyroError as error:
                self._told(number, error)

    def _plain(self, number: int) -> None:
        self._proxy.move(number)
        self._told(number, None)

    def _at_once(self, number: int) -> None:
        if number % 2:
            self._proxy.push(number)
            return
        future = self._proxy.move.future(number)
        future.add_done_callback(lambda done: self._told(number, done.exception()))

    def _told(self, number: int, error: BaseException | None) -> None:
        outcome = "done" if error is None else type(error).__name__
        with self._lock:
            self._moves[number] = self._moves[number]._replace(
                told=time.monotonic(), outcome=outcome, refused=isinstance(error, NotExecuted)
            )


def _together(acts: Sequence[Callable[[], Sequence[Any]]]) -> list[Any]:
    """What comes of all of them, done at the same time."""
    found: list[Any] = []
    threads = [Thread(target=lambda act: found.extend(act()), args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def _clients(line: str, place: str) -> None:
    numbers = range(int(place), CLIENTS, PROCESSES)
    movers = [_Mover(line, number * _NUMBERS_EACH) for number in numbers]

    def begin() -> None:
        for each in movers:
            each.begin()

    answers: dict[str, Callable[..., Any]] = {
        "fresh": lambda calls: _together([partial(each.fresh, calls) for each in movers]),
        "begin": begin,
        "end": lambda: _together([each.end for each in movers]),
    }
    serve_questions(answers)


if __name__ == "__main__":
    run_role({"worker": _worker, "clients": _clients})
