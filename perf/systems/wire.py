"""PyroLab's messages without PyroLab: prepared frames, an echoing worker and a client on bare sockets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import zmq

from perf.payloads import MIB, OBJECT_NAME, TEN_ARGUMENTS, Image, as_image, image
from perf.systems.base import Client, Pipeline
from pyrolab.protocol.codec import encode, encode_call
from pyrolab.protocol.envelope import Kind, pack

CALL = pack(Kind.CALL, session=1, call=1, target=OBJECT_NAME)
RESULT = pack(Kind.RESULT, session=1, call=1)
_CALL_WITH_BUFFER = pack(Kind.CALL, buffers=1, session=1, call=1, target=OBJECT_NAME)
_RESULT_WITH_BUFFER = pack(Kind.RESULT, buffers=1, session=1, call=1)
NOTHING, _ = encode(None)


def _call(method: str, *arguments: Any) -> bytes:
    """The body of a call, as a proxy makes it; what travels beside it is left to the caller."""
    body, _ = encode_call([method], arguments, {}, "call")
    return bytes(body)


EMPTY_CALL = _call("empty")
TEN_CALL = _call("ten_arguments", *TEN_ARGUMENTS)
FETCH = {size: _call("fetch", size) for size in (MIB, 8 * MIB)}
_STORE = _call("store", image(8 * MIB))
_FETCHED, _ = encode(image(8 * MIB))


def receive(socket: zmq.Socket[bytes], small: int) -> list[Any]:
    """A message whose first `small` frames are copied, being small, and whose others are not."""
    frames: list[Any] = [socket.recv()]
    while socket.getsockopt(zmq.RCVMORE):
        frames.append(socket.recv(copy=len(frames) < small))
    return frames


def serve(socket: zmq.Socket[bytes]) -> None:
    """Answer as a worker that does nothing, for ever. A message: identity, header, body, buffers."""
    images = {body: image(size) for size, body in FETCH.items()}
    while True:
        frames = receive(socket, 3)
        data = images.get(frames[2])
        if data is None:
            socket.send_multipart((frames[0], RESULT, NOTHING))
        else:
            socket.send_multipart((frames[0], _RESULT_WITH_BUFFER, _FETCHED, data.data), copy=False)


class WireClient(Client):
    """A DEALER that sends prepared frames: nothing is encoded or decoded."""

    def __init__(self, endpoint: str) -> None:
        self._socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.connect(endpoint)

    def _exchange(self, frames: Sequence[Any]) -> list[Any]:
        self._socket.send_multipart(frames)
        return receive(self._socket, 2)

    def empty(self) -> None:
        self._exchange((CALL, EMPTY_CALL))

    def ten_arguments(self) -> None:
        self._exchange((CALL, TEN_CALL))

    def fetch(self, size: int) -> Image:
        return as_image(self._exchange((CALL, FETCH[size]))[2].buffer)

    def store(self, image: Image) -> None:
        self._socket.send_multipart((_CALL_WITH_BUFFER, _STORE, image.data), copy=False)
        receive(self._socket, 2)

    def pipelines(self) -> Mapping[str, Pipeline]:
        return {"": self._pipeline}

    def _pipeline(self, calls: int) -> None:
        for _ in range(calls):
            self._socket.send_multipart((CALL, EMPTY_CALL))
        for _ in range(calls):
            receive(self._socket, 2)

    def close(self) -> None:
        self._socket.close()
