"""An emergency stop, as the broker declares it and workers obey it; both refuse calls in the same words."""

from __future__ import annotations

from typing import Any, NamedTuple

from pyrolab.protocol.moments import time_of_day


class Stop(NamedTuple):
    """An emergency stop; `since` is Unix time in s. A broker that forgot its numbers tells by that."""

    number: int
    reason: str = ""
    user: str = ""
    host: str = ""
    since: float = 0.0

    def __str__(self) -> str:
        who = f"{self.user or 'somebody'}@{self.host or 'somewhere'}"
        return f"emergency stop by {who} at {time_of_day(self.since)}: {self.reason or 'no reason given'}"

    @property
    def facts(self) -> dict[str, Any]:
        """What is told of it besides its number."""
        return {"reason": self.reason, "user": self.user, "host": self.host, "since": self.since}

    @property
    def refusal(self) -> tuple[str, dict[str, Any]]:
        """Why a call that may change something does not run: the text, and what travels with it."""
        text = (
            f"not executed: {self}. When all is safe, `pyrolab estop --reset` or "
            "ns.reset_emergency_stop() lets calls run again"
        )
        return text, {"reason": self.reason, "user": self.user, "since": self.since}
