"""What processes of tests do first: they show their stacks when asked, and never outlive the test."""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal
import sys

#: Set in the environment of those that are to end with the thread that started them.
WITH_PARENT = "TEST_CHILD_ENDS_WITH_PARENT"
_PR_SET_PDEATHSIG = 1


def prepare() -> None:
    """Call it before anything else. SIGUSR1 writes the stacks of all threads to stderr from then on."""
    if hasattr(signal, "SIGUSR1"):
        faulthandler.register(signal.SIGUSR1)
    if WITH_PARENT in os.environ and sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
