"""A daemon thread that does one thing after the other; it ends when there is nothing to do for a while."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

log = logging.getLogger("pyrolab.client")

_IDLE_S = 5.0


class Runner:
    """Runs functions in the order in which they come, in one thread at a time."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._line: deque[Callable[[], object]] = deque()
        self._wanted = threading.Condition()
        self._running = False

    def put(self, act: Callable[[], object]) -> None:
        """Have `act()` called soon."""
        with self._wanted:
            self._line.append(act)
            if self._running:
                self._wanted.notify()
                return
            self._running = True
        threading.Thread(target=self._run, name=self._name, daemon=True).start()

    def _run(self) -> None:
        while (act := self._next()) is not None:
            try:
                act()
            except Exception:
                log.exception("a function that was called from outside failed")
            del act

    def _next(self) -> Callable[[], object] | None:
        with self._wanted:
            if not self._line and not self._wanted.wait_for(lambda: self._line, _IDLE_S):
                self._running = False
                return None
            return self._line.popleft()
