"""`python -m chaos.clients JSON`: a client that writes down each of its calls, before and after.

What one does is its role. All of them go on until a file appears; then each proxy has to work once more.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypedDict

import chaos.history as history
from chaos.device import AxisJammed
from chaos.journal import Journal, now_ns
from processes.child import prepare
from pyrolab.api import Proxy, timeout
from pyrolab.client.grants import ANSWER_S
from pyrolab.client.reservation import reserve
from pyrolab.errors import NotExecuted, OutcomeUnknown, PyroError

#: Numbers that one client may use up.
NUMBERS_EACH = 1_000_000
_BATCH = 8


class Plan(TypedDict):
    """What a client is told."""

    name: str
    role: str
    #: The first number that it may use for a call.
    base: int
    broker: str
    #: The URIs of the axes without the broker's address, by their names.
    axes: dict[str, str]
    log: str
    #: When this file is there, all proxies work once more, and that is it.
    finish: str
    seed: int


class Notes:
    """Makes calls and writes them down; `base` is the first number that it may use."""

    def __init__(self, log: Path, base: int) -> None:
        self._journal = Journal(log)
        self._numbers = itertools.count(base)

    def note(self, what: str, **facts: Any) -> None:
        self._journal.write(at="note", what=what, ns=now_ns(), **facts)

    def begin(self, service: str, **more: Any) -> int:
        """Write down that a call is made now; returns its number."""
        number = next(self._numbers)
        self._journal.write(at="begin", number=number, service=service, begin_ns=now_ns(), **more)
        return number

    def end(self, number: int, act: Callable[[int], Any], proxy: Any = None) -> dict[str, Any]:
        """Make the call or wait for it, and write down what became of it; returns that."""
        said: dict[str, Any] = {}
        try:
            value = act(number)
            said = {"outcome": history.OK, "value": value if isinstance(value, int) else None}
        except AxisJammed:
            said = {"outcome": history.RAISED}
        except OutcomeUnknown as error:
            said = self._failed(history.UNKNOWN, error) | {"call": getattr(error, "call_id", "")}
        except NotExecuted as error:
            said = self._failed(history.NOT_EXECUTED, error)
        except Exception as error:
            said = self._failed(history.FAILED, error)
        ended_ns = now_ns()
        if said.get("call") and proxy is not None:
            said |= _status(proxy, said["call"])
        self._journal.write(at="end", number=number, end_ns=ended_ns, **said)
        return said

    @staticmethod
    def _failed(outcome: str, error: Exception) -> dict[str, Any]:
        whose = "bus:" if isinstance(error, PyroError) else ""
        return {"outcome": outcome, "error": whose + type(error).__name__, "text": str(error)[:300]}


def _status(proxy: Any, call_id: str) -> dict[str, Any]:
    """What the worker says of a call, if it can be asked now, and if it is the same one all the while."""
    with contextlib.suppress(PyroError), timeout(2.0):
        before = proxy.host()
        asked_ns = now_ns()
        status = proxy._pyroStatus(call_id)
        if proxy.host() == before:
            return {"status": status, "status_pid": before, "status_ns": asked_ns}
    return {}


class Client:
    """One client process."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.name = plan["name"]
        self.notes = Notes(Path(plan["log"]), plan["base"])
        self.chance = random.Random(plan["seed"])
        self.axes: dict[str, Any] = {
            axis: Proxy(f"{uri}@{plan['broker']}") for axis, uri in plan["axes"].items()
        }

    # -- what it can do ------------------------------------------------------------------------------

    def call(self, axis: str, act: Callable[[int], Any], **more: Any) -> bool:
        """One call; whether it was answered."""
        said = self.notes.end(self.notes.begin(axis, **more), act, self.axes[axis])
        return said["outcome"] in (history.OK, history.RAISED)

    def move(self, axis: str, **more: Any) -> bool:
        """Whatever changes something, briefly."""
        proxy, seconds = self.axes[axis], self.chance.choice((0.0, 0.0, 0.003))
        match self.chance.randrange(10):
            case 0:
                return self.call(axis, lambda number: proxy.jam(number), **more)
            case 1:
                return self.call(axis, lambda number: setattr(proxy, "target", number), **more)
            case _:
                return self.call(axis, lambda number: proxy.move(number, seconds), **more)

    def any_axis(self) -> str:
        return self.chance.choice(list(self.axes))

    # -- roles: what one does in each round ----------------------------------------------------------

    def moves(self) -> None:
        """Moves without deadlines, from two threads."""
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(self._in_rounds, 2 * [lambda: self.move(self.any_axis())]))

    def deadlines(self) -> None:
        """Moves that take their time and may have too little of it, at times in a driver that blocks all."""

        def one() -> None:
            axis, budget_s = self.any_axis(), self.chance.uniform(0.05, 1.0)
            proxy, seconds = self.axes[axis], self.chance.uniform(0.0, 0.25)
            method = self.chance.choice(("move",) * 8 + ("stick", "abort"))
            arguments = () if method == "abort" else (seconds,)
            with timeout(budget_s):
                self.call(axis, lambda number: getattr(proxy, method)(number, *arguments), budget_s=budget_s)

        self._in_rounds(one)

    def futures(self) -> None:
        """Several moves at once."""

        def one() -> None:
            axis = self.any_axis()
            proxy = self.axes[axis]
            begun: dict[int, Future[Any]] = {}
            for _ in range(_BATCH):
                number = self.notes.begin(axis)
                try:
                    begun[number] = proxy.move.future(number)
                except Exception as error:  # it could not be sent
                    begun[number] = Future()
                    begun[number].set_exception(error)
            for number in begun:
                self.notes.end(number, lambda number: begun[number].result(), proxy)

        self._in_rounds(one)

    def owner(self) -> None:
        """Moves within a reservation of one axis or of two, by force at times, or within a transaction."""
        self._in_rounds(self._own)

    def _own(self) -> None:
        axes = self.chance.sample(list(self.axes), self.chance.choice((1, 1, 2)))
        mode = history.TRANSACTION if len(axes) == 1 and self.chance.random() < 0.3 else "reservation"
        wait_s, grant = self.chance.uniform(0.0, 3.0), f"{mode} {self.name} {now_ns()}"
        held: list[Any] = []
        number = self.notes.begin(axes[0], reads=True, budget_s=wait_s + ANSWER_S)
        with timeout(wait_s):
            self.notes.end(number, lambda number: held.append(self._reserve(mode, axes, wait_s)))
        if not held:
            return
        for _ in range(self.chance.randrange(1, 6)):
            self.move(self.chance.choice(axes), grant=grant, token=held[0].token)
            self._think()
        number = self.notes.begin(axes[0], reads=True)
        self.notes.end(number, lambda number: held[0].release())
        time.sleep(self.chance.uniform(0.1, 0.5))  # let others have it, too

    def _reserve(self, mode: str, axes: list[str], wait_s: float) -> Any:
        proxies = [self.axes[axis] for axis in axes]
        if mode == history.TRANSACTION:
            return proxies[0].transaction(wait=wait_s)
        return reserve(*proxies, user=self.name, wait=wait_s, force=self.chance.random() < 0.05)

    def holder(self) -> None:
        """Reserves the first axis and moves it, until it has lost it."""
        axis = next(iter(self.axes))
        reservation = self.axes[axis].reserve(user=self.name)
        grant = f"{self.name} {now_ns()}"

        def one() -> None:
            if not reservation.lost:
                self.call(axis, self.axes[axis].move, grant=grant, token=reservation.token)

        self._in_rounds(one)

    def listener(self) -> None:
        """Hears of every move of the first axis."""
        axis = next(iter(self.axes))
        with self.axes[axis].moved.subscribe() as moves:
            self.notes.note("listens")
            heard = 0
            while not os.path.exists(self._plan["finish"]):
                with contextlib.suppress(TimeoutError):
                    moves.get(timeout=0.1)
                    heard += 1
            self.notes.note("heard", times=heard, missed=moves.missed)

    def reader(self) -> None:
        """Only reads."""

        def one() -> None:
            axis = self.any_axis()
            proxy = self.axes[axis]
            act = self.chance.choice(
                (lambda: proxy.done(), lambda: len(proxy.picture(200_000)), lambda: proxy.target)
            )
            self.call(axis, lambda number: act(), reads=True)

        self._in_rounds(one)

    # -- rounds --------------------------------------------------------------------------------------

    def run(self) -> None:
        """Play the role, then show that everything works."""
        getattr(self, self._plan["role"])()
        with ThreadPoolExecutor(len(self.axes)) as pool:
            list(pool.map(self._show, self.axes))
        for proxy in self.axes.values():
            proxy._pyroRelease()
        self.notes.note("finished")

    def _show(self, axis: str) -> None:
        while not self.move(axis):
            self._think()
        self.notes.note("works", service=axis)

    def _in_rounds(self, one: Callable[[], object]) -> None:
        finish = self._plan["finish"]
        while not os.path.exists(finish):
            one()
            self._think()

    def _think(self) -> None:
        time.sleep(self.chance.uniform(0.005, 0.05))


def main() -> None:
    prepare()
    plan: Plan = json.loads(sys.argv[1])
    threading.current_thread().name = plan["role"]
    print("ready", flush=True)
    Client(plan).run()


if __name__ == "__main__":
    main()
