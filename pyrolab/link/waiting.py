"""Which services wait for what runs here: a call to one of them could never be answered.

A service carries out one call at a time. If A calls B, and B calls C, and C calls A, then A waits for
itself. So
calls that are waited for carry the names of those who wait, and the last call of such a circle is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from pyrolab.errors import ProtocolError, WouldDeadlock

#: Services in one chain of calls.
MAX_CHAIN = 64
KEY = "waiting"

_chain: ContextVar[tuple[str, ...]] = ContextVar("pyrolab_waiting", default=())
#: The object ids of the services that wait.
chain = _chain.get


def enter(object_id: str, context: dict[str, Any] | None) -> None:
    """A service begins a call that came with `context`. Raises `ProtocolError` for nonsense in it."""
    before = context.get(KEY) if context is not None else None
    now = (*_checked(before), object_id) if before is not None else (object_id,)
    if now != chain():
        _chain.set(now)


def _checked(before: Any) -> list[str]:
    if type(before) is not list or len(before) > MAX_CHAIN or not all(type(each) is str for each in before):
        raise ProtocolError(f"those who wait are an array of at most {MAX_CHAIN} object ids")
    return before


def with_chain(context: dict[str, Any] | None) -> dict[str, Any] | None:
    """`context` for a call that is waited for."""
    waiting = chain()
    return {**(context or {}), KEY: list(waiting[-MAX_CHAIN:])} if waiting else context


@contextmanager
def waits(object_id: str | None) -> Iterator[None]:
    """What runs inside is what this service waits for, and nobody else; None: nobody waits."""
    token = _chain.set((object_id,) if object_id is not None else ())
    try:
        yield
    finally:
        _chain.reset(token)


def check(object_id: bytes, name: str) -> None:
    """Raise `WouldDeadlock` if this service waits for what runs here."""
    if chain() and object_id.decode("utf-8", "replace") in chain():
        raise WouldDeadlock(
            f"{name} waits for what is running here, so it cannot answer a call now; return first, "
            "call in another thread, or use a oneway method"
        )
