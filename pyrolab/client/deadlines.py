"""Deadlines for all calls in a stretch of a program."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_timeout: ContextVar[float | None] = ContextVar("pyrolab_timeout")

#: Seconds that a call may take that is made here and now; the argument is what counts if nothing else is
#: said.
deadline_here = _timeout.get


@contextmanager
def timeout(seconds: float | None) -> Iterator[None]:
    """`with timeout(5):` gives every call inside, through whichever proxy, a deadline of 5 s; None, none."""
    token = _timeout.set(seconds)
    try:
        yield
    finally:
        _timeout.reset(token)
