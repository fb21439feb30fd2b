"""What can go wrong on the wire. Every error says which connection it was, and what to do next."""

from __future__ import annotations


class TransportError(ConnectionError):
    """A connection could not be opened or used."""


class TransportClosed(TransportError):
    """The connection was closed here, or the instrument has gone."""


class PortNotFound(TransportError, FileNotFoundError):
    """There is no such port; the message lists those that exist."""


class PortDenied(TransportError, PermissionError):
    """The port exists, but this user may not open it."""


class PortBusy(TransportError):
    """Another program, or another connection of this one, has the port."""


class WriteTimeout(TimeoutError):
    """The instrument did not take what was sent to it."""


class ReplyTimeout(TimeoutError):
    """The reply did not come, or not all of it.

    `name` is the connection, `waited_s` how long was waited, `got` what did arrive of the reply.
    """

    name: str
    waited_s: float
    got: bytes

    def __init__(self, message: str, name: str = "", waited_s: float = 0.0, got: bytes = b"") -> None:
        super().__init__(message)
        self.name, self.waited_s, self.got = name, waited_s, got


class BadReply(ValueError):
    """The instrument answered with something that is not an answer to what was asked.

    `command` is what was asked, `got` the reply.
    """

    command: str
    got: bytes

    def __init__(self, message: str, command: str = "", got: bytes = b"") -> None:
        super().__init__(message)
        self.command, self.got = command, got


class ReplayMismatch(AssertionError):
    """A driver did something else than was recorded. `expected` and `got` are the bytes."""

    expected: bytes
    got: bytes

    def __init__(self, message: str, expected: bytes = b"", got: bytes = b"") -> None:
        super().__init__(message)
        self.expected, self.got = expected, got


def shown(data: bytes | bytearray, most: int = 80) -> str:
    """Return `data` for a message: its first bytes, and how many there are."""
    if len(data) <= most:
        return repr(bytes(data))
    return f"{bytes(data[:most])!r} and {len(data) - most} bytes more"
