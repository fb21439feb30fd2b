"""Calls whose answers come later: `concurrent.futures.Future`s, and the thread that waits for them.

A connection without futures has no such thread: then whoever calls reads. With futures out, one thread stands
in line for each of them in turn, by the same rules as any caller.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from pyrolab.client.calls import Pending
from pyrolab.client.connection import Connection

#: Unanswered calls of one connection before a further one waits for the oldest: a bound on memory, and below
#: the broker's own.
WINDOW = 512


class Outlook:
    """The unanswered futures of one connection, and the thread that waits for them."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._line: deque[Pending] = deque()
        self._lock = threading.Lock()
        self._watched = False

    def add(self, start: Callable[[], Pending]) -> Pending:
        """Start a call and see that its answer is read. Waits while `WINDOW` calls are unanswered."""
        while len(self._line) >= WINDOW:
            self._read_oldest()
        pending = start()
        with self._lock:
            self._line.append(pending)
            watched, self._watched = self._watched, True
        if not watched:
            threading.Thread(target=self._watch, name="pyrolab-futures", daemon=True).start()
        return pending

    def _watch(self) -> None:
        while True:
            with self._lock:
                if not self._line:
                    self._watched = False
                    return
            self._read_oldest()

    def _read_oldest(self) -> None:
        try:
            pending = self._line[0]
        except IndexError:
            return
        self.connection.read_until(pending)
        with self._lock:
            if self._line and self._line[0] is pending:
                self._line.popleft()


class RemoteFuture(Future[Any]):
    """The answer to a call that is out. `cancel` cancels the call itself."""

    def __init__(self) -> None:
        super().__init__()
        self._give_up: Callable[[], None] | None = None

    def bind(self, connection: Connection, pending: Pending) -> None:
        """Say which call this is the answer of."""
        self._give_up = lambda: connection.cancel(pending)

    def cancel(self) -> bool:
        """Give the call up: if it waits, it never runs; if it runs, its service is told.

        Returns False if the answer is there already.
        """
        cancelled = super().cancel()
        if cancelled and self._give_up is not None:
            give_up, self._give_up = self._give_up, None
            give_up()
        return cancelled

    def settle(self, outcome: Callable[[], Any]) -> None:
        """Take the answer, or the error, that `outcome` gives."""
        if not self.set_running_or_notify_cancel():
            return
        try:
            self.set_result(outcome())
        except Exception as error:  # noqa: BLE001 - whatever the service raised belongs to whoever asks for the result
            self.set_exception(error)
