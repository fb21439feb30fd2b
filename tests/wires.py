"""Devices at the other end of a real wire (a pseudo-terminal or a TCP port), for tests of transports."""

from __future__ import annotations

from collections.abc import Callable

IDENTITY = b"PyroLab,Tested,7,1.0"


class Answering:
    """A device that answers each line with what `answer` says, and says by itself what is put into `says`."""

    def __init__(self, answer: Callable[[bytes], bytes], terminator: bytes = b"\n") -> None:
        self.asked: list[bytes] = []
        self.says = b""
        self._answer = answer
        self._terminator = terminator
        self._rest = b""

    def receive(self, data: bytes) -> bytes:
        *lines, self._rest = (self._rest + data).split(self._terminator)
        self.asked += lines
        return b"".join(map(self._answer, lines))

    def due(self) -> bytes:
        says, self.says = self.says, b""
        return says


def echo(line: bytes) -> bytes:
    """What is asked, with its end."""
    return line + b"\n"


def table(**answers: bytes) -> Callable[[bytes], bytes]:
    """Answer single words; whatever else is asked gets no answer."""
    return lambda line: answers.get(line.decode(), b"")
