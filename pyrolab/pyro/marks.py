"""The mark for methods that a service calls back."""

from __future__ import annotations

from typing import Any, TypeVar

from pyrolab.protocol.names import CALLBACK_MARK

Method = TypeVar("Method")


def callback(method: Method) -> Method:
    """Log what this method raises here too, not only at the service that calls it back."""
    setattr(getattr(method, "__func__", method), CALLBACK_MARK, True)
    return method


def is_callback(method: Any) -> bool:
    """Whether a method, bound or not, is marked by `callback`."""
    return bool(getattr(method, CALLBACK_MARK, False))
