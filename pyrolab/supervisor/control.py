"""How commands reach the running supervisor: one JSON line each way, on loopback, with a secret.

The secret and the port stand in the record that only its user can read.
"""

from __future__ import annotations

import hmac
import json
import secrets
import socket
import socketserver
import threading
from collections.abc import Callable
from typing import Any

from pyrolab.errors import CommunicationError, SecurityError
from pyrolab.supervisor.instance import Record

_MAX_REQUEST_BYTES = 64 * 1024
_MAX_ANSWER_BYTES = 64 * 1024 * 1024
_PATIENCE_S = 10.0

Answer = dict[str, Any]


class ControlServer:
    """Listens on a free port of loopback; `answer(command)` is called in a thread for each request."""

    def __init__(self, answer: Callable[[str], Answer]) -> None:
        self.secret = secrets.token_hex(32)
        self._server = _Server(("127.0.0.1", 0), self.secret, answer)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="pyrolab-control", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop listening; answers under way are finished."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], secret: str, answer: Callable[[str], Answer]) -> None:
        self.secret = secret
        self.answer = answer
        super().__init__(address, _Request)


class _Request(socketserver.StreamRequestHandler):
    timeout = _PATIENCE_S

    def handle(self) -> None:
        try:
            self.wfile.write(json.dumps(self._answer()).encode() + b"\n")
        except OSError:
            pass  # the asker left

    def _answer(self) -> Answer:
        assert isinstance(self.server, _Server)
        try:
            request = json.loads(self.rfile.readline(_MAX_REQUEST_BYTES))
            secret, command = str(request["secret"]), str(request["command"])
        except (ValueError, TypeError, KeyError, RecursionError):
            return {"error": "this is no request"}
        if not hmac.compare_digest(secret.encode(), self.server.secret.encode()):
            return {"error": "denied"}
        return self.server.answer(command)


def ask(record: Record, command: str) -> Answer:
    """Ask the supervisor of `record`; raises `CommunicationError` if it does not answer."""
    request = json.dumps({"secret": record.secret, "command": command}).encode() + b"\n"
    try:
        with socket.create_connection(("127.0.0.1", record.port), timeout=_PATIENCE_S) as connection:
            connection.sendall(request)
            with connection.makefile("rb") as stream:
                answer: Answer = json.loads(stream.readline(_MAX_ANSWER_BYTES))
    except (OSError, ValueError) as error:
        raise CommunicationError(f"the supervisor (process {record.pid}) does not answer: {error}") from error
    if answer.get("error") == "denied":
        raise SecurityError("the supervisor does not know the secret in its own record; start it again")
    return answer
