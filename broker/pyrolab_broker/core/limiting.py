"""How often a client may call: a bucket of tokens, filled at a steady rate."""

from __future__ import annotations

import math


class Bucket:
    """`rate` calls in each second in the long run, `burst` of them at once. Time is an argument, in s."""

    __slots__ = ("_burst", "_left", "_rate", "_since")

    def __init__(self, rate: float, burst: int, now: float) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._left = self._burst
        self._since = now

    def take(self, now: float) -> float:
        """Take one token. Returns 0, or after how many s there will be one."""
        self._left = min(self._left + (now - self._since) * self._rate, self._burst)
        self._since = now
        if self._left >= 1:
            self._left -= 1
            return 0.0
        return (1 - self._left) / self._rate

    @property
    def per_minute(self) -> int:
        """The rate, as a whole number."""
        return math.ceil(60 * self._rate)
