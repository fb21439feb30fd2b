"""How long to wait between two tries of what may take a while to come back."""

from __future__ import annotations

import random

#: The first wait before connecting again, and the longest.
FIRST_S, LONGEST_S = 0.1, 2.0


class Backoff:
    """Pauses, each twice the last; shortened at random, so that not everybody comes at once."""

    def __init__(self, longest_s: float = LONGEST_S) -> None:
        self._longest_s = longest_s
        self._pause_s = FIRST_S

    @property
    def is_first(self) -> bool:
        """Whether the next pause is the first since the beginning, or since `reset`."""
        return self._pause_s == FIRST_S

    def reset(self) -> None:
        """It has worked: begin with short pauses again."""
        self._pause_s = FIRST_S

    def next_s(self) -> float:
        """The next pause."""
        pause_s = self._pause_s
        self._pause_s = min(2 * pause_s, self._longest_s)
        return pause_s * random.uniform(0.5, 1.0)  # noqa: S311 - spreads the load
