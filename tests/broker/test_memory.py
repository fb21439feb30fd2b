"""The memory of large messages is kept for the next ones, not given back and cleared each time."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from pyrolab_broker.memory import KEPT_BYTES, keep_freed_memory

#: In a process of its own: four large pieces of memory come, are filled, and go, again and again.
CODE = """
import resource, sys
from pyrolab_broker.memory import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
def pass_on():
    messages = [bytes([1]) * (8 << 20) for _ in range(4)]
for _ in range(4):
    pass_on()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(4):
    pass_on()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def pages_cleared(how: str) -> int:
    """The pages that the system had to give this process anew."""
    said = subprocess.run([sys.executable, "-c", CODE, how], capture_output=True, text=True, check=True)
    return int(said.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="this C library is never told")
def test_freed_memory_is_used_again() -> None:
    assert pages_cleared("keep") < 1000 < pages_cleared("as it comes")


def test_where_it_cannot_be_kept_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    for system in ("win32", "darwin"):
        monkeypatch.setattr(sys, "platform", system)
        keep_freed_memory()
    assert KEPT_BYTES <= 32 << 20  # glibc ignores more
