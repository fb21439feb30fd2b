"""What is in messages besides the values: their size, and what a service's code sends along."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyrolab.errors import MessageTooLargeError, ProtocolError


def split_notes(value: Any) -> tuple[Any, Any]:
    """The value and the annotations of an answer that has both. Raises `ProtocolError` if it has not."""
    if type(value) is not list or len(value) != 2:
        raise ProtocolError("an answer with annotations is an array of its value and a map")
    return value[0], value[1]


def check_size(message: Sequence[Any], limit: int) -> None:
    """Raise `MessageTooLargeError` for more bytes than this program wants to send."""
    size = sum(memoryview(frame).nbytes for frame in message)
    if size > limit:
        raise MessageTooLargeError(
            f"the call has {size} bytes, and config.MAX_MESSAGE_SIZE is {limit}; send less, or raise it",
            size=size,
            limit=limit,
        )
