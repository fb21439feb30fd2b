"""Lets methods of other libraries end early: what they ask "shall I stop?" is answered by the bus.

Such a method takes a function, which it calls now and then. If the caller has passed none, it gets one that
says whether somebody still waits for this call, so that Ctrl-C and deadlines reach it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyrolab.protocol.interface import Method
from pyrolab.worker.context import CurrentCall

#: What such parameters are called, in PyMeasure and in what looks like it.
NAMES = frozenset({"should_stop", "should_abort", "has_aborted"})


def tokens(
    method: Method, args: Sequence[Any], kwargs: Mapping[str, Any], call: CurrentCall
) -> Mapping[str, Any]:
    """The keyword arguments to add to a call of `method`."""
    if method.parameters is None:
        return {}
    missing = [each.name for each in method.parameters[len(args) :] if each.name in NAMES]
    return {name: lambda: call.cancelled for name in missing if name not in kwargs}
