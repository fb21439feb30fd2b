"""Urgent calls: they run at once, each in a thread of its own, beside whatever the service is doing.

They see the service and its sub-objects, never what is held for a client, and never make an instance: what
an urgent call needs to exist first is made in the service's own thread, where the call goes then.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

from pyrolab.errors import SerializeError
from pyrolab.protocol.call_body import Step
from pyrolab.worker.held import Keepsake
from pyrolab.worker.job import Job
from pyrolab.worker.refusing import NotRun
from pyrolab.worker.turn import Turn

log = logging.getLogger("pyrolab.worker")

#: Urgent calls of one service that run at a time.
MAX_URGENT = 8


class NoInstanceYet(Exception):
    """The instance for an urgent call has to be made first."""


class UrgentTurn(Turn):
    """Carries out one call beside another one."""

    __slots__ = ()

    def _instance(self) -> Any:
        if self._root is None:
            self._root = self.hosted.instances.existing_for(self.current.session)
            if self._root is None:
                raise NoInstanceYet
        return self._root

    def _keepsake(self, steps: Sequence[Step]) -> Keepsake:
        raise NotRun(
            "denied", "an urgent call reaches the service and its sub-objects, not what is held for a client"
        )

    def hold(self, value: Any) -> int:
        """Nothing can be held: see `SerializeError`."""
        raise SerializeError(
            f"an urgent call cannot return a {type(value).__name__}, which would stay at the service; "
            "return plain values"
        )


class Beside:
    """The urgent calls of one service; `carry_out` does one and returns what answers it."""

    def __init__(self, name: str, carry_out: Callable[[Job], Callable[[], object]]) -> None:
        self._name = name
        self._carry_out = carry_out
        self._room = threading.BoundedSemaphore(MAX_URGENT)

    def begin(self, job: Job) -> None:
        """Have a call carried out now. Raises `NotRun` if too many are."""
        if not self._room.acquire(blocking=False):
            raise self._busy()
        try:
            threading.Thread(
                target=self._run, args=(job,), name=f"pyrolab-urgent-{self._name}", daemon=True
            ).start()
        except RuntimeError:  # no more threads
            self._room.release()
            raise self._busy() from None

    def _run(self, job: Job) -> None:
        try:
            answer = self._carry_out(job)
        finally:
            self._room.release()
        answer()  # whoever has got it may call again at once

    def _busy(self) -> NotRun:
        return NotRun(
            "busy",
            f"{MAX_URGENT} urgent calls of {self._name} are running, the limit; it did not run",
            limit=MAX_URGENT,
            current=MAX_URGENT,
            retry_after_s=0.1,
        )
