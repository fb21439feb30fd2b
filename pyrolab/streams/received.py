"""A frame as a subscriber sees it, made from what has come, of which nothing is trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from pyrolab.errors import ProtocolError, RemoteError
from pyrolab.protocol import codec, dtypes
from pyrolab.protocol.envelope import Envelope
from pyrolab.streams.compression import decode
from pyrolab.streams.frames import Array
from pyrolab.streams.lease import lease
from pyrolab.streams.mappings import Mappings
from pyrolab.streams.variants import Variant


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of a stream: `array` if it is an array (read-only), `value` whatever it is.

    `sequence` counts the frames of one publisher from 1, `epoch` tells its frames from those of the one
    before a restart. `timestamp` is Unix time in s, `metadata` what was published along with it.
    """

    value: Any
    sequence: int
    timestamp: float
    metadata: dict[str, Any] = field(default_factory=dict)
    epoch: int = 0

    @property
    def array(self) -> Array:
        """The frame as an array; of a single value, one without dimensions."""
        return self.value if isinstance(self.value, np.ndarray) else np.asarray(self.value)


class Receiver:
    """Makes the frames of one subscription, and knows which somebody looks at in shared memory.

    `given_back` collects the numbers of those at which nobody looks any longer.
    """

    def __init__(self, variant: Variant, given_back: Any, most_held: int) -> None:
        self._variant = variant
        self._given_back = given_back
        self._most_held = most_held
        self._mappings = Mappings()
        self._held: set[int] = set()

    def frame(self, envelope: Envelope, frames: Sequence[Any]) -> tuple[Frame, bool]:
        """The frame in a message, and whether it is in shared memory.

        Raises `ProtocolError` for what is none, `MemoryUnreachable` for what can't be looked at from here,
        `RemoteError` for what can't be had as it was asked for.
        """
        timestamp, metadata, content = _checked(codec.decode(frames[0], frames[1:]))
        try:
            match content:
                case ["value", value]:
                    pass
                case ["packed", description, shape, encoding, packed]:
                    value = decode(packed, encoding, dtypes.build(description), dtypes.checked_shape(shape))
                case ["block", description, shape, reference, blocks]:
                    value = self._looked_at(envelope.call, description, shape, reference, blocks)
                case _:
                    raise ProtocolError("the content of a frame is a value, a packed array or a block")
        except (TypeError, ValueError, OverflowError) as error:
            raise ProtocolError(f"a frame is not what it says: {error!s:.200}") from None
        return Frame(value, envelope.call, timestamp, metadata, envelope.token), content[0] == "block"

    def _looked_at(
        self, sequence: int, description: Any, shape: list[int], reference: Any, blocks: Any
    ) -> Array:
        """An array where the publisher put it, or a copy if enough of them are being looked at."""
        dtype = dtypes.build(description)
        size = prod(dtypes.checked_shape(shape)) * dtype.itemsize
        memory = self._mappings.view(reference, size, blocks)
        if len(self._held) >= self._most_held:
            array = self._shaped(memory, dtype, shape).copy()
            self._given_back.append(sequence)
        else:
            self._held.add(sequence)
            array = self._shaped(lease(memory, size, lambda: self._let_go(sequence)), dtype, shape)
        array.flags.writeable = False
        return array

    def _shaped(self, memory: Any, dtype: np.dtype[Any], shape: list[int]) -> Array:
        array = np.frombuffer(memory, dtype).reshape(shape)
        try:
            return self._variant.reduce(array)
        except ValueError as error:  # as the source says it to those who get their frames from elsewhere
            raise RemoteError(
                f"a frame of shape {array.shape} cannot be had as it was asked for: {error}"
            ) from None

    def _let_go(self, sequence: int) -> None:
        self._held.discard(sequence)
        self._given_back.append(sequence)

    def close(self) -> None:
        """No more frames will come; those that have come stay good."""
        self._mappings.close()


def _checked(body: Any) -> tuple[float, dict[str, Any], list[Any]]:
    """Timestamp, metadata and content of a frame's body. Raises `ProtocolError` if it has none."""
    match body:
        case [float() as timestamp, dict() as metadata, list() as content]:
            return timestamp, metadata, content
    raise ProtocolError("a frame has a timestamp, metadata and content")
