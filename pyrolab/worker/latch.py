"""Whether an emergency stop is on: from its first moment until it is reset, nothing but reading is begun."""

from __future__ import annotations

from pyrolab.protocol.emergency import Stop


class Latch:
    """Set by a stop, and released by a reset only."""

    __slots__ = ("stop",)

    def __init__(self) -> None:
        self.stop: Stop | None = None
