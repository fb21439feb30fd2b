"""The limit of a stream by ZeroMQ: PUB and SUB on bare sockets, and the same through a proxy.

The publisher sends one prebuilt array again and again, `copy=False`, with its number in a frame before it.
How well that goes depends on how many messages a socket keeps, and on whether PUB waits when it has that many
or drops the next ones; so several settings are tried, and the best one is the baseline.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import zmq

from perf.children import Child
from perf.payloads import Image
from perf.streams_cast import Cast
from perf.streams_frames import (
    PATIENCE_S,
    REFERENCE,
    SHAPE,
    Going,
    answering,
    check_plain,
    counted,
)
from perf.trust_bus import run_role, serve_questions

#: Settings: messages that each socket keeps, and whether PUB waits when it has so many.
CANDIDATES: dict[str, dict[str, Any]] = {
    f"HWM {kept}, {'waits' if waits else 'drops'}": {"kept": kept, "waits": waits}
    for kept, waits in ((1, True), (4, True), (1000, True), (4, False), (1000, False))
}
_LONGEST_SEND_MS = 100
#: Values that are sent before somebody looks whether to stop.
_AT_A_TIME = 100
_NUMBER = struct.Struct("<Qd")

Socket = zmq.Socket[bytes]


def cast(start: Callable[..., Child], viewers: int) -> Cast:
    """A PUB and so many SUBs, each in a process of its own, made by `start`."""
    return Cast(start(__name__, "publisher"), [start(__name__, "viewer") for _ in range(viewers)])


# -- publishing ------------------------------------------------------------------------------------------


class _Publisher:
    """A PUB at a new port each time it is started, since settings hold for new connections only."""

    def __init__(self) -> None:
        self._context: zmq.Context[Socket] = zmq.Context()
        self._going = Going()
        self._number = 0
        self._proxy: Child | None = None

    def start(self, kept: int, waits: bool, proxied: bool = False, values: bool = False) -> str:
        """Begin to publish; returns where."""
        socket = self._socket = self._context.socket(zmq.PUB)
        _set_up(socket, kept)
        socket.setsockopt(zmq.XPUB_NODROP, int(waits))
        socket.setsockopt(zmq.SNDTIMEO, _LONGEST_SEND_MS)
        if proxied:
            self._proxy = Child(__spec__.name, "proxy", str(kept), str(int(waits)))
            socket.connect(self._proxy.facts["publish"])
            where = str(self._proxy.facts["subscribe"])
        else:
            where = _bound(socket)
        self._going.start(self._send_values if values else self._send_frame)
        return where

    def _send_frame(self) -> None:
        self._number += 1
        try:
            self._socket.send(_NUMBER.pack(self._number, 0), zmq.SNDMORE)
            self._socket.send(REFERENCE.data, copy=False)
        except zmq.Again:
            pass  # nobody takes anything: the slice is over

    def _send_values(self) -> None:
        try:
            for _ in range(_AT_A_TIME):
                self._number += 1
                self._socket.send(_NUMBER.pack(self._number, self._number / 8))
        except zmq.Again:
            pass

    def stop(self) -> None:
        """Stop, and leave the port."""
        self._going.stop()
        self._socket.close(0)
        if self._proxy is not None:
            self._proxy.end()
            self._proxy = None


def _set_up(socket: Socket, kept: int) -> None:
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.SNDHWM, kept)
    socket.setsockopt(zmq.RCVHWM, kept)


def _bound(socket: Socket) -> str:
    socket.bind("tcp://127.0.0.1:*")
    return socket.getsockopt_string(zmq.LAST_ENDPOINT)


def _publisher() -> None:
    publisher = _Publisher()
    serve_questions({"start": answering(publisher.start), "stop": answering(publisher.stop)})


def _proxy(kept: str, waits: str) -> None:
    context: zmq.Context[Socket] = zmq.Context()
    front, back = context.socket(zmq.XSUB), context.socket(zmq.XPUB)
    for socket in (front, back):
        _set_up(socket, int(kept))
    back.setsockopt(zmq.XPUB_NODROP, int(waits))
    ends = {"publish": _bound(front), "subscribe": _bound(back)}
    Going().start(lambda: zmq.proxy(front, back))
    serve_questions({}, **ends)


# -- watching --------------------------------------------------------------------------------------------


class _Viewer:
    def __init__(self) -> None:
        self._context: zmq.Context[Socket] = zmq.Context()

    def count(self, where: str, begin: float, end: float, kept: int, values: bool = False) -> float:
        """The rate at which frames or values come, between two times."""
        with self._context.socket(zmq.SUB) as socket:
            _set_up(socket, kept)
            socket.setsockopt(zmq.RCVTIMEO, int(PATIENCE_S * 1e3))
            socket.subscribe(b"")
            socket.connect(where)
            if values:
                return counted(lambda: _NUMBER.unpack(socket.recv()), _check_value, begin, end, None)
            return counted(lambda: _frame(socket), check_plain, begin, end)


def _frame(socket: Socket) -> tuple[int, Image]:
    number, _ = _NUMBER.unpack(socket.recv())
    frame = socket.recv(copy=False)
    return number, np.frombuffer(frame.buffer, np.uint16).reshape(SHAPE)


def _check_value(number: int, value: float) -> None:
    if value != number / 8:
        raise ValueError(f"value {number} is {value}")


def _viewer() -> None:
    serve_questions({"count": answering(_Viewer().count)})


if __name__ == "__main__":
    run_role({"publisher": _publisher, "viewer": _viewer, "proxy": _proxy})
