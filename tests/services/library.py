"""A library catalogue, as in the tutorial."""

from __future__ import annotations

from pyrolab.api import Service, behavior, expose


@behavior(instance_mode="single")
@expose
class Library(Service):
    """Books and how many copies of each are in."""

    def __init__(self) -> None:
        self._copies: dict[str, int] = {}

    def add_book(self, title: str, copies: int = 1) -> None:
        """Add copies of a book."""
        if copies < 1:
            raise ValueError(f"{copies} copies of {title!r} can't be added")
        self._copies[title] = self._copies.get(title, 0) + copies

    def remove_book(self, title: str) -> None:
        """Remove a book."""
        self._known(title)
        del self._copies[title]

    def checkout(self, title: str) -> None:
        """Take one copy."""
        self._known(title)
        if not self._copies[title]:
            raise ValueError(f"no copy of {title!r} is in")
        self._copies[title] -= 1

    def checkin(self, title: str) -> None:
        """Bring one copy back."""
        self._known(title)
        self._copies[title] += 1

    def get_catalog(self) -> dict[str, int]:
        """All books and how many copies are in."""
        return dict(self._copies)

    def _known(self, title: str) -> None:
        if title not in self._copies:
            raise LookupError(f"the library has no {title!r}")
