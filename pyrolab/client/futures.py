"""Calls whose answers come later: `concurrent.futures.Future`s, and who reads their answers.

Whoever asks for a result reads until it is there, as any caller does. A thread of its own reads only for
futures that nobody asks for (callbacks, `as_completed`), and only after it has seen that nobody else does.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from pyrolab.client.calls import Pending
from pyrolab.client.connection import Connection

#: Unanswered calls of one connection before a further one waits for the oldest: a bound on memory, and below
#: the broker's own.
WINDOW = 512
#: How long an answer may be unread before the watching thread reads it.
_PATIENCE_S = 0.001


class Outlook:
    """The unanswered futures of one connection, oldest first."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._line: deque[Pending] = deque()
        self._lock = threading.Lock()
        self._watched = False

    def add(self, start: Callable[[], Pending]) -> Pending:
        """Start a call and see that its answer is read. Waits while `WINDOW` calls are unanswered."""
        if len(self._line) >= WINDOW:
            self._make_room()
        pending = start()
        with self._lock:
            self._line.append(pending)
            watched, self._watched = self._watched, True
        if not watched:
            threading.Thread(target=self._watch, name="pyrolab-futures", daemon=True).start()
        return pending

    def _make_room(self) -> None:
        while (oldest := self._oldest()) is not None and len(self._line) >= WINDOW:
            self.connection.read_until(oldest)

    def _oldest(self) -> Pending | None:
        """The oldest unanswered call."""
        with self._lock:
            while self._line and self._line[0].done:
                self._line.popleft()
            return self._line[0] if self._line else None

    def _watch(self) -> None:
        seen = None
        while self._needs_watching():
            oldest = self._oldest()
            if oldest is not None and oldest is seen:
                self.connection.read_until(oldest)
            seen = oldest
            time.sleep(_PATIENCE_S)

    def _needs_watching(self) -> bool:
        with self._lock:
            self._watched = bool(self._line)
            return self._watched


class RemoteFuture(Future[Any]):
    """The answer to a call that is out. `cancel` cancels the call itself."""

    def __init__(self) -> None:
        super().__init__()
        self._call: tuple[Connection, Pending] | None = None

    def bind(self, connection: Connection, pending: Pending) -> None:
        """Say which call this is the answer of."""
        self._call = connection, pending

    def result(self, timeout: float | None = None) -> Any:
        """The value. Raises what the service raised, `TimeoutError` if it takes longer than `timeout` s."""
        return super().result(self._read(timeout))

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """What the service raised, or None. Raises `TimeoutError` if it takes longer than `timeout` s."""
        return super().exception(self._read(timeout))

    def _read(self, timeout: float | None) -> float | None:
        """Read until the answer is there or the time is over; returns the time that remains."""
        if self._call is None or self.done():
            return timeout
        start = time.monotonic()
        connection, pending = self._call
        connection.read_until(pending, timeout)
        return None if timeout is None else max(timeout - (time.monotonic() - start), 0)

    def cancel(self) -> bool:
        """Give the call up: if it waits, it never runs; if it runs, its service is told.

        Returns False if the answer is there already.
        """
        cancelled = super().cancel()
        if cancelled and self._call is not None:
            call, self._call = self._call, None
            call[0].cancel(call[1])
        return cancelled

    def settle(self, outcome: Callable[[], Any]) -> None:
        """Take the answer, or the error, that `outcome` gives."""
        if not self.set_running_or_notify_cancel():
            return
        try:
            self.set_result(outcome())
        except Exception as error:  # noqa: BLE001 - whatever the service raised belongs to whoever asks for the result
            self.set_exception(error)
