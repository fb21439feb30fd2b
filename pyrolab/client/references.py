"""What stands in messages for things that stay where they are, as this side reads and writes it.

A service, wherever it stands in a value, is a proxy here; a sub-object, or an iterator, belongs to the proxy
through which it came; a function that is passed as an argument is called back here.
"""

from __future__ import annotations

import weakref
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

from pyrolab.client.attachment import Attachment
from pyrolab.client.iteration import RemoteIterator
from pyrolab.client.method import RemoteMethod
from pyrolab.client.node import HeldProxy, Node, SubProxy
from pyrolab.errors import ProtocolError, SerializeError
from pyrolab.protocol import codes, services
from pyrolab.protocol.call_body import checked
from pyrolab.protocol.codec import CODEC, Codec, Encoder, Packing
from pyrolab.protocol.interface import QUEUE_TYPE, StreamType

_FUNCTIONS = (FunctionType, MethodType, BuiltinFunctionType, RemoteMethod)


def codec_for(attachment: Attachment) -> Codec:
    """The codec of what is sent and received through an attachment."""
    return _References(weakref.ref(attachment)).codec


class _References:
    """Reads and writes references for one attachment, without keeping it alive."""

    def __init__(self, attachment: weakref.ref[Attachment]) -> None:
        self._attachment = attachment
        self.codec = Codec(CODEC, first=self._first, otherwise=self._otherwise)
        self.codec.register_extension(codes.NODE, Node, _never, self._read)
        for kind in (SubProxy, HeldProxy):
            self.codec.prefer(kind, self._write_node)
        self.codec.prefer(RemoteIterator, lambda encoder, value: self._write_node(encoder, value._held))
        location = self._here().uri.location
        assert location is not None
        self.codec.read_with(codes.SERVICE, services.reading_at(location))

    def _here(self) -> Attachment:
        attachment = self._attachment()
        assert attachment is not None
        return attachment

    def _read(self, data: Any) -> Any:
        if type(data) is not list or len(data) != 3 or type(data[1]) is not str:
            raise ProtocolError("a sub-object is referred to by steps, the name of its type, and what it is")
        steps = checked([data[0], "get", [], {}]).steps
        attachment = self._here()
        shape = attachment.shapes.get(data[1])
        if data[1] == QUEUE_TYPE and len(steps) > 0 and isinstance(steps[-1], str):
            return self._queue(SubProxy(attachment, steps[:-1], None, ""), steps[-1])
        if not steps or not isinstance(steps[0], int):
            return SubProxy(attachment, steps, shape if steps else attachment.shape, data[1])
        connection = attachment.connection
        session = connection.session if connection is not None else 0
        held = HeldProxy(attachment, steps, shape, data[1], session)
        return RemoteIterator(held) if data[2] else held

    @staticmethod
    def _queue(owner: SubProxy, name: str) -> Any:
        from pyrolab.client.streams import RemoteStream

        return RemoteStream(owner, name, StreamType(on_demand=True))

    def _write_node(self, encoder: Encoder, node: Any) -> Any:
        attachment = self._here()
        same = isinstance(node, SubProxy) and node._attachment.target == attachment.target
        if not same or (node._session and node._attachment is not attachment):
            raise SerializeError(
                "a sub-object can be passed to the service to which it belongs only, through its own proxy"
            )
        return encoder.extend(codes.NODE, [list(node._steps)])

    def _write_service(self, encoder: Encoder, proxy: Any) -> Any:
        location = self._here().uri.location
        assert location is not None
        return services.write(encoder, proxy._pyroUri, location)

    def _first(self, kind: type) -> Packing | None:
        return self._write_service if hasattr(kind, "_pyroUri") else None

    def _otherwise(self, kind: type) -> Packing | None:
        return self._write_function if issubclass(kind, _FUNCTIONS) or _is_partial(kind) else None

    def _write_function(self, encoder: Encoder, function: Any) -> Any:
        name = str(getattr(function, "__name__", "") or repr(function))[:100]
        return encoder.extend(codes.CALLABLE, [self._here().callables.offer(function), name])


def _is_partial(kind: type) -> bool:
    return kind.__module__ == "functools" and kind.__name__ == "partial"


def _never(value: Any) -> Any:
    raise AssertionError("sub-objects have packings of their own")
