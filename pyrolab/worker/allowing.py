"""Whether a call is what its flags say: one that only reads, one that may run beside others.

A client says so in the header, because the broker decides by it and does not read bodies. The worker, which
knows the class, checks it before anything is done.
"""

from __future__ import annotations

import inspect
from typing import Any

from pyrolab.protocol.call_body import READING_DUNDERS, READING_VERBS, CallBody, path_text
from pyrolab.protocol.envelope import Flag
from pyrolab.protocol.interface import Method
from pyrolab.worker import exposure
from pyrolab.worker.refusing import NotRun
from pyrolab.worker.views import Views


def check(views: Views, asked: int, call: CallBody, owner: Any) -> None:
    """Raise `NotRun` if a call of a member of `owner` is not what is asked for with its flags."""
    step = call.steps[-1]
    method = None
    if call.verb == "call" and isinstance(step, str):
        method = views.of_class(type(owner)).methods.get(step)
        if method is None:
            return  # it is not offered at all, and the error will say that
    if asked & Flag.READ and not _reads(call, method):
        raise _no_read(call)
    if asked & Flag.URGENT and not _is_urgent(call, method, owner):
        raise _not_urgent(call)


def check_other(asked: int, call: CallBody) -> None:
    """Raise `NotRun` for a call that is about no member, such as `next`."""
    if asked & Flag.READ and call.verb not in READING_VERBS and call.verb != "batch":
        raise _no_read(call)
    if asked & Flag.URGENT and call.verb != "status":
        raise _not_urgent(call)


def _reads(call: CallBody, method: Method | None) -> bool:
    if method is None:
        return call.verb in READING_VERBS
    return method.readonly or call.steps[-1] in READING_DUNDERS


def _is_urgent(call: CallBody, method: Method | None, owner: Any) -> bool:
    if method is not None:
        return method.urgent
    if call.verb == "subscribe":
        return True
    step = call.steps[-1]
    if call.verb != "get" or not isinstance(step, str):
        return False
    return exposure.is_urgent(inspect.getattr_static(type(owner), step, None))


def _no_read(call: CallBody) -> NotRun:
    what = path_text(call.steps) or call.verb
    return NotRun("denied", f"{what!r:.200} was called as a read, but may change something; it did not run")


def _not_urgent(call: CallBody) -> NotRun:
    what = path_text(call.steps) or call.verb
    return NotRun(
        "denied", f"{what!r:.200} is not marked @urgent, so it can't run beside other calls; it did not run"
    )
