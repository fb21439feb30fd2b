"""Wait until a file descriptor can be read, or somebody calls `wake`; without touching any ZeroMQ socket."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable

#: Windows delivers Ctrl-C only between waits.
_LONGEST_WAIT_S = 0.5


class Readiness:
    """One waiter at a time; `wake` from any thread."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._asleep, self._alarm = socket.socketpair()
        self._asleep.setblocking(False)
        self._alarm.setblocking(False)
        self._ready = self._poll() if hasattr(select, "poll") else self._select

    def _poll(self) -> Callable[[float], bool]:
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        poll.register(self._asleep, select.POLLIN)
        alarm_fd = self._asleep.fileno()

        def ready(timeout_s: float) -> bool:
            ready_fds = poll.poll(timeout_s * 1000)
            return len(ready_fds) > 1 or (len(ready_fds) == 1 and ready_fds[0][0] == alarm_fd)

        return ready

    def _select(self, timeout_s: float) -> bool:
        alarm_fd = self._asleep.fileno()
        readable, _, _ = select.select([self._fd, alarm_fd], [], [], timeout_s)
        return alarm_fd in readable

    def wait(self, timeout_s: float) -> None:
        """Return when there may be something to read, after a `wake`, or after at most `timeout_s`."""
        if self._ready(min(max(timeout_s, 0.0), _LONGEST_WAIT_S)):
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
