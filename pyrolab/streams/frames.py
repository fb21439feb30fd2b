"""A published frame: encoded at most once for each way that it goes, whoever has subscribed."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np

from pyrolab.errors import SerializeError
from pyrolab.protocol import codec, dtypes
from pyrolab.protocol.limits import MAX_DIMENSIONS, MAX_FRAME_BYTES
from pyrolab.streams.compression import encode
from pyrolab.streams.pool import Block
from pyrolab.streams.variants import Variant

#: From this size on, the bytes of an array are kept in a block of the pool; below, copying costs less.
BLOCK_BYTES = 65536
_ARRAY_OF_3 = b"\x93"

Array = np.ndarray[Any, np.dtype[Any]]
#: The body of a FRAME and its buffers.
Message = tuple[bytes, list[Any]]


class Frame:
    """One frame of a stream, and its memory: alive until nobody sends it or looks at it any longer."""

    __slots__ = (
        "_blocks",
        "_content",
        "_failures",
        "_head",
        "_messages",
        "block",
        "memory",
        "nbytes",
        "sequence",
    )

    def __init__(self, head: bytes, content: Any, block: Block | None, blocks: int) -> None:
        self.sequence = 0
        self._head = head
        self._messages: dict[Variant | None, Message] = {}
        self._failures: dict[Variant, Exception] = {}
        self.block = block
        self._blocks = blocks
        if block is None:
            body, buffers = codec.encode(["value", content], path="value")
            self.memory: Any = None
            self._content: Any = None
            self.nbytes = len(body) + sum(map(len, buffers))
            # The buffers are the publisher's own arrays, which it may change from now on.
            self._messages[None] = (self._with_head(body), [bytes(each) for each in buffers])
        else:
            dtype, shape = content
            size = dtype.itemsize * math.prod(shape)
            self.memory = block.lend(size)
            self._content = content
            self.nbytes = size

    def _with_head(self, body: bytes) -> bytes:
        return _ARRAY_OF_3 + self._head + body

    @property
    def is_shared(self) -> bool:
        """Whether another process of this computer can look at it where it is."""
        return self.block is not None and self.block.reference is not None

    def retire(self) -> None:
        """Its memory is never written again."""
        if self.block is not None:
            self.block.retire()

    # -- how it goes -------------------------------------------------------------------------------------

    def shared_message(self) -> Message:
        """For a subscriber that can look at it where it is."""
        made = self._messages.get(None)
        if made is None:
            assert self.block is not None
            dtype, shape = self._content
            content = ["block", dtypes.describe(dtype), list(shape), self.block.reference, self._blocks]
            made = self._messages[None] = (self._with_head(codec.encode(content)[0]), [])
        return made

    def ready_message(self, variant: Variant) -> Message | None:
        """For a subscriber elsewhere, if nothing has to be worked out for it first.

        Raises what working it out has raised.
        """
        if self.block is None:
            return self._messages[None]
        if variant in self._failures:
            raise self._failures[variant]
        made = self._messages.get(variant)
        if made is None and variant.is_plain:
            body, buffers = codec.encode(["value", self._array()])
            made = self._messages[variant] = (self._with_head(body), list(buffers))
        return made

    def work_out(self, variant: Variant) -> None:
        """Make what a subscriber wants of it; `ready_message` has it, or the error, afterwards."""
        try:
            self._messages[variant] = self._worked_out(variant)
        except Exception as error:  # noqa: BLE001 - it belongs to the subscriber who wants it so
            self._failures[variant] = error

    def _worked_out(self, variant: Variant) -> Message:
        array = variant.reduce(self._array())
        buffer, encoding = encode(array, variant.compression, variant.quality)
        if encoding is None:
            body, buffers = codec.encode(["value", array])
            return self._with_head(body), list(buffers)
        packed = np.frombuffer(buffer, np.uint8)
        content = ["packed", dtypes.describe(array.dtype), list(array.shape), encoding, packed]
        body, buffers = codec.encode(content)
        return self._with_head(body), list(buffers)

    def _array(self) -> Array:
        dtype, shape = self._content
        array: Array = np.frombuffer(self.memory, dtype).reshape(shape)
        array.flags.writeable = False
        return array


def head_of(timestamp: float | None, metadata: dict[str, Any]) -> bytes:
    """Timestamp and metadata as they travel. Raises `SerializeError` for what cannot."""
    when = time.time() if timestamp is None else timestamp
    if not isinstance(when, (int, float)):
        raise SerializeError(f"a timestamp is Unix time in s, not a {type(when).__name__}")
    first, _ = codec.encode(float(when))
    second, buffers = codec.encode(metadata, path="metadata")
    if buffers:
        raise SerializeError("metadata is for small things; publish large arrays as frames")
    return first + second


def checked(shape: Any, dtype: Any) -> tuple[np.dtype[Any], tuple[int, ...], int]:
    """Dtype, shape and bytes of a frame. Raises `SerializeError` and `ValueError` for what cannot travel."""
    kind = np.dtype(dtype)
    dtypes.describe(kind)
    lengths = tuple(map(int, shape if isinstance(shape, (tuple, list)) else (shape,)))
    if len(lengths) > MAX_DIMENSIONS or any(each < 0 for each in lengths):
        raise ValueError(f"{lengths} is no shape of a frame: 0 to {MAX_DIMENSIONS} lengths from 0")
    size = kind.itemsize * math.prod(lengths)
    if size > MAX_FRAME_BYTES:
        raise ValueError(
            f"a frame of shape {lengths} and dtype {kind} has {size} bytes, over the limit of "
            f"{MAX_FRAME_BYTES}; publish it in parts"
        )
    return kind, lengths, size
