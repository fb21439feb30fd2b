"""The objects that daemons of this process host, so that one which is passed on travels as a reference."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import Any

from pyrolab.protocol import codes
from pyrolab.protocol.codec import CODEC, Encoder
from pyrolab.protocol.names import URI

#: id → the object (held, so that its id stays its own, unless it is registered weakly), and its URI.
_hosted: dict[int, tuple[Callable[[], Any], URI]] = {}
_lock = threading.Lock()


def note(subject: Any, uri: URI, weakly: bool = False) -> None:
    """`subject` is hosted as `uri` from now on."""
    with _lock:
        _hosted[id(subject)] = (weakref.ref(subject) if weakly else lambda: subject, uri)
    CODEC.prefer(type(subject), packing_for)


def forget(subject: Any) -> None:
    """`subject` is hosted no longer."""
    with _lock:
        _hosted.pop(id(subject), None)


def uri_of(subject: Any) -> URI | None:
    """Where an object is hosted, if it is."""
    found = _hosted.get(id(subject))
    return found[1] if found is not None and found[0]() is subject else None


def packing_for(encoder: Encoder, value: Any) -> Any:
    """A reference to a hosted object; None for one that is not hosted."""
    uri = uri_of(value)
    return None if uri is None else encoder.extend(codes.SERVICE, str(uri))
