"""This process's clock: it never goes back, and runs on while the computer sleeps.

A call that slept with its computer must look old, and a connection that did must look silent. Linux's
monotonic clock stands still meanwhile, and so does what Python calls monotonic on macOS.
"""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable

if sys.platform == "linux":
    clock_s: Callable[[], float] = functools.partial(time.clock_gettime, time.CLOCK_BOOTTIME)
    _clock_ns: Callable[[], int] = functools.partial(time.clock_gettime_ns, time.CLOCK_BOOTTIME)
elif sys.platform == "darwin":
    clock_s = functools.partial(time.clock_gettime, time.CLOCK_MONOTONIC)
    _clock_ns = functools.partial(time.clock_gettime_ns, time.CLOCK_MONOTONIC)
else:
    clock_s = time.monotonic
    _clock_ns = time.monotonic_ns


def clock_ms() -> int:
    """The clock in ms, as it stands in messages; only its own process compares its values."""
    return _clock_ns() // 1_000_000
