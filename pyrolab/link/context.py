"""What a caller's code sends along with its calls: a correlation id, and annotations, which are named bytes.

Both belong to a thread or task. A service finds here what came with the call that it carries out, and the
calls that it makes itself take the same on. `pyrolab.pyro.context` is how users see this.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any
from uuid import UUID

from pyrolab.errors import ProtocolError, SerializeError
from pyrolab.protocol.limits import MAX_NAME_CHARS

#: Annotations of one call, and their bytes together.
MAX_ANNOTATIONS = 64
MAX_ANNOTATION_BYTES = 1 << 20

#: None and {} both mean that there are none.
Annotations = dict[str, bytes] | None

correlation_id: ContextVar[UUID | None] = ContextVar("pyrolab_correlation_id", default=None)
call_annotations: ContextVar[Annotations] = ContextVar("pyrolab_annotations", default=None)
#: In a service, what the answer will carry; in a client, what the last answer carried.
response_annotations: ContextVar[Annotations] = ContextVar("pyrolab_response_annotations", default=None)

_identity_now, _annotations_now, _response_now = (
    correlation_id.get,
    call_annotations.get,
    response_annotations.get,
)


def outgoing() -> dict[str, Any] | None:
    """What goes with a call that is made now; None, as a rule, if there is nothing.

    Raises `SerializeError` if annotations are not what may travel.
    """
    identity, notes = _identity_now(), _annotations_now()
    if identity is None and not notes:
        return None
    data: dict[str, Any] = {}
    if identity is not None:
        data["correlation_id"] = _checked_id(identity, SerializeError)
    if notes:
        data["annotations"] = _sendable(notes)
    return data


def incoming(data: Any) -> None:
    """Start a call that came with `data`, or with None: from now on, this is the context here.

    Raises `ProtocolError` if a peer sent what is no context; then there is none.
    """
    if _identity_now() is not None or _annotations_now() is not None or _response_now() is not None:
        _clear()
    if data is None:
        return
    if type(data) is not dict:
        raise ProtocolError("the context of a call is a map")
    identity, notes = data.get("correlation_id"), data.get("annotations")
    if identity is not None:
        _checked_id(identity, ProtocolError)
    if notes is not None:
        _check(notes, (bytes,), ProtocolError)
    correlation_id.set(identity)
    call_annotations.set(notes)


def _clear() -> None:
    correlation_id.set(None)
    call_annotations.set(None)
    response_annotations.set(None)


def outgoing_response() -> dict[str, bytes] | None:
    """The annotations that the service has made for the answer of the call that ends now."""
    notes = _response_now()
    return _sendable(notes) if notes else None


def incoming_response(data: Any) -> None:
    """Keep the annotations that came with an answer, or None. Raises `ProtocolError` if they are none."""
    if _response_now() is not None:
        response_annotations.set(None)
    if data is not None:
        _check(data, (bytes,), ProtocolError)
        response_annotations.set(data)


_BYTES = (bytes, bytearray, memoryview)


def _sendable(notes: dict[str, Any]) -> dict[str, bytes]:
    _check(notes, _BYTES, SerializeError)
    return {name: bytes(value) for name, value in notes.items()}


def _checked_id(identity: Any, error: Callable[[str], Exception]) -> UUID:
    if type(identity) is not UUID:
        raise error(f"a correlation id is a uuid.UUID, not a {type(identity).__name__}")
    return identity


def _check(notes: Any, kinds: tuple[type, ...], error: Callable[[str], Exception]) -> None:
    if type(notes) is not dict or len(notes) > MAX_ANNOTATIONS:
        raise error(f"annotations are a map of names to bytes, with at most {MAX_ANNOTATIONS} of them")
    for name, value in notes.items():
        if type(name) is not str or not 0 < len(name) <= MAX_NAME_CHARS:
            raise error(f"{name!r:.40} cannot name an annotation; use 1 to {MAX_NAME_CHARS} characters")
        if not isinstance(value, kinds):
            raise error(f"the annotation {name!r} is a {type(value).__name__}; it must be bytes")
    size = sum(memoryview(value).nbytes for value in notes.values())
    if size > MAX_ANNOTATION_BYTES:
        raise error(
            f"{size} bytes of annotations are over the limit of {MAX_ANNOTATION_BYTES}; "
            "send data as arguments"
        )
