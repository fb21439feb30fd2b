"""What has become of the calls to a service, in numbers."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

#: Percentiles are of so many calls.
REMEMBERED = 512


class Statistics:
    """Counts, and how long the latest calls took from being handed over to being answered (s)."""

    __slots__ = ("calls", "durations", "expired", "refused")

    def __init__(self) -> None:
        self.calls = self.refused = self.expired = 0
        self.durations: deque[float] = deque(maxlen=REMEMBERED)

    def percentiles_ms(self) -> tuple[float | None, float | None]:
        """The 50th and 99th percentile of the latest calls' service times in ms; None without calls."""
        ordered = sorted(self.durations)
        return _percentile_ms(ordered, 0.5), _percentile_ms(ordered, 0.99)


def _percentile_ms(ordered: Sequence[float], fraction: float) -> float | None:
    """The nearest-rank percentile."""
    if not ordered:
        return None
    return 1000 * ordered[min(int(len(ordered) * fraction), len(ordered) - 1)]
