"""Extensions that a floor above this one brings: what to load when the first of them arrives.

A service as a reference, for one, becomes a proxy, and this floor knows no proxies.
"""

from __future__ import annotations

from collections.abc import Callable

_loaders: dict[int, Callable[[], object]] = {}


def provide(code: int, load: Callable[[], object]) -> None:
    """Call `load`, which registers the extension `code`, when it is needed for the first time."""
    _loaders[code] = load


def load(code: int) -> bool:
    """Load what brings the extension `code`; whether there was something to load."""
    loader = _loaders.pop(code, None)
    if loader is not None:
        loader()
    return loader is not None
