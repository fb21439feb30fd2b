"""A stage of which a test decides when its moves end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from pyrolab.api import current_call
from pyrolab.worker.exposure import behavior, emergency_stop, expose, oneway, readonly, urgent

#: Nothing here takes this long unless it hangs.
PATIENCE_S = 30.0


@expose
class Axis:
    """One axis, a sub-object."""

    def __init__(self) -> None:
        self.position = 0.0
        self.halts = 0

    def move(self, to: float) -> float:
        """Go there."""
        self.position = to
        return to

    @readonly
    def where(self) -> float:
        """Position."""
        return self.position

    @urgent
    def halt(self) -> int:
        """Beside whatever runs."""
        self.halts += 1
        return self.halts

    def __len__(self) -> int:
        return 3

    def __getitem__(self, key: int) -> int:
        return key

    def __setitem__(self, key: int, value: int) -> None:
        self.position = float(value)


@behavior(instance_mode="single")
class Stage:
    """`moving` is set while a move runs, which ends with `arrive` or when it is cancelled."""

    def __init__(self) -> None:
        self.moves: list[float] = []
        self.stops = 0
        self.call_id = ""
        self.moving = threading.Event()
        self.arrive = threading.Event()
        self.urgent_calls = threading.Event()
        self.go_on = threading.Event()
        self.closed = False
        self._axis = Axis()
        self._speed = 1.0

    @property
    @expose
    def axis(self) -> Axis:
        """The axis."""
        return self._axis

    @property
    @expose
    def axes(self) -> list[Axis]:
        """All of them."""
        return [self._axis]

    @property
    @expose
    def speed(self) -> float:
        """In mm/s."""
        return self._speed

    @speed.setter
    def speed(self, value: float) -> None:
        self._speed = value

    @property
    @expose
    @urgent
    def load(self) -> float:
        """May be read beside what runs."""
        return 0.5

    @expose
    def move(self, to: float) -> str:
        """Go there; returns how it ended."""
        call = current_call()
        call.on_cancel(self.arrive.set)
        self.call_id = call.id
        self.moves.append(to)
        self.moving.set()
        self.arrive.wait(PATIENCE_S)
        self.moving.clear()
        return "cancelled" if call.cancelled else "arrived"

    @expose
    def step(self, to: float) -> float:
        """Go there at once."""
        self.moves.append(to)
        return to

    @expose
    @oneway
    def nudge(self) -> None:
        """Without an answer."""
        self.moves.append(-1.0)

    @expose
    @readonly
    def where(self) -> list[float]:
        """All moves."""
        return list(self.moves)

    @expose
    def jam(self) -> None:
        """Fail."""
        raise ValueError("something is in the way")

    @expose
    @urgent
    def abort(self) -> str:
        """End a move."""
        self.arrive.set()
        return current_call().id

    @expose
    @urgent
    @readonly
    def look(self) -> float:
        """A read beside what runs, which waits for a test."""
        self.urgent_calls.set()
        self.go_on.wait(PATIENCE_S)
        return 1.0

    @expose
    @urgent
    def linger(self) -> bool:
        """Until it is cancelled."""
        cancelled = threading.Event()
        current_call().on_cancel(cancelled.set)
        self.urgent_calls.set()
        return cancelled.wait(PATIENCE_S)

    @expose
    @urgent
    def handle(self) -> Any:
        """What an urgent call can't return."""
        return Axis()

    @expose
    def scan(self, points: int) -> Iterator[int]:
        """Positions, one by one."""
        yield from range(points)

    @emergency_stop
    def panic(self) -> None:
        """Not exposed."""
        self.stops += 1

    def stop(self) -> None:
        """Not called: another method is marked."""
        self.stops += 1000

    def close(self) -> None:
        """Called at the end."""
        self.closed = True
