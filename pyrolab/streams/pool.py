"""The memory of a stream's frames: blocks that come back when nobody looks at them any longer.

No lock is ever held or waited for here: what comes back is put on a deque, in whatever thread that happens.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import mmap
import os
import weakref
from collections import deque
from enum import Enum
from typing import Any

import numpy as np

from pyrolab.streams import memory
from pyrolab.streams.lease import lease

log = logging.getLogger("pyrolab.streams")

#: A block is used for what is not much smaller than it is.
_MOST_TIMES, _SMALL_BYTES = 4, 1 << 16
#: Blocks that so many takes have not needed are dropped.
_TAKES = 1000


class _State(Enum):
    FREE = "free"
    TAKEN = "taken"  #: by whoever fills it
    LENT = "lent"  #: to all who look at it


class Block:
    """Memory for one frame: `view` of `capacity` bytes. Others open it by `reference`; None: they cannot."""

    __slots__ = ("__weakref__", "_live", "_pid", "_pool", "_retired", "_segment", "_state", "number", "view")

    def __init__(self, pool: Pool, number: int, segment: memory.Segment | None, view: memoryview) -> None:
        self.number = number
        self.view = view
        self._segment = segment
        self._pool = weakref.ref(pool)
        self._live = pool._live
        self._pid = os.getpid()
        self._retired = False
        self._state = _State.TAKEN
        self._live.add(number)

    @property
    def capacity(self) -> int:
        """How many bytes it has."""
        return self.view.nbytes

    @property
    def reference(self) -> list[Any] | None:
        """By which others can open it."""
        return self._segment.reference if self._segment is not None else None

    def lend(self, nbytes: int) -> memoryview:
        """A read-only view of the first `nbytes`; with the end of all that comes of it, the block is free."""
        self._check(_State.TAKEN)
        lent = lease(self.view, nbytes, self._come_back)
        self._state = _State.LENT
        return lent

    def give_back(self) -> None:
        """It was taken, and is not needed: nobody has got it."""
        self._check(_State.TAKEN)
        self._come_back()

    def retire(self) -> None:
        """It is never used again; somebody may look at it for ever. Its memory goes when nobody does."""
        self._retired = True
        self._live.discard(self.number)

    def _check(self, state: _State) -> None:
        if self._state is not state:
            raise RuntimeError(f"block {self.number} is {self._state.value}; take one for each frame")

    def _come_back(self) -> None:
        """In any thread, and inside anything."""
        pool = self._pool()
        self._state = _State.FREE
        if pool is None or pool._closed or self._retired:
            self._drop()
        else:
            pool._free.append(self)

    def _take(self, nbytes: int) -> bool:
        """Whether it serves for so many bytes; then it is taken."""
        largest = max(_MOST_TIMES * nbytes, _SMALL_BYTES)
        # After a fork, it is the parent's.
        serves = nbytes <= self.view.nbytes <= largest and not self._retired and self._pid == os.getpid()
        if serves:
            self._state = _State.TAKEN
        return serves

    def _drop(self) -> None:
        self._live.discard(self.number)
        if self._segment is not None:
            self._segment.close()

    def __del__(self) -> None:
        self._live.discard(self.number)

    def __repr__(self) -> str:
        state = "retired" if self._retired else self._state.value
        return f"<block {self.number}, {self.capacity} bytes, {state}>"


class Pool:
    """The blocks of one stream. `kind` as in `memory.create`; with `private`, nobody else can open them.

    `reason` says why blocks are private, "" while they are shared.
    """

    def __init__(self, kind: str | None = None, private: bool = False) -> None:
        self.reason = "this pool was made for private memory" if private else ""
        self._kind = kind
        self._private = private
        self._warned = False
        self._closed = False
        self._numbers = itertools.count(1)
        #: The most recently freed at the right: it is in the caches.
        self._free: deque[Block] = deque()
        self._live: set[int] = set()
        #: How many takes are left of a thousand, and how many blocks none of them has needed.
        self._left = _TAKES
        self._spare = 0

    def take(self, nbytes: int) -> Block:
        """A block for `nbytes`, to be filled and lent; free ones of another size are dropped on the way.

        Raises `MemoryError` if there is no memory of any kind.
        """
        self._drop_spare()
        while (block := self._pop()) is not None:
            if block._take(nbytes):
                return block
            block._drop()
        return self._new(nbytes)

    def _drop_spare(self) -> None:
        """After a burst, its blocks would stay for ever: drop those that nobody has needed since."""
        self._spare = min(self._spare, max(len(self._free) - 1, 0))
        self._left -= 1
        if self._left > 0:
            return
        for _ in range(self._spare):
            with contextlib.suppress(IndexError):
                self._free.popleft()._drop()
        self._left, self._spare = _TAKES, len(self._free)

    def _pop(self) -> Block | None:
        try:
            return self._free.pop()
        except IndexError:
            return None

    def _new(self, nbytes: int) -> Block:
        size = max(-(-nbytes // mmap.PAGESIZE), 1) * mmap.PAGESIZE
        number = next(self._numbers)
        segment = None if self._private else self._shared(size)
        if segment is None:
            return Block(self, number, None, np.zeros(size, np.uint8).data)
        return Block(self, number, segment, segment.view)

    def _shared(self, size: int) -> memory.Segment | None:
        try:
            segment = memory.create(size, self._kind)
        except memory.NoSharedMemory as error:
            self._fall_back(str(error))
            return None
        self.reason = ""
        return segment

    def _fall_back(self, reason: str) -> None:
        self.reason = reason
        if not self._warned:
            self._warned = True
            log.warning("frames go by the network on this computer, too: %s", reason)

    def trim(self) -> None:
        """Drop all free blocks."""
        while (block := self._pop()) is not None:
            block._drop()

    def close(self) -> None:
        """Nothing is used again; what is looked at stays as long as it is."""
        self._closed = True
        self.trim()

    def __len__(self) -> int:
        """How many blocks there are that are or can be used."""
        return len(self._live)
