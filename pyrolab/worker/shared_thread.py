"""One thread for several services: those at one physical connection, or of one vendor library."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable


class SharedThread:
    """Does one thing after the other, for all services that have joined it; ends when the last has left."""

    def __init__(self, name: str) -> None:
        self._tasks: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._members = 0
        self._has_ended = False
        self._thread = threading.Thread(target=self._work, name=f"pyrolab-{name}", daemon=True)

    def join(self) -> bool:
        """One more service runs here; False if the last one has just left."""
        with self._lock:
            if self._has_ended:
                return False
            self._members += 1
            if self._members == 1:
                self._thread.start()
            return True

    def leave(self) -> None:
        """One of them has come to its end."""
        with self._lock:
            self._members -= 1
            if not self._members:
                self._has_ended = True
                self._tasks.put(None)

    def put(self, task: Callable[[], object]) -> None:
        """Have something done here, after what waits already. It must not raise."""
        self._tasks.put(task)

    @property
    def is_current(self) -> bool:
        """Whether the caller is this thread."""
        return threading.current_thread() is self._thread

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            task()


class SharedThreads:
    """The shared threads of a daemon, by the names that its services give them."""

    def __init__(self) -> None:
        self._by_name: dict[str, SharedThread] = {}
        self._lock = threading.Lock()

    def joined(self, name: str) -> SharedThread:
        """The thread of this name, with one more service on it."""
        with self._lock:
            found = self._by_name.get(name)
            while found is None or not found.join():
                found = self._by_name[name] = SharedThread(name)
            return found
