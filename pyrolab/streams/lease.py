"""A view of memory that tells when nobody looks at it any longer, nor at anything derived from it.

A memoryview itself cannot tell: NumPy, ZeroMQ and other memoryviews keep what is *behind* it. So there is an
array of bytes behind it, which all of them keep alive, and whose end is noticed. Nothing here takes a lock.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

_Token = np.ndarray[Any, np.dtype[np.uint8]]

#: What is being looked at, by the id of the reference that watches it, and what is to be called afterwards.
_watched: dict[int, tuple[weakref.ref[_Token], Callable[[], object]]] = {}


def lease(view: memoryview, nbytes: int, on_end: Callable[[], object]) -> memoryview:
    """A read-only view of the first `nbytes` of `view` (bytes), with `on_end` called after its end.

    That is when this view, and every array, memoryview and message that was made from it, is gone. `on_end`
    may run in any thread and inside any other call, so it must not wait for anything, nor raise; once the
    interpreter ends, it is not called any more. Raises `ValueError` if `view` has fewer bytes.
    """
    if not 0 <= nbytes <= view.nbytes:
        raise ValueError(f"{nbytes} bytes cannot be lent from a block of {view.nbytes}")
    token = np.frombuffer(view.toreadonly()[:nbytes], np.uint8)
    watch = weakref.ref(token, _ended)
    _watched[id(watch)] = (watch, on_end)
    return token.data


def _ended(watch: weakref.ref[_Token]) -> None:
    _, on_end = _watched.pop(id(watch))
    on_end()
