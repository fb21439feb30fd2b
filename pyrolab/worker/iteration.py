"""The items of an iterator that lives here, taken by a client some at a time.

A client that reads on gets more items with each answer, so that thousands a second travel. But an iterator
may
move an instrument: it runs ahead of its reader for at most `AHEAD_S`, so items that take longer come one by
one.
"""

from __future__ import annotations

import time
from typing import Any

from pyrolab.worker.context import CurrentCall
from pyrolab.worker.held import Keepsake

#: How long an iterator may run ahead of its reader.
AHEAD_S = 0.001
#: Items, and bytes of arrays in them, of one answer.
MAX_ITEMS = 1024
_MAX_BYTES = 1 << 20


def take(kept: Keepsake, call: CurrentCall, count: int, *sent: Any) -> list[Any]:
    """`[items, ended]`: up to `count` of the next items. Raises what the iterator raises.

    With `sent`, one value that is sent into a generator first.
    """
    iterator = kept.value
    items: list[Any] = []
    if sent:
        return [[iterator.send(sent[0])], False]
    size, until = 0, time.monotonic() + AHEAD_S
    for _ in range(min(max(count, 1), MAX_ITEMS)):
        try:
            item = kept.ahead.popleft() if kept.ahead else _fresh(kept)
        except StopIteration:
            return [items, True]
        except Exception as error:
            if not items:
                raise
            kept.failure = error  # after the items that came before it
            break
        items.append(item)
        size += getattr(item, "nbytes", 0)
        if size > _MAX_BYTES or time.monotonic() > until or call.cancelled:
            break
    return [items, False]


def _fresh(kept: Keepsake) -> Any:
    if kept.failure is not None:
        failure, kept.failure = kept.failure, None
        raise failure
    return next(kept.value)


def put_back_half(kept: Keepsake, taken: list[Any]) -> list[Any]:
    """Keep the second half of what was taken for the next time: one of the items cannot travel."""
    items, ended = taken
    half = len(items) // 2
    kept.ahead.extendleft(reversed(items[half:]))
    if ended:
        kept.failure = None
        kept.value = iter(())
    return [items[:half], False]
