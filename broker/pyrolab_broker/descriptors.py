"""How many connections this process may hold: one file descriptor each, and a few for itself.

At the limit, ZeroMQ's thread turns round and round and nobody new is served; so the limit is raised as far as
the system lets us, and somebody is told in time.
"""

from __future__ import annotations

import logging
import os
import sys

log = logging.getLogger("pyrolab.broker")

#: What is asked for, and the part of it at which it is time to say so.
WANTED = 65_536
ALARM = 0.8


def raise_limit() -> int | None:
    """Allow as many as the system lets us. Returns how many; None where there is no such limit."""
    if sys.platform == "win32":
        return None
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (ValueError, OSError) as error:
            log.warning("the limit of open files stays at %d: %s", soft, error)
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


class Alarm:
    """Says once when most of the descriptors are in use, and again after it has been better."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._is_on = False

    def look(self) -> None:
        """Count; call it now and then."""
        in_use = _in_use()
        if self._limit is None or in_use is None:
            return
        is_on = in_use > ALARM * self._limit
        if is_on and not self._is_on:
            text = "%d of %d file descriptors are in use; at the limit nobody new is served: ulimit -n"
            log.error(text, in_use, self._limit)
        self._is_on = is_on


def _in_use() -> int | None:
    for directory in ("/proc/self/fd", "/dev/fd"):
        try:
            return len(os.listdir(directory))
        except OSError:
            continue
    return None
