"""An interface as a client uses it: with the functions that check arguments, made when they are first
needed.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable

from pyrolab.protocol.interface import Interface


class Shape:
    """What an object of a service looks like from here."""

    __slots__ = ("checkers", "interface", "methods", "properties")

    def __init__(self, interface: Interface) -> None:
        self.interface = interface
        self.methods = interface.methods
        self.properties = interface.properties
        #: Functions that raise what Python raises for wrong arguments, by the names of methods.
        self.checkers: dict[str, Callable[..., None]] = {}

    @property
    def type_name(self) -> str:
        """The name of the class there, without its module."""
        return self.interface.type_name.rpartition(":")[2].rpartition(".")[2]

    def checker(self, name: str) -> Callable[..., None]:
        """The function that checks the arguments of a method."""
        from pyrolab.client.signatures import checker_of

        return self.checkers.setdefault(name, checker_of(self.methods[name]))

    def unknown(self, name: str, where: str) -> AttributeError:
        """The error for a member that is not offered; it lists those with close names."""
        close = difflib.get_close_matches(name, self.interface.names(), n=3)
        hint = "; did you mean " + " or ".join(map(repr, close)) + "?" if close else ""
        return AttributeError(f"{where!r} offers no {name!r}{hint}", name=name)
