"""A stage whose moves end when it is stopped."""

from __future__ import annotations

import threading

from pyrolab.api import Service, behavior, expose


@behavior(instance_mode="single")
@expose
class Brakes(Service):
    """`stop` is its stop hook: it has the name for that, and no other method is marked."""

    def __init__(self) -> None:
        self._braked = threading.Event()
        self._brakings = 0

    @property
    def brakings(self) -> int:
        """How often it was stopped."""
        return self._brakings

    def move(self) -> str:
        """Move until somebody stops it."""
        self._braked.clear()
        return "braked" if self._braked.wait(30) else "arrived"

    def stop(self) -> None:
        """Stop at once."""
        self._brakings += 1
        self._braked.set()
