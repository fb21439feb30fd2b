"""A service that passes on what it is given, and knows none of its classes."""

from __future__ import annotations

from typing import Any

from pyrolab.api import behavior, expose


@behavior(instance_mode="single")
class Dispatcher:
    def __init__(self) -> None:
        self._last: Any = None

    @expose
    def give(self, value: Any) -> str:
        """Take a value; returns the names of its type and of what it is labelled with."""
        self._last = value
        label = getattr(value, "info", None) or getattr(value, "type_name", "")
        return f"{type(value).__name__} {label}"

    @expose
    def take(self) -> Any:
        """The value that was given last."""
        return self._last
