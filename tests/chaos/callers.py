"""Calls from the test's own process, written down as those of client processes are."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import Any

from chaos.clients import Notes
from chaos.lab import Lab
from chaos.relay import Relay
from live import PATIENCE_S
from pyrolab.api import timeout

_bases = itertools.count(1)
#: Numbers that one caller may use up; those of client processes begin above all of them.
_NUMBERS_EACH = 100_000


class Caller:
    """A proxy of one axis, possibly behind a relay; its calls and what became of them are in the log."""

    def __init__(self, lab: Lab, axis: str, relay: Relay | None = None) -> None:
        self.axis = axis
        self.proxy = lab.proxy(axis, relay)
        base = next(_bases) * _NUMBERS_EACH
        self._notes = Notes(lab.client_log(f"here-{base}.1"), base)
        #: The last call's number.
        self.number = 0

    def call(self, method: str = "move", *args: Any, budget_s: float | None = None, **more: Any) -> str:
        """Call a control method; returns the outcome and the error, such as "not executed bus:BusyError"."""
        self.number = self._notes.begin(self.axis, budget_s=budget_s, **more)
        with timeout(budget_s):
            said = self._notes.end(
                self.number, lambda number: getattr(self.proxy, method)(number, *args), self.proxy
            )
        return f"{said['outcome']} {said.get('error', '')}".strip()

    def several(self, times: int) -> list[str]:
        """Several moves at once; returns what became of each."""
        numbers = [self._notes.begin(self.axis) for _ in range(times)]
        futures = [self.proxy.move.future(number) for number in numbers]
        said = [
            self._notes.end(number, lambda number, future=future: future.result(PATIENCE_S))  # type: ignore[misc]
            for number, future in zip(numbers, futures, strict=True)
        ]
        return [f"{each['outcome']} {each.get('error', '')}".strip() for each in said]

    def works(self) -> bool:
        """Whether a move is answered now."""
        return self.call(budget_s=5.0) == "ok"


class Aside(threading.Thread):
    """Does something in a thread; `result()` waits for it."""

    def __init__(self, act: Callable[..., Any], *args: Any) -> None:
        super().__init__(daemon=True)
        self._act = act
        self._args = args
        self._value: Any = None
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self._value = self._act(*self._args)
        except BaseException as error:
            self._error = error

    def result(self) -> Any:
        """What it returned. Raises what it raised, and fails if it takes too long."""
        self.join(PATIENCE_S)
        assert not self.is_alive(), f"{self._act} hangs"
        if self._error is not None:
            raise self._error
        return self._value
