"""A service with members of names that every proxy has for itself otherwise."""

from __future__ import annotations

from pyrolab.api import Service, expose


@expose
class Door(Service):
    """It is locked in its own way."""

    def lock(self, which: str) -> str:
        """Turn the key."""
        return f"the {which} door is locked"

    @property
    def status(self) -> str:
        """How it stands."""
        return "shut"
