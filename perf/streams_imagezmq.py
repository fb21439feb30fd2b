"""imagezmq in its PUB/SUB mode, as it comes: the library that carries images over ZeroMQ in many labs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import zmq

from perf.children import Child
from perf.payloads import Image
from perf.streams_cast import Cast
from perf.streams_frames import PATIENCE_S, REFERENCE, Going, answering, check_plain, counted
from perf.trust_bus import run_role, serve_questions

LIBRARY = "imagezmq"


def cast(start: Callable[..., Child], viewers: int) -> Cast:
    """A sender and so many hubs, each in a process of its own, made by `start`."""
    return Cast(start(__name__, "publisher"), [start(__name__, "viewer") for _ in range(viewers)])


class _Sender:
    def __init__(self) -> None:
        import imagezmq

        self._sender: Any = imagezmq.ImageSender("tcp://127.0.0.1:*", REQ_REP=False)
        self._where: str = self._sender.zmq_socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self._going = Going()
        self._number = 0

    def start(self) -> str:
        """Begin to publish; returns where."""
        self._going.start(self._send)
        return self._where

    def _send(self) -> None:
        self._number += 1
        self._sender.send_image(str(self._number), REFERENCE)

    def stop(self) -> None:
        """Stop."""
        self._going.stop()


def _count(where: str, begin: float, end: float) -> float:
    import imagezmq

    hub: Any
    with imagezmq.ImageHub(where, REQ_REP=False) as hub:
        hub.zmq_socket.setsockopt(zmq.LINGER, 0)
        hub.zmq_socket.setsockopt(zmq.RCVTIMEO, int(PATIENCE_S * 1e3))

        def take() -> tuple[int, Image]:
            number, frame = hub.recv_image()
            return int(number), frame

        return counted(take, check_plain, begin, end)


def _publisher() -> None:
    sender = _Sender()
    serve_questions({"start": answering(sender.start), "stop": answering(sender.stop)})


def _viewer() -> None:
    serve_questions({"count": answering(_count)})


if __name__ == "__main__":
    run_role({"publisher": _publisher, "viewer": _viewer})
