"""One thread for all idle connections of this process: it keeps their sessions alive."""

from __future__ import annotations

import os
import threading
import weakref
from typing import Protocol


class Kept(Protocol):
    """What the keeper looks after."""

    @property
    def closed(self) -> bool:
        """Whether there is nothing to keep any longer."""
        ...

    def tend(self) -> None:
        """Take in what has arrived and ping if it is time; must not block."""


_PERIOD_S = 0.5

_kept: weakref.WeakSet[Kept] = weakref.WeakSet()
_lock = threading.Lock()
_thread_of_process: dict[int, threading.Thread] = {}


def keep(connection: Kept) -> None:
    """Look after `connection` until it is closed or forgotten."""
    with _lock:
        _kept.add(connection)
        if os.getpid() not in _thread_of_process:
            thread = threading.Thread(target=_look_after, name="pyrolab-keeper", daemon=True)
            _thread_of_process[os.getpid()] = thread
            thread.start()


def _look_after() -> None:
    rest = threading.Event()
    while True:
        with _lock:
            for gone in [connection for connection in _kept if connection.closed]:
                _kept.discard(gone)
            connections = list(_kept)
            if not connections:
                del _thread_of_process[os.getpid()]
                return
        for connection in connections:
            connection.tend()
        del connections
        rest.wait(_PERIOD_S)


def _forget_parent() -> None:
    """In a forked child: the parent's connections and thread are not ours."""
    global _kept, _lock
    _kept = weakref.WeakSet()
    _lock = threading.Lock()
    _thread_of_process.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_parent)
