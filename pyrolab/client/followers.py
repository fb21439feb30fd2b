"""Threads that sleep until the one that reads their connection has an answer for them, or stops reading."""

from __future__ import annotations

import threading
import time

from pyrolab.client.calls import Pending

FOREVER_S = 3600.0


class Followers:
    """Of one connection. `is_read` says whether anybody reads; `gates` of whom to wake."""

    __slots__ = ("gates", "is_read")

    def __init__(self) -> None:
        self.gates: dict[_Gate, None] = {}
        self.is_read = False

    def follow(self, pending: Pending, deadline: float | None) -> None:
        """Sleep until this call's answer is there, or the place of the leader is free."""
        gate = _Gate()
        self.gates[gate] = None
        pending.gates.append(gate.open)
        try:
            if pending.done or not self.is_read:
                return  # the answer came, or the leader went, before we were on the list
            gate.pass_through(FOREVER_S if deadline is None else max(deadline - time.monotonic(), 0))
        finally:
            self.gates.pop(gate, None)

    def promote(self) -> None:
        """Wake one follower if nobody reads. Everybody who stops waiting does this, so one always reads."""
        while self.gates and not self.is_read:
            try:
                gate = next(iter(self.gates))
            except (StopIteration, RuntimeError):
                continue  # the list changed under us: look again
            if self.gates.pop(gate, gate) is None:
                gate.open()
                return


class _Gate:
    """Closed until somebody opens it; opening it twice is the same as once."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def open(self) -> None:
        try:
            self._lock.release()
        except RuntimeError:
            pass  # somebody else opened it at the same moment

    def pass_through(self, timeout_s: float) -> None:
        self._lock.acquire(timeout=timeout_s)
