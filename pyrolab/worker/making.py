"""Makes the one instance of a service before anybody calls it, and again and again while that fails.

An instrument that is switched off is a service that is *offline*, not a dead daemon. Everything here happens
in the service's own thread, but for the alarm clock.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from pyrolab.link.backoff import Backoff
from pyrolab.worker import refusing
from pyrolab.worker.hosting import Hosted
from pyrolab.worker.refusing import NotRun

log = logging.getLogger("pyrolab.worker")

#: The longest pause between two tries, and how soon after one a call has another one made.
_LONGEST_S, _AGAIN_S = 30.0, 2.0


class Making:
    """Of the instance of `hosted`; `put` has something done in its thread."""

    def __init__(self, hosted: Hosted, put: Callable[[Callable[[], object]], object]) -> None:
        self._hosted = hosted
        self._put = put
        self._pauses = Backoff(_LONGEST_S)
        self._alarm: threading.Timer | None = None
        self._error: Exception | None = None
        self._due_at = self._calls_wait_until = 0.0
        self._has_ended = False
        hosted.instances.make_single = self._make

    def attempt(self) -> None:
        """Have the instance, if it can be had; otherwise come again later."""
        self._calls_wait_until = 0.0
        try:
            self._hosted.instances.for_session(0)
        except NotRun:
            pass  # it has been said, and the alarm is set

    def end(self) -> None:
        """Try no more."""
        self._has_ended = True
        if self._alarm is not None:
            self._alarm.cancel()

    def _make(self, make: Callable[[], Any]) -> Any:
        """The instance. Raises `NotRun` while it cannot be had."""
        if self._error is not None and time.monotonic() < self._calls_wait_until:
            raise self._refusal(self._error)
        try:
            made = make()
        except Exception as error:
            raise self._failed(error) from error
        if self._error is not None:
            log.info("%s is there now", self._hosted.object_id)
        self._error = None
        self._tell("")
        return made

    def _failed(self, error: Exception) -> NotRun:
        known = self._error is not None and str(self._error) == str(error)
        self._error, now, pause_s = error, time.monotonic(), self._pauses.next_s()
        self._due_at, self._calls_wait_until = now + pause_s, now + _AGAIN_S
        log.log(
            logging.DEBUG if known else logging.WARNING,
            "%s is offline, and is tried again: %s",
            self._hosted.object_id,
            _said(error),
            exc_info=None if known else error,
        )
        if self._alarm is not None:
            self._alarm.cancel()
        if not self._has_ended:
            self._alarm = threading.Timer(pause_s, self._put, [self.attempt])
            self._alarm.daemon = True
            self._alarm.start()
        self._tell(_said(error))
        return self._refusal(error)

    def _refusal(self, error: Exception) -> NotRun:
        left_s = max(self._due_at - time.monotonic(), 0.0)
        return refusing.offline(self._hosted.object_id, _said(error), left_s)

    def _tell(self, reason: str) -> None:
        self._hosted.on_offline(reason)


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
