"""`SerializedBlob`: a value that stays encoded on its way, until somebody asks for it.

A service that passes a blob on decodes nothing of it but its `info`: the bytes, and the buffers of large
arrays, go on as they came.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from pyrolab.errors import ProtocolError
from pyrolab.protocol import codes
from pyrolab.protocol.codec import decode
from pyrolab.protocol.limits import MAX_BUFFERS

if TYPE_CHECKING:
    from msgpack import ExtType

    from pyrolab.protocol.codec import Decoder, Encoder, Packing, Unpacking


class Encoded(NamedTuple):
    """A value as a body and buffers."""

    body: bytes
    buffers: list[memoryview]


class SerializedBlob:
    """Data with a label: `info` can be read on the way, the data only where they are asked for.

    With `is_blob`, `data` are an `Encoded` value already.
    """

    def __init__(self, info: Any, data: Any, is_blob: bool = False) -> None:
        if is_blob and not isinstance(data, Encoded):
            raise TypeError("with is_blob, data must be Encoded; leave is_blob out and give the value itself")
        self.info = info
        self._data = data
        self._decode: Callable[..., Any] | None = decode if is_blob else None

    def deserialized(self) -> Any:
        """The data. Raises `ProtocolError` if a peer sent what cannot be decoded."""
        return self._data if self._decode is None else self._decode(self._data.body, self._data.buffers)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.info!r}>"


def packing_of(kind: type) -> Packing | None:
    """How instances of `kind` are packed, if they are blobs."""
    return _pack if issubclass(kind, SerializedBlob) else None


def _pack(encoder: Encoder, blob: SerializedBlob) -> ExtType:
    body, buffers = _encoded(encoder, blob._data) if blob._decode is None else blob._data
    return encoder.extend(codes.BLOB, [blob.info, body, [_beside(encoder, each) for each in buffers]])


def _encoded(encoder: Encoder, data: Any) -> Encoded:
    """`data` on their own: their arrays count their buffers from 0, wherever those travel."""
    outer, encoder.buffers = encoder.buffers, []
    try:
        return Encoded(encoder.nested(data), encoder.buffers)
    finally:
        encoder.buffers = outer


def _beside(encoder: Encoder, buffer: memoryview) -> int | bytes:
    return encoder.attach(buffer) if len(encoder.buffers) < MAX_BUFFERS else bytes(buffer)


def _unpack(decoder: Decoder, payload: bytes) -> SerializedBlob:
    info, body, places = decoder.items(payload)
    if type(body) is not bytes or type(places) is not list:
        raise ProtocolError("a blob is an info, bytes, and an array of its buffers")
    buffers = [memoryview(each) if type(each) is bytes else decoder.claim(each) for each in places]
    blob = SerializedBlob(info, Encoded(body, buffers), is_blob=True)
    # What it holds is read like the message that it came in: by the same codec, within the same limits.
    blob._decode = partial(decoder._codec.decode, limits=decoder.limits, writable=decoder.writable)
    return blob


UNPACKING: dict[int, Unpacking] = {codes.BLOB: _unpack}
