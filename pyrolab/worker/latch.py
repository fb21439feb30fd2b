"""Whether an emergency stop is on: from its first moment until it is reset, nothing but reading is begun."""

from __future__ import annotations

import time
from dataclasses import dataclass

from pyrolab.worker.refusing import NotRun


@dataclass(frozen=True, slots=True)
class Stop:
    """An emergency stop; `since` is Unix time in s. A broker that forgot its numbers tells by that."""

    number: int
    reason: str = ""
    user: str = ""
    host: str = ""
    since: float = 0.0

    def __str__(self) -> str:
        clock = time.strftime("%H:%M:%S", time.localtime(self.since))
        who = f"{self.user or 'somebody'}@{self.host or 'somewhere'}"
        return f"emergency stop by {who} at {clock}: {self.reason or 'no reason given'}"

    def refusal(self) -> NotRun:
        """Why a call that may change something does not run."""
        text = (
            f"not executed: {self}. When all is safe, `pyrolab estop --reset` or "
            "ns.reset_emergency_stop() lets calls run again"
        )
        return NotRun("stopped", text, reason=self.reason, user=self.user, since=self.since)


class Latch:
    """Set by a stop, and released by a reset only."""

    __slots__ = ("stop",)

    def __init__(self) -> None:
        self.stop: Stop | None = None
