"""An echo server for the examples that ask for one; Pyro5 has its own as `Pyro5.utils.echoserver`."""

from collections.abc import Iterator
from typing import Any

from Pyro5.api import Daemon, expose


@expose
class EchoServer:
    _ended = False

    def echo(self, message: Any) -> Any:
        """Return the message."""
        return message

    def error(self) -> None:
        """Fail."""
        raise ValueError("an error of the echo server")

    def generator(self) -> Iterator[str]:
        """Three words."""
        yield from ("one", "two", "three")

    def shutdown(self) -> None:
        """End the server after this call."""
        EchoServer._ended = True


with Daemon() as daemon:
    print("echo server:", daemon.register(EchoServer(), "test.echoserver"))
    daemon.requestLoop(loopCondition=lambda: not EchoServer._ended)
