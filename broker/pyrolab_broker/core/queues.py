"""The queue in front of a service: first in, first out for each client, and clients in turn.

A client that floods the queue waits behind its own calls; another client's next call is at most one
round away. Items that are bulk let other owners' small ones pass, but not for ever, and never overtake within
one line. Whoever keeps a queue bounds it: it tells its length, and gives up the newest of the longest line.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Container, Hashable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")

#: How many small items may pass a bulk one.
PATIENCE = 8


class FairQueue(Generic[Item]):
    """Items of several owners, given out round-robin over the owners."""

    __slots__ = ("_is_bulk", "_length", "_passed", "_turns")

    def __init__(self, is_bulk: Callable[[Item], bool] = lambda item: False) -> None:
        self._turns: OrderedDict[Hashable, deque[Item]] = OrderedDict()
        self._length = 0
        self._is_bulk = is_bulk
        self._passed = 0

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Item]:
        """All items, owner by owner."""
        for line in self._turns.values():
            yield from line

    def push(self, owner: Hashable, item: Item) -> None:
        """Put `item` at the end of its owner's line."""
        line = self._turns.get(owner)
        if line is None:
            line = self._turns[owner] = deque()
        line.append(item)
        self._length += 1

    def pop(self, only: Container[Hashable] | None = None) -> Item:
        """The next item; its owner's next one waits for everybody's turn.

        With `only`, of these owners. Raises `IndexError` if there is none.
        """
        owner = self._next_owner(only)
        line = self._turns[owner]
        item = line.popleft()
        self._length -= 1
        if line:
            self._turns.move_to_end(owner)
        else:
            del self._turns[owner]
        return item

    def _next_owner(self, only: Container[Hashable] | None) -> Hashable:
        owners = [each for each in self._turns if only is None or each in only]
        if not owners:
            raise IndexError("the queue is empty")
        first = owners[0]
        if len(owners) == 1 or not self._is_bulk(self._turns[first][0]):
            return first
        small = next((each for each in owners if not self._is_bulk(self._turns[each][0])), None)
        if small is None or self._passed >= PATIENCE:
            self._passed = 0
            return first
        self._passed += 1
        return small

    def remove(self, owner: Hashable, item: Item) -> None:
        """Take one item out. Raises `ValueError` if it is not there."""
        line = self._turns.get(owner)
        if line is None:
            raise ValueError("not in the queue")
        line.remove(item)
        self._length -= 1
        if not line:
            del self._turns[owner]

    def length_of(self, owner: Hashable) -> int:
        """How many items of one owner wait."""
        return len(self._turns.get(owner, ()))

    def longest(self) -> Hashable:
        """The owner with the most items. Raises `IndexError` if there is none."""
        if not self._length:
            raise IndexError("the queue is empty")
        return max(self._turns, key=self.length_of)

    def pop_newest(self, owner: Hashable) -> Item:
        """Take out, and return, the last item of an owner's line. Raises `IndexError` if it has none."""
        if not self.length_of(owner):
            raise IndexError("not in the queue")
        line = self._turns[owner]
        item = line.pop()
        self._length -= 1
        if not line:
            del self._turns[owner]
        return item

    def drop_owner(self, owner: Hashable) -> list[Item]:
        """Take out, and return, everything of one owner."""
        line = self._turns.pop(owner, deque())
        self._length -= len(line)
        return list(line)

    def clear(self) -> list[Item]:
        """Take out, and return, everything."""
        items = list(self)
        self._turns.clear()
        self._length = 0
        return items
