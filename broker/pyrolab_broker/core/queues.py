"""The queue in front of a service: first in, first out for each client, and clients in turn.

A client that floods the queue waits behind its own calls; another client's next call is at most one
round away. Whoever keeps a queue bounds it: it tells its length, and gives up the newest of the longest line.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


class FairQueue(Generic[Item]):
    """Items of several owners, given out round-robin over the owners."""

    __slots__ = ("_length", "_turns")

    def __init__(self) -> None:
        self._turns: OrderedDict[Hashable, deque[Item]] = OrderedDict()
        self._length = 0

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

    def pop(self) -> Item:
        """The next item; its owner's next one waits for everybody's turn. Raises `IndexError` if empty."""
        if not self._length:
            raise IndexError("the queue is empty")
        owner, line = next(iter(self._turns.items()))
        item = line.popleft()
        self._length -= 1
        if line:
            self._turns.move_to_end(owner)
        else:
            del self._turns[owner]
        return item

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
