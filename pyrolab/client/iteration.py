"""An iterator or generator of a service: its items come when they are asked for, more at a time the more
are read.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from typing_extensions import Self

from pyrolab.client.node import HeldProxy
from pyrolab.protocol.envelope import Flag

#: Items that are asked for at a time: one at first, then more for whoever goes on reading.
_MOST_ITEMS = 1024


class RemoteIterator:
    """An iterator that lives at its service.

    It is closed there when it is exhausted, closed, or not needed any longer, and when its client ends. An
    iterator whose items take more than a millisecond each runs in step with its reader; a faster one runs
    ahead for a millisecond at most.
    """

    def __init__(self, held: HeldProxy) -> None:
        self._held: HeldProxy | None = held
        self._items: deque[Any] = deque()
        self._ask_for = 1
        self._ended = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        while not self._items:
            if self._ended:
                raise StopIteration
            self._fetch(self.due())
        return self._items.popleft()

    def due(self) -> int:
        """How many items to ask for now."""
        due, self._ask_for = self._ask_for, min(2 * self._ask_for, _MOST_ITEMS)
        return due

    def _fetch(self, *args: Any) -> None:
        held = self._held
        assert held is not None
        try:
            self.take(self._invoke(held, args))
        except Exception:
            self.close()
            raise

    def _invoke(self, held: HeldProxy, args: tuple[Any, ...]) -> Any:
        return held._attachment.invoke(held._steps, "next", args, None, Flag.NONE, held._session)

    def take(self, answer: Any) -> None:
        """Take in what the service has sent."""
        items, ended = answer
        self._items.extend(items)
        if ended:
            self._end()

    @property
    def held(self) -> HeldProxy | None:
        """What the service holds; None at the end."""
        return self._held

    @property
    def has_items(self) -> bool:
        """Whether there are items that have come already."""
        return bool(self._items)

    def pop(self) -> Any:
        """The next item that has come already."""
        return self._items.popleft()

    def send(self, value: Any) -> Any:
        """Send a value into the generator; returns its next item. Raises `StopIteration` at its end."""
        if self._held is None:
            raise StopIteration
        self._fetch(1, value)
        return self._items.pop()

    def close(self) -> None:
        """Close it at the service as well; no items come any more."""
        self._items.clear()
        self._end()

    def _end(self) -> None:
        held, self._held = self._held, None
        self._ended = True
        if held is not None:
            attachment = held._attachment
            del held  # it notes that the service need not hold it any longer
            attachment.tidy()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self.close()

    def __getattr__(self, name: str) -> Any:
        held = self.__dict__.get("_held")
        if held is None or name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(held, name)

    def __repr__(self) -> str:
        where = "exhausted or closed" if self._held is None else f"of {self._held._label}"
        return f"<remote iterator {where}>"
