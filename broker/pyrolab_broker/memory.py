"""The memory of a message that has been passed on is kept for the next one, where the C library lets us.

When several large messages have been on their way at once, glibc gives their memory back to the system, which
then clears it anew for the next ones, page by page: that takes longer than passing them on.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
from typing import Final

#: From `malloc.h` of glibc.
_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
#: Messages up to this size use memory that is kept; glibc allows no more, and comes to it by itself in time.
KEPT_BYTES: Final = 32 << 20
#: How much stays free at most in each of its heaps, of which ZeroMQ's thread uses one.
_FREE_BYTES: Final = 64 << 20


def keep_freed_memory() -> None:
    """From now on, in this whole process. Does nothing where there is no glibc."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # musl has no such function
            mallopt = ctypes.CDLL(None).mallopt
            mallopt(_MMAP_THRESHOLD, KEPT_BYTES)
            mallopt(_TRIM_THRESHOLD, _FREE_BYTES)
