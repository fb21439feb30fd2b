"""Tickets, with which those who have subscribed by a call attach; each is good once, and not for long."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable

from pyrolab.streams.options import Options
from pyrolab.streams.publisher import Publisher

#: How long a ticket is good for, and how many may be waiting.
TICKET_S, MAX_TICKETS = 30.0, 1000
_SECRET_BYTES = 16


class Tickets:
    """Of one process. From any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: dict[bytes, tuple[Publisher, Options, float]] = {}

    def issue(self, publisher: Publisher, options: Options) -> bytes:
        """A new one; the oldest goes if there are too many."""
        secret = secrets.token_bytes(_SECRET_BYTES)
        now = self._clock()
        with self._lock:
            for old in [each for each, (_, _, until) in self._waiting.items() if until < now]:
                del self._waiting[old]
            while len(self._waiting) >= MAX_TICKETS:
                del self._waiting[next(iter(self._waiting))]
            self._waiting[secret] = (publisher, options, now + TICKET_S)
        return secret

    def redeem(self, secret: object) -> tuple[Publisher, Options]:
        """What it is for. Raises `KeyError` for one that is not good, or not any longer."""
        if not isinstance(secret, bytes):
            raise KeyError(secret)
        with self._lock:
            publisher, options, until = self._waiting.pop(secret)
        if until < self._clock():
            raise KeyError(secret)
        return publisher, options

    def cancel(self, publisher: Publisher) -> None:
        """A publisher has ended: its tickets are good for nothing."""
        with self._lock:
            for secret in [each for each, (whose, _, _) in self._waiting.items() if whose is publisher]:
                del self._waiting[secret]
