"""pyleco through its Coordinator: JSON-RPC for calls, additional binary payload for arrays."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Mapping
from typing import Any

import zmq
from pyleco.coordinators.coordinator import Coordinator
from pyleco.core.message import Message, MessageTypes
from pyleco.core.serialization import generate_conversation_id
from pyleco.utils.communicator import Communicator
from pyleco.utils.coordinator_utils import ZmqMultiSocket
from pyleco.utils.message_handler import MessageHandler

from perf.children import end_with_parent, say
from perf.payloads import MIB, TEN_NAMED, Image, as_image, image
from perf.systems.base import Address, Client, Pipeline, System

_TIMEOUT_S = 10.0
_NODE = "perf"
_SERVICE = "service"


class Pyleco(System):
    """A pyleco Coordinator, and a MessageHandler as the worker."""

    setup = "Communicator, Coordinator, MessageHandler; arrays as additional binary payload, not in JSON"

    def start(self, services: int = 1) -> Address:
        self.address = self.spawn("coordinator")
        self.spawn("worker", str(self.address["port"]))
        return self.address

    @staticmethod
    def connect(address: Address) -> Client:
        return _PylecoClient(address["port"])


class _PylecoClient(Client):
    def __init__(self, port: int) -> None:
        name = f"client{uuid.uuid4().hex}"
        self._communicator = Communicator(name, host="127.0.0.1", port=port, timeout=_TIMEOUT_S)
        self._communicator.sign_in()
        self._ask = self._communicator.ask_rpc

    def empty(self) -> None:
        self._ask(_SERVICE, "empty")

    def ten_arguments(self) -> None:
        self._ask(_SERVICE, "ten_arguments", **TEN_NAMED)

    def fetch(self, size: int) -> Image:
        _, payload = self._ask(_SERVICE, "fetch", size=size, extract_additional_payload=True)
        return as_image(payload[0])

    def store(self, image: Image) -> None:
        self._ask(_SERVICE, "store", additional_payload=[image.tobytes()])

    def pipelines(self) -> Mapping[str, Pipeline]:
        return {"async": self._pipeline}

    def _pipeline(self, calls: int) -> None:
        """As its Director does it: send with a conversation id, read the answers later."""
        communicator = self._communicator
        started = []
        for _ in range(calls):
            started.append(generate_conversation_id())
            communicator.send(
                _SERVICE,
                conversation_id=started[-1],
                data=communicator.rpc_generator.build_request_str("empty"),
                message_type=MessageTypes.JSON,
            )
        for conversation in started:
            communicator.interpret_rpc_response(communicator.read_message(conversation))

    def close(self) -> None:
        self._communicator.close()


class _LoopbackSocket(ZmqMultiSocket):  # type: ignore[misc]  # untyped
    """The Coordinator's own socket, but not open to the network, and at a free port."""

    def bind(self, host: str = "127.0.0.1", port: int | str = 0) -> None:
        self._sock.bind("tcp://127.0.0.1:*")

    @property
    def port(self) -> int:
        return int(self._sock.getsockopt_string(zmq.LAST_ENDPOINT).rpartition(":")[2])


class _Worker(MessageHandler):  # type: ignore[misc]  # untyped
    """A worker that says when the Coordinator knows it."""

    def finish_sign_in(self, response_message: Message) -> None:
        super().finish_sign_in(response_message)
        say()


class _Service:
    def __init__(self) -> None:
        self._images = {size: image(size).tobytes() for size in (MIB, 8 * MIB)}

    def empty(self) -> None:
        pass

    def ten_arguments(self, **arguments: Any) -> None:
        pass

    def fetch(self, size: int) -> tuple[None, list[bytes]]:
        return None, [self._images[size]]

    def store(self, additional_payload: list[bytes] | None = None) -> None:
        assert additional_payload
        as_image(additional_payload[0])


def _coordinate() -> None:
    socket = _LoopbackSocket()
    with Coordinator(namespace=_NODE, host="127.0.0.1", multi_socket=socket) as coordinator:
        say(port=socket.port)
        coordinator.routing()


def _serve(port: int) -> None:
    service = _Service()
    worker = _Worker(_SERVICE, host="127.0.0.1", port=port)
    worker.timeout = _TIMEOUT_S
    worker.register_rpc_method(service.empty)
    worker.register_rpc_method(service.ten_arguments)
    worker.register_binary_rpc_method(service.fetch, return_binary_output=True)
    worker.register_binary_rpc_method(service.store, accept_binary_input=True)
    worker.listen()


if __name__ == "__main__":
    end_with_parent()
    if sys.argv[1] == "coordinator":
        _coordinate()
    else:
        _serve(int(sys.argv[2]))
