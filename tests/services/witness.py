"""Services that tell what has happened in their process."""

from __future__ import annotations

import sys
from typing import Any

from pyrolab.api import Service, behavior, expose


@behavior(instance_mode="single")
@expose
class Witness(Service):
    """Counts, and says which modules are there."""

    def __init__(self) -> None:
        self._count = 0

    def count(self) -> int:
        """One more."""
        self._count += 1
        return self._count

    def take(self, *values: Any, **named: Any) -> str:
        """The names of the types of what came."""
        return ", ".join(type(each).__name__ for each in (*values, *named.values()))

    def loaded(self, module: str) -> bool:
        """Whether this process has imported a module."""
        return module in sys.modules

    def _secret(self) -> str:
        return "secret"
