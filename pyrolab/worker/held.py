"""Objects that the worker keeps for its clients: iterators that are being read, results that cannot travel.

A client knows them by numbers that are good in its own session only. Whatever a session holds ends with it.
Everything here happens in the service's own thread.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import Any

from pyrolab.errors import BusyError, ConnectionClosedError, ReferenceGone

log = logging.getLogger("pyrolab.worker")

#: Objects that one session may have held for it; a client that keeps more has forgotten to let go.
MAX_HELD = 10_000


class Keepsake:
    """One held object, and what has become of it."""

    __slots__ = ("ahead", "entered", "failure", "on_end", "origin", "value")

    def __init__(self, value: Any, origin: str, on_end: Callable[[], None] | None) -> None:
        self.value = value
        #: What it came from, as a person would write it: `scan()`.
        self.origin = origin
        #: How often `__enter__` has been called without `__exit__`.
        self.entered = 0
        #: Items that were taken from an iterator and not sent yet, and the error that came after them.
        self.ahead: deque[Any] = deque()
        self.failure: Exception | None = None
        self.on_end = on_end

    def end(self, why: Exception | None) -> None:
        """Leave what was entered, and close what runs."""
        for _ in range(self.entered):
            _quietly(lambda: self.value.__exit__(type(why) if why else None, why, None))
        if hasattr(self.value, "__next__") and callable(getattr(self.value, "close", None)):
            _quietly(self.value.close)
        if self.on_end is not None:
            self.on_end()


class Held:
    """The held objects of one service, by session and number."""

    def __init__(self) -> None:
        self._sessions: dict[int, dict[int, Keepsake]] = {}
        self._newest = 0

    @property
    def sessions(self) -> list[int]:
        """The sessions for which something is held."""
        return list(self._sessions)

    def hold(
        self, session: int, value: Any, origin: str = "", on_end: Callable[[], None] | None = None
    ) -> int:
        """Keep `value`, which came from `origin`, for a session; returns its number."""
        kept = self._sessions.setdefault(session, {})
        if len(kept) >= MAX_HELD:
            raise BusyError(
                f"this client holds {MAX_HELD} objects of the service; "
                "let go of some (`del`, or end their `with`)",
                limit=MAX_HELD,
                current=len(kept),
            )
        self._newest += 1
        kept[self._newest] = Keepsake(value, origin, on_end)
        return self._newest

    def keepsake(self, session: int, number: int) -> Keepsake:
        """What is held under a number. Raises `ReferenceGone` if nothing is."""
        found = self._sessions.get(session, {}).get(number)
        if found is None:
            raise ReferenceGone(
                "the service no longer holds this object for you; get it again from where it came"
            )
        return found

    def drop(self, session: int, number: int) -> None:
        """Let go of one object; nothing happens if it is gone already."""
        found = self._sessions.get(session, {}).pop(number, None)
        if found is not None:
            found.end(None)
            if not self._sessions[session]:
                del self._sessions[session]

    def end_session(self, session: int) -> None:
        """A client has gone: leave and close everything that was held for it, the newest first."""
        for kept in reversed(list(self._sessions.pop(session, {}).values())):
            kept.end(ConnectionClosedError("the client has gone"))


def _quietly(act: Callable[[], object]) -> None:
    try:
        act()
    except BaseException:  # a held object that fails to end must not keep the others
        log.exception("an object that was held for a client failed to end")
