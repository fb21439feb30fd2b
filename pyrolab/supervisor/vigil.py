"""Whether the Python of a process runs, judged by the pulse that it gives. Time is an argument.

All times are those of `Uptime`: while the supervisor itself does not run, because its computer sleeps or
somebody has stopped it, nobody's silence counts.
"""

from __future__ import annotations

from dataclasses import dataclass

#: How often a process whose Python runs says so.
PULSE_S = 0.5
#: The supervisor looks at least this often.
TICK_S = 0.25
#: After a longer pause than this, the supervisor itself has slept, and only one tick of it counts.
_LONGEST_STEP_S = 2 * TICK_S
#: A pulse may have been on its way for so long; one that comes later was given after what came before it.
_UNDER_WAY_S = 0.1


@dataclass(frozen=True)
class WhenStuck:
    """What is done about a process whose Python does not run; `DaemonConfiguration` explains it."""

    hung_after_s: float = 5.0
    restart: bool = False
    kill_at_stop: bool = False
    stop_patience_s: float = 1.0


class Uptime:
    """The time for which the supervisor itself has run."""

    def __init__(self) -> None:
        self.s = 0.0
        self._last: float | None = None

    def advance(self, now: float) -> None:
        """It runs now."""
        if self._last is not None:
            passed = now - self._last
            self.s += passed if passed <= _LONGEST_STEP_S else TICK_S
        self._last = now


class Vigil:
    """Over one process, from its first pulse to its end."""

    def __init__(self, when_stuck: WhenStuck, now: float) -> None:
        self._when_stuck = when_stuck
        self._heard = now
        self._stopped: float | None = None
        self._stop_reason = ""

    def pulse(self, now: float) -> None:
        """Its Python runs."""
        self._heard = now

    def emergency(self, reason: str, now: float) -> None:
        """There is an emergency stop; from now on it may have to show soon that it is not stuck."""
        if self._when_stuck.kill_at_stop:
            self._stopped, self._stop_reason = now, reason

    def emergency_is_over(self) -> None:
        """It may be as slow as at other times."""
        self._stopped = None

    def silent_s(self, now: float) -> float:
        """For how long it has given no pulse."""
        return now - self._heard

    def is_hung(self, now: float) -> bool:
        """Whether it has been silent for too long."""
        return self.silent_s(now) >= self._when_stuck.hung_after_s

    def sentence(self, now: float) -> str:
        """Why the process is to be ended now; empty if it is not."""
        if self._is_stuck_at_stop(now):
            what = f"hung at the emergency stop ({self._stop_reason or 'no reason was given'})"
        elif self._when_stuck.restart and self.is_hung(now):
            what = "hung"
        else:
            return ""
        return f"{what}: its Python did not run for {self.silent_s(now):.0f} s, so it was ended"

    def _is_stuck_at_stop(self, now: float) -> bool:
        if self._stopped is None or now - self._stopped < self._when_stuck.stop_patience_s:
            return False
        if self._heard <= self._stopped + _UNDER_WAY_S:
            return True
        self._stopped = None  # it has shown since that it runs
        return False
