"""Names that stand for nothing any more go by themselves after a while, if the lab wants that."""

from __future__ import annotations

import logging

from pyrolab_broker.core.state import State


class Cleaning:
    """Removes names of this broker's objects that nobody has hosted for `autoclean_s`."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._missing: dict[str, float] = {}
        self._next = 0.0

    def check(self) -> None:
        """Look at all names, but not at every tick."""
        state, patience_s = self._state, self._state.settings.autoclean_s
        if not patience_s or state.now < self._next:
            return
        self._next = state.now + min(patience_s / 4, 60.0)
        missing = {name: self._missing.get(name, state.now) for name in self._idle()}
        gone = [name for name, since in missing.items() if state.now - since >= patience_s]
        if gone:
            state.names.remove(*gone)
            text = "nobody has hosted what these names stand for in the last %g s, so they go: %s"
            state.note(logging.INFO, text, patience_s, ", ".join(gone))
        self._missing = {name: since for name, since in missing.items() if name not in gone}

    def _idle(self) -> list[str]:
        """The names of objects that nobody hosts now; what other brokers host is theirs to know."""
        found = []
        for name, entry in self._state.names.all():
            protocol, _, object_id = entry.uri.partition(":")
            here = protocol == "PYRO" and "@" not in object_id
            if here and object_id.encode() not in self._state.services:
                found.append(name)
        return found
