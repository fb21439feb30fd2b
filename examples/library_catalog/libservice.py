"""A library's catalogue: a small service to learn PyroLab with, no instrument needed."""

from __future__ import annotations

from pyrolab.api import Service, behavior, expose


@behavior(instance_mode="single")
@expose
class LibraryCatalog(Service):
    """Counts the copies of each title that stand on the shelf."""

    def __init__(self) -> None:
        self._copies: dict[str, int] = {}

    def get_catalog(self) -> dict[str, int]:
        """Every title, and how many copies of it are there to be borrowed."""
        return self._copies

    def add_book(self, title: str, quantity: int = 1) -> None:
        """Put a title on the shelf, in this number of copies."""
        self._copies[title] = quantity

    def remove_book(self, title: str) -> None:
        """Take a title off the shelf for good. Raises LookupError if the library does not have it."""
        del self._copies[self._known(title)]

    def checkout(self, title: str, quantity: int = 1) -> None:
        """Borrow copies. Raises LookupError for an unknown title, ValueError if there are too few."""
        available = self._copies[self._known(title)]
        if available < quantity:
            raise ValueError(f"{title!r}: {quantity} wanted, {available} available")
        self._copies[title] -= quantity

    def checkin(self, title: str, quantity: int = 1) -> None:
        """Bring copies back. Raises LookupError for an unknown title."""
        self._copies[self._known(title)] += quantity

    def _known(self, title: str) -> str:
        if title not in self._copies:
            raise LookupError(f"the library has no book {title!r}")
        return title
