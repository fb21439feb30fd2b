"""Wait until a file descriptor can be read, or somebody calls `wake`; without touching any ZeroMQ socket."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable

#: Windows delivers Ctrl-C only between waits.
_LONGEST_WAIT_S = 0.5
_LONGEST_WAIT_MS = 500


class Readiness:
    """One waiter at a time; `wake` from any thread."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._asleep, self._alarm = socket.socketpair()
        self._asleep.setblocking(False)
        self._alarm.setblocking(False)
        self._quiet = [(fd, select.POLLIN)] if hasattr(select, "poll") else []
        self._poll = self._new_poll() if hasattr(select, "poll") else self._select

    def _new_poll(self) -> Callable[[float], list[tuple[int, int]]]:
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        poll.register(self._asleep, select.POLLIN)
        return poll.poll

    def _select(self, timeout_ms: float) -> list[tuple[int, int]]:
        readable, _, _ = select.select([self._fd, self._asleep.fileno()], [], [], timeout_ms / 1000)
        return [(fd, 1) for fd in readable]

    def wait(self, timeout_s: float) -> None:
        """Return when there may be something to read, after a `wake`, or after at most `timeout_s`."""
        timeout_ms = _LONGEST_WAIT_MS if timeout_s >= _LONGEST_WAIT_S else max(timeout_s * 1000, 0)
        ready = self._poll(timeout_ms)
        if ready and ready != self._quiet:
            try:
                while self._asleep.recv(64):
                    pass
            except BlockingIOError:
                pass

    def wake(self) -> None:
        """End the wait that is going on, or the next one."""
        try:
            self._alarm.send(b"\0")
        except OSError:
            pass  # full of alarms already, or closed: the waiter is awake

    def close(self) -> None:
        """Free the descriptors."""
        self._asleep.close()
        self._alarm.close()
