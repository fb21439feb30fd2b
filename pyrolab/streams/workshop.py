"""Reduces and compresses frames for those who want them so: once for all of them, in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from pyrolab.streams.frames import Frame
from pyrolab.streams.variants import Variant
from pyrolab.streams.viewers import Viewer


class Workshop:
    """Tells `done(viewer)` when a frame has become what a viewer waits for. Ordered from one thread."""

    def __init__(self, done: Callable[[Viewer], object]) -> None:
        self._done = done
        self._executor: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()
        self._orders: dict[tuple[int, Variant], list[Viewer]] = {}

    def order(self, frame: Frame, variant: Variant, viewer: Viewer) -> None:
        """Have it made, unless somebody has ordered the same already."""
        key = (id(frame), variant)
        with self._lock:
            waiting = self._orders.get(key)
            if waiting is not None:
                if viewer not in waiting:
                    waiting.append(viewer)
                return
            self._orders[key] = [viewer]
        if self._executor is None:
            self._executor = ThreadPoolExecutor(1, thread_name_prefix="pyrolab-workshop")
        self._executor.submit(self._make, frame, variant, key)

    def _make(self, frame: Frame, variant: Variant, key: tuple[int, Variant]) -> None:
        frame.work_out(variant)
        with self._lock:
            waiting = self._orders.pop(key)
        for viewer in waiting:
            self._done(viewer)

    def close(self) -> None:
        """Make nothing more."""
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)
