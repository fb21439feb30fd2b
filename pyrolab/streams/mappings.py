"""The subscriber's side of shared memory: what it has opened of one stream stays open while it is in use."""

from __future__ import annotations

import threading
from typing import Any

from pyrolab.errors import ProtocolError
from pyrolab.streams.memory import MemoryUnreachable, open_segment

#: Segments that one subscription keeps open, whatever the publisher says.
MAX_MAPPINGS = 256


class Mappings:
    """The segments of one stream that have been opened, by their references."""

    def __init__(self) -> None:
        #: The most recently used last.
        self._opened: dict[tuple[Any, ...], memoryview] = {}
        self._lock = threading.Lock()
        self._closed = False

    def view(self, reference: Any, nbytes: int, blocks: int) -> memoryview:
        """The first `nbytes` of a segment, to read; `blocks` is how many of them are in use.

        Raises `MemoryUnreachable` if it cannot be opened, `ProtocolError` if it has not so many bytes.
        """
        if type(blocks) is not int or type(nbytes) is not int:
            raise ProtocolError("the sizes of shared memory are whole numbers")
        memory = self._segment(reference, min(max(blocks, 1), MAX_MAPPINGS))
        if not 0 <= nbytes <= memory.nbytes:
            raise ProtocolError(f"a frame of {nbytes} bytes is not in shared memory of {memory.nbytes}")
        return memory[:nbytes]

    def _segment(self, reference: Any, most: int) -> memoryview:
        with self._lock:
            if self._closed:
                raise MemoryUnreachable("the subscription has been closed")
            try:
                key = tuple(reference)
                memory = self._opened.pop(key, None)
            except TypeError:
                raise MemoryUnreachable("this is no reference to shared memory") from None
            if memory is None:
                memory = open_segment(reference)
            self._opened[key] = memory
            while len(self._opened) > most:
                del self._opened[next(iter(self._opened))]
            return memory

    def close(self) -> None:
        """Open nothing more. Views that somebody has stay good."""
        with self._lock:
            self._closed = True
            self._opened.clear()

    def __len__(self) -> int:
        return len(self._opened)
