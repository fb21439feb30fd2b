"""One physical connection to an instrument, as bytes, with a limit to every wait.

An instrument answers late, twice, half or not at all, and what arrives then looks like the answer to the next
question. So a transport remembers when it is out of step, and the next write first waits for silence.
"""

from __future__ import annotations

import socket
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import Protocol

from typing_extensions import Self

from pyrolab_drivers.quantities import Seconds
from pyrolab_drivers.transports.errors import BadReply, ReplyTimeout, TransportClosed, shown

#: How many bytes a line may have, unless told otherwise.
LINE_MOST = 1 << 20
#: How long nothing has to arrive for a line to be silent: more than a USB adapter holds bytes back (16 ms).
QUIET_S = 0.03
#: How long silence is waited for at most, if an instrument never stops talking.
SETTLE_S = 0.08


class Tap(Protocol):
    """What listens to a connection."""

    def sent(self, data: bytes) -> None:
        """Take note of what went to the instrument."""

    def received(self, data: bytes, end: bool) -> None:
        """Take note of what came from it; `end` if the bus said that its message ends there (GPIB's EOI)."""

    def silent(self, waited_s: float) -> None:
        """Take note that a reply did not come, or not all of it."""


def send_at_once(connection: object) -> None:
    """Let a TCP socket send each command when it is written; waiting for more to send costs 40 ms each time.

    Whatever else it is given is left alone: the libraries do not say what they hold.
    """
    if isinstance(connection, socket.socket) and connection.type == socket.SOCK_STREAM:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class Transport(ABC):
    """One connection. A kind of connection supplies `_send`, `_receive` and `_shut`.

    Hold `lock` for one exchange (a write and its reads): it is shared by all that use this connection.
    `gap_s` is for instruments that answer twice, the second time late: an exchange begins that long after the
    last byte has come, and no sooner. Without it, a second answer that comes when the next question is on its
    way is taken for its answer. Nothing else here locks, so that one thread can write while another waits for
    messages that nobody asked for.
    """

    def __init__(self, name: str, timeout_s: Seconds = 2.0) -> None:
        if not timeout_s > 0:
            raise ValueError(f"a timeout is more than 0 s, not {timeout_s!r}: every read has to end")
        self.name = name
        self.timeout_s = timeout_s
        self.lock = threading.RLock()
        self.quiet_s = QUIET_S
        self.settle_s = SETTLE_S
        self.gap_s = 0.0
        self._arrived = 0.0
        self._buffer = bytearray()
        self._ended = False
        self._doubtful = False
        self._closed = False
        self._receiving = threading.Lock()
        self._taps: tuple[Tap, ...] = ()

    # What a kind of connection supplies

    @abstractmethod
    def _send(self, data: bytes) -> None:
        """Send all of `data`. Raises `WriteTimeout` or `TransportClosed`."""

    @abstractmethod
    def _receive(self, timeout_s: float, want: int | None, last: bytes) -> bytes | None:
        """Return what has arrived as soon as something has; nothing after `timeout_s`, or earlier.

        `want` is how many bytes are known to come, if that is known; `last` the byte that ends them, if there
        is one. None says that nothing more can come (a recording). A message-based bus sets `_ended` with the
        end of a message.
        """

    @abstractmethod
    def _shut(self) -> None:
        """Free the connection; called once, while nobody receives."""

    def _clear(self) -> bool:
        """Make the instrument forget what it was asked, if the bus can do that; False if it cannot."""
        return False

    # What drivers use

    @property
    def closed(self) -> bool:
        """True after `close()`."""
        return self._closed

    @property
    def doubtful(self) -> bool:
        """True while what arrives may belong to an earlier question."""
        return self._doubtful

    def doubt(self) -> None:
        """Say that a reply is missing or wrong: the next write waits for silence first.

        Done by itself after `ReplyTimeout`. A driver says it when a reply makes no sense.
        """
        self._doubtful = True

    def write(self, data: bytes) -> None:
        """Send `data`. After a lost or wrong reply, wait for silence first (0.08 s at most).

        What came until then is dropped. Raises `WriteTimeout` if the instrument does not take it within
        `timeout_s`, `TransportClosed` if it has gone.
        """
        self._require_open()
        if self._doubtful:
            self.settle()
        self._ended = False
        for tap in self._taps:
            tap.sent(data)
        self._send(data)

    def read_until(self, terminator: bytes, timeout_s: Seconds | None = None, most: int = LINE_MOST) -> bytes:
        """Return what comes before `terminator`, or before the end of a message where the bus has one.

        Raises `ReplyTimeout` after `timeout_s` (the transport's own if None), also in the middle of a line or
        if an instrument never stops sending; `BadReply` if `most` bytes came without a terminator.
        """
        limit = self._limit(timeout_s)
        start = 0
        while True:
            at = self._buffer.find(terminator, start)
            if at >= 0:
                line = self._take(at, len(terminator))
                self._ended = self._ended and bool(self._buffer)
                return line
            if self._ended:
                self._ended = False
                return self._take(len(self._buffer))
            if len(self._buffer) > most:
                raise self._bad(f"sent more than {most} bytes without an end")
            start = max(0, len(self._buffer) - len(terminator) + 1)
            self._more(limit, f"a reply that ends with {terminator!r}", None, terminator[-1:])

    def read_exactly(self, count: int, timeout_s: Seconds | None = None) -> bytes:
        """Return the next `count` bytes. Raises `ReplyTimeout` after `timeout_s` (None: the transport's)."""
        limit = self._limit(timeout_s)
        while len(self._buffer) < count:
            if self._ended:
                raise self._bad(f"ended its message before {count} bytes were there")
            self._more(limit, f"{count} bytes", count - len(self._buffer), b"")
        return self._take(count)

    def read_some(self, timeout_s: Seconds) -> bytes:
        """Return what arrives within `timeout_s`, as soon as it does; nothing if nothing comes: no error.

        For a thread that waits for messages nobody asked for.
        """
        if not self._buffer:
            data = self._quiet_receive(timeout_s)
            if data is None:  # a recording: whoever reads in a loop would spin
                time.sleep(min(timeout_s, self.quiet_s))
            self._buffer += data or b""
        self._ended = False
        return self._take(len(self._buffer))

    def exchange(
        self,
        data: bytes,
        terminator: bytes,
        timeout_s: Seconds | None = None,
        accept: Callable[[bytes], bool] | None = None,
    ) -> bytes:
        """Drop what is left from before, send `data`, and return the line that answers it.

        `accept` tells a reply to this from a late reply to something else, where the protocol lets one tell:
        lines that it does not accept are dropped until the right one comes, or the time is over. Whoever got
        a wrong one waits for silence before the next.
        """
        with self.lock:
            self.begin_exchange()
            self.write(data)
            limit = self._limit(timeout_s)
            while True:
                line = self.read_until(terminator, max(0.0, limit.left()))
                if accept is None or accept(line):
                    return line
                self.doubt()

    def begin_exchange(self) -> None:
        """Drop what is left from before. If that is more than white space, `doubt()`.

        To be called before the `write` of a question that one line answers, with `lock` held.
        """
        self._require_open()
        left = b""
        if self.gap_s and not self._doubtful:
            left = self._quiet_receive(self._arrived + self.gap_s - time.monotonic()) or b""
        if (left + self.drain()).strip():
            self.doubt()

    def drain(self) -> bytes:
        """Throw away, and return, what has arrived and was not read. Waits for nothing."""
        self._require_open()
        most = time.monotonic() + self.settle_s
        while (data := self._take_in(0.0, None, b"")) and time.monotonic() < most:
            self._buffer += data
        self._ended = False
        return self._take(len(self._buffer))

    def settle(self) -> bool:
        """Clear the instrument where the bus can do that, else wait for silence (`settle_s` at most).

        What arrives meanwhile is thrown away. True if it was cleared: then nothing can come late.
        """
        self.drain()
        cleared = self._clear()
        if not cleared:
            self._until_quiet(self.settle_s)
        self._doubtful = False
        return cleared

    def read_until_quiet(self, timeout_s: Seconds | None = None) -> bytes:
        """Return what arrives until nothing does for `quiet_s`, or until the end of a message.

        For replies whose end nothing else marks. Raises `ReplyTimeout` if nothing came, or if it does not
        stop.
        """
        limit = self._limit(timeout_s)
        if not self._buffer and not self._ended:
            self._more(limit, "a reply", None, b"")
        self._buffer += self._until_quiet(max(0.0, limit.left()))
        if limit.left() <= 0:
            raise self._timeout(limit, "silence after a reply")
        self._ended = False
        return self._take(len(self._buffer))

    def attach(self, tap: Tap) -> None:
        """Let `tap` (a `WireLog`) see everything from now on."""
        self._taps = (*self._taps, tap)

    def detach(self, tap: Tap) -> None:
        """Let `tap` see nothing any more. Does nothing if it is not attached."""
        self._taps = tuple(each for each in self._taps if each is not tap)

    def close(self) -> None:
        """Free the connection; a read that waits raises `TransportClosed`. A second time does nothing."""
        if self._closed:
            return
        self._closed = True
        with self._receiving:
            self._shut()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}{', closed' if self._closed else ''}>"

    # Inside

    def _require_open(self) -> None:
        if self._closed:
            raise TransportClosed(f"the connection to {self.name} is closed; open it again")

    def _limit(self, timeout_s: float | None) -> _Limit:
        return _Limit(self.timeout_s if timeout_s is None else timeout_s)

    def _take_in(self, timeout_s: float, want: int | None, last: bytes) -> bytes | None:
        with self._receiving:
            self._require_open()
            data = self._receive(timeout_s, want, last)
        if data:
            self._arrived = time.monotonic()
            for tap in self._taps:
                tap.received(data, self._ended)
        return data

    def _more(self, limit: _Limit, what: str, want: int | None, last: bytes) -> None:
        """Receive something, or the end of a message. Raises `ReplyTimeout`."""
        while not limit.over():
            data = self._take_in(max(0.0, limit.left()), want, last)
            if data or self._ended:
                self._buffer += data or b""
                return
            if data is None:
                break
        raise self._timeout(limit, what)

    def _timeout(self, limit: _Limit, what: str) -> ReplyTimeout:
        """Return the error, with what did come; from now on the connection is out of step."""
        got = self._take(len(self._buffer))
        self.doubt()
        for tap in self._taps:
            tap.silent(limit.seconds)
        came = f"got {shown(got)}" if got else "nothing came"
        return ReplyTimeout(
            f"{self.name} did not send {what} within {limit.seconds:g} s ({came}); "
            "is it on, and does it know the command?",
            self.name,
            limit.waited(),
            got,
        )

    def _bad(self, what: str) -> BadReply:
        got = self._take(len(self._buffer))
        self.doubt()
        return BadReply(f"{self.name} {what}: {shown(got)}", got=got)

    def _until_quiet(self, most_s: float) -> bytes:
        limit = _Limit(most_s)
        dropped = bytearray()
        while not self._ended and (left := limit.left()) > 0:
            data = self._quiet_receive(min(self.quiet_s, left))
            if not data:
                break
            dropped += data
        return bytes(dropped)

    def _quiet_receive(self, quiet_s: float) -> bytes | None:
        limit = _Limit(quiet_s)
        while not limit.over():
            data = self._take_in(max(0.0, limit.left()), None, b"")
            if data or data is None:
                return data
        return b""

    def _take(self, count: int, skip: int = 0) -> bytes:
        data = bytes(self._buffer[:count])
        del self._buffer[: count + skip]
        return data


class _Limit:
    """When a wait has to end. It looks once even if there is no time at all."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._begun = time.monotonic()
        self._looked = False

    def waited(self) -> float:
        return time.monotonic() - self._begun

    def left(self) -> float:
        return self.seconds - self.waited()

    def over(self) -> bool:
        looked, self._looked = self._looked, True
        return looked and self.left() <= 0
