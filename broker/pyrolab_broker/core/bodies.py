"""What the broker itself reads of messages: ids as text, and short maps of plain msgpack."""

from __future__ import annotations

from typing import Any

import msgpack

MAX_BODY_BYTES = 16 * 1024


def as_text(object_id: bytes) -> str:
    """An id as text that can be shown, also one that is none."""
    return object_id.decode("utf-8", "backslashreplace")


def read_map(body: Any, max_bytes: int = MAX_BODY_BYTES) -> dict[str, Any]:
    """The map in a body. Raises `ValueError` if it is none, or too long."""
    view = memoryview(body)
    if view.nbytes > max_bytes:
        raise ValueError(f"the body has {view.nbytes} bytes; {max_bytes} are allowed")
    try:
        said = msgpack.unpackb(view, max_map_len=64, max_array_len=128, max_ext_len=0)
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError("the body is not msgpack") from error
    except msgpack.UnpackException as error:
        raise ValueError("the body is not msgpack") from error
    if not isinstance(said, dict):
        raise ValueError("the body is not a map")
    return said


_SESSION_DIGITS = 16
_HEXADECIMAL = b"0123456789abcdef"


def session_in(target: bytes) -> int | None:
    """The session that a target states; None if it is not just its digits."""
    if len(target) != _SESSION_DIGITS or target.translate(None, _HEXADECIMAL):
        return None
    return int(target, 16)


def sessions_in(target: bytes) -> list[int]:
    """The sessions that a target states, each once, in their order; none if it is not just their digits."""
    if len(target) % _SESSION_DIGITS or target.translate(None, _HEXADECIMAL):
        return []
    starts = range(0, len(target), _SESSION_DIGITS)
    return list(dict.fromkeys(int(target[start : start + _SESSION_DIGITS], 16) for start in starts))
