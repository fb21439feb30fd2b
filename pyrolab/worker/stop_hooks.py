"""Which method of a class an emergency stop calls."""

from __future__ import annotations

import inspect

from pyrolab.worker import exposure
from pyrolab.worker.introspection import needs_no_arguments

_USUAL = "stop"


def stop_hook_of(cls: type) -> str:
    """The name of what `@emergency_stop` marks, else of a `stop` that needs no arguments; empty if neither.

    A mark stays with the name: who overrides a marked method says how to stop, not that there is no need.
    The class alone is looked at: touching an instance might move something.
    """
    for owner in cls.__mro__:
        for name, member in vars(owner).items():
            if exposure.is_stop_hook(member):
                return name
    usual = inspect.getattr_static(cls, _USUAL, None)
    if usual is None or inspect.isclass(usual) or not exposure.is_method(usual):
        return ""
    return _USUAL if needs_no_arguments(cls, usual) else ""
