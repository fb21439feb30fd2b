"""A DEALER socket to the broker, from HELLO to BYE: one session, never reconnected.

When the connection breaks, the link is dead and says so; its owner opens a new one, with a new session and
empty queues, so that nothing that was sent into the old one can arrive late. A link may be used by several
threads: each use of the socket holds `lock`, and waiting happens outside it.
"""

from __future__ import annotations

import functools
import getpass
import os
import platform
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgpack
import zmq

import pyrolab
from pyrolab.errors import (
    ConnectionClosedError,
    NoBroker,
    NotSent,
    ProtocolError,
    VersionMismatch,
    from_refusal,
)
from pyrolab.link.frames import POLLIN, POLLOUT, events, receive_message, send_frames
from pyrolab.link.readiness import Readiness
from pyrolab.protocol.envelope import WITH_BODY, Envelope, Kind, check_frames, pack, parse
from pyrolab.protocol.limits import MAX_FRAME_BYTES
from pyrolab.protocol.names import Location

#: How long opening may take before it fails.
CONNECT_TIMEOUT_S = 5.0
#: When nobody has answered for so long, find out whether anybody listens at all.
_DIAGNOSE_AFTER_S = 0.05
#: A broker that has been silent for so long, although pinged, is taken for dead.
SILENCE_S = 10.0
#: The shortest and the longest heartbeat that a broker may ask for.
_HEARTBEATS_S = (0.05, 60.0)
#: Messages that may wait in the socket; more means that nothing leaves this computer.
_SEND_QUEUE = 10_000

Message = tuple[Envelope, list[Any]]


class Link:
    """A session with the broker at `location`, in the `role` of a client or a worker.

    `request`, the frames of a message without a session, goes out with the HELLO, to save waiting for its
    answer. Raises `NoBroker`, or what the broker answers (such as `PoolFull`), if there can be none.
    """

    def __init__(
        self,
        location: Location,
        role: str,
        name: str = "",
        timeout_s: float = CONNECT_TIMEOUT_S,
        request: Sequence[Any] = (),
    ) -> None:
        self.location = location
        self.role = role
        self.lock = threading.Lock()
        self.session = 0
        self.heartbeat_s = 2.0
        #: The broker's clock as last heard, in its ms.
        self.stamp = 0
        self.heard = self._pinged = time.monotonic()
        self.closed = False
        self.pid = os.getpid()
        #: Called by whoever has sent something: that may swallow the sign that something has come.
        self.watchers: list[Callable[[], object]] = []
        self._waiting = False
        self._socket = _new_socket(location)
        self._readiness = Readiness(_descriptor(self._socket))
        try:
            self._open(name, timeout_s, request)
        except BaseException:
            self.close(polite=False)
            raise

    def __repr__(self) -> str:
        state = "closed" if self.closed else f"session {self.session:016x}"
        return f"<Link to {self.location}, {self.role}, {state}>"

    # -- opening and closing -------------------------------------------------------------------------

    def _open(self, name: str, timeout_s: float, request: Sequence[Any]) -> None:
        self._connect(timeout_s)
        body = msgpack.packb({"role": self.role, "name": name, **_about(os.getpid())})
        self.send([pack(Kind.HELLO, stamp=clock_ms()), body])
        if request:
            self.send(request)
        envelope, frames = self._first_answer(timeout_s)
        if envelope.kind == Kind.REFUSED:
            raise refusal(frames[0])
        if envelope.kind != Kind.WELCOME:
            raise ProtocolError(f"{self.location} answered a HELLO with a message of kind {envelope.kind}")
        self.session = envelope.session
        heartbeat_s = _unpack_map(frames[0]).get("heartbeat_s")
        if isinstance(heartbeat_s, (int, float)) and _HEARTBEATS_S[0] <= heartbeat_s <= _HEARTBEATS_S[1]:
            self.heartbeat_s = heartbeat_s

    def _connect(self, timeout_s: float) -> None:
        start = time.monotonic()
        self._socket.connect(_resolved(self.location))
        diagnosed = False
        while not events(self._socket) & POLLOUT:
            elapsed = time.monotonic() - start
            if elapsed > timeout_s:
                raise NoBroker(
                    f"{self.location} does not answer like a PyroLab broker (waited {timeout_s:g} s); "
                    "another program may use this port: look at what listens there, or choose another",
                    location=str(self.location),
                )
            if elapsed > _DIAGNOSE_AFTER_S and not diagnosed:
                diagnosed = True
                _check_listening(self.location, timeout_s - elapsed)
            self._readiness.wait(timeout_s - elapsed if diagnosed else _DIAGNOSE_AFTER_S)

    def _first_answer(self, timeout_s: float) -> Message:
        deadline = time.monotonic() + timeout_s
        while True:
            message = self.receive()
            if message is not None:
                return message
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"the broker at {self.location} took the connection but did not answer HELLO"
                )
            self.wait(0.1)

    def close(self, polite: bool = True) -> None:
        """End the session. Safe to call twice and from any thread."""
        with self.lock:
            if self.closed:
                return
            self.closed = True
            if os.getpid() != self.pid:
                return  # a forked child must not touch its parent's socket
            if polite and self.session:
                self._farewell()
            self._socket.close(linger=200 if polite else 0)
        self._readiness.wake()
        if not self._waiting:
            self._readiness.close()

    def _farewell(self) -> None:
        try:
            send_frames(self._socket, [pack(Kind.BYE, session=self.session)])
        except zmq.ZMQError:
            pass  # nobody is there to say goodbye to

    # -- sending and receiving -----------------------------------------------------------------------

    def send(self, frames: Sequence[Any]) -> None:
        """Send a message now, or raise `NotSent`: nothing is queued for a dead connection."""
        with self.lock:
            self.send_locked(frames)

    def send_locked(self, frames: Sequence[Any]) -> None:
        """`send`, for somebody who holds the lock."""
        if self.closed:
            raise NotSent(f"the connection to {self.location} is closed")
        try:
            send_frames(self._socket, frames)
        except zmq.ZMQError as error:
            reason = "" if error.errno == zmq.EAGAIN else f" ({error.strerror})"
            raise NotSent(f"{self._is_lost()}{reason}") from None
        if self._waiting and events(self._socket) & POLLIN:
            self._readiness.wake()  # sending has swallowed the signal that the waiting thread sleeps for
        if self.watchers:
            self.tell_watchers()

    def receive(self) -> Message | None:
        """The next message, or None if there is none yet.

        Raises `ConnectionClosedError` if none will come, `ProtocolError` if this is none: a broker checks
        what it forwards, so whoever answers there is no broker, or of another version.
        """
        with self.lock:
            if self.closed:
                raise ConnectionClosedError(f"the connection to {self.location} is closed")
            state = events(self._socket)
            if not state & POLLIN:
                if not state & POLLOUT:
                    raise ConnectionClosedError(self._is_lost())
                return None
            header, rest = receive_message(self._socket)
        try:
            envelope = parse(header)
            if len(rest) != envelope.buffers + (envelope.kind in WITH_BODY):
                check_frames(envelope, rest)
        except VersionMismatch:
            raise
        except ProtocolError as error:
            raise ProtocolError(f"what answers at {self.location} is no PyroLab broker: {error}") from None
        self.heard = time.monotonic()
        if envelope.kind in _FROM_BROKER:
            self.stamp = envelope.stamp
        return envelope, rest

    def _is_lost(self) -> str:
        return (
            f"the connection to the broker at {self.location} is lost; it may be restarting: "
            "the next use connects again"
        )

    # -- waiting and liveness ------------------------------------------------------------------------

    def wait(self, timeout_s: float) -> None:
        """Sleep until there may be a message, at most `timeout_s`, pinging when it is time.

        One thread at a time. Raises `ConnectionClosedError` if the broker has been silent for too long.
        """
        self._waiting = True
        try:
            with self.lock:  # did something come between the last look and the announcement that we wait?
                signalled = self.closed or events(self._socket) & POLLIN
            if not signalled:
                self._readiness.wait(timeout_s if timeout_s < self.heartbeat_s else self.heartbeat_s)
        finally:
            self._waiting = False
            if self.closed:
                self._readiness.close()
        if time.monotonic() - self._pinged >= self.heartbeat_s:
            self.tend()

    def copy_descriptor(self) -> int:
        """A copy of the descriptor that becomes readable when something may have arrived.

        Whoever asks for it closes it, when they like: ZeroMQ closes its own. Raises
        `ConnectionClosedError`, and `OSError` on Windows.
        """
        with self.lock:
            if self.closed:
                raise ConnectionClosedError(f"the connection to {self.location} is closed")
            return os.dup(_descriptor(self._socket))

    def tell_watchers(self) -> None:
        """Have them look."""
        for look in tuple(self.watchers):
            look()

    def wake(self) -> None:
        """End somebody's `wait`."""
        self._readiness.wake()

    def tend(self) -> None:
        """Ping the broker when it is time. Raises `ConnectionClosedError` if it is silent for too long."""
        now = time.monotonic()
        if now - self._pinged < self.heartbeat_s:
            return
        if now - self._pinged > 2 * self.heartbeat_s:
            self.heard = now  # we slept, not the broker: judge its silence from here
        if now - self.heard > max(SILENCE_S, 3 * self.heartbeat_s):
            raise ConnectionClosedError(
                f"the broker at {self.location} has been silent for {now - self.heard:.0f} s; "
                "is its computer on, and the cable in?"
            )
        self._pinged = now
        self.send([pack(Kind.PING, session=self.session, stamp=clock_ms())])


_FROM_BROKER = frozenset({Kind.WELCOME, Kind.PONG, Kind.RESULT, Kind.RAISED, Kind.REFUSED})


#: Linux's monotonic clock stands still while a computer sleeps; a call that slept with it must look old.
_clock_ns: Callable[[], int] = (
    functools.partial(time.clock_gettime_ns, time.CLOCK_BOOTTIME)
    if sys.platform == "linux"
    else time.monotonic_ns
)


def clock_ms() -> int:
    """This process's clock, which never goes back, in ms; only its own process compares its values."""
    return _clock_ns() // 1_000_000


def refusal(body: Any) -> Exception:
    """The error in the body of a REFUSED message."""
    said = _unpack_map(body)
    code, text = said.pop("code", None), said.pop("text", None)
    if not isinstance(code, str) or not isinstance(text, str):
        raise ProtocolError("a refusal came without its code and text")
    return from_refusal(code, text, said)


def _unpack_map(body: Any) -> dict[str, Any]:
    try:
        said = msgpack.unpackb(memoryview(body), max_map_len=64, max_array_len=64, max_ext_len=0)
    except (ValueError, TypeError, RecursionError, msgpack.UnpackException) as error:
        raise ProtocolError(f"the broker sent what is not msgpack: {error}") from None
    if not isinstance(said, dict):
        raise ProtocolError("the broker sent a body that is no map")
    return said


def _descriptor(socket: zmq.Socket[bytes]) -> int:
    fd = socket.getsockopt(zmq.FD)
    assert isinstance(fd, int)
    return fd


_contexts: dict[int, zmq.Context[zmq.Socket[bytes]]] = {}


def _context() -> zmq.Context[zmq.Socket[bytes]]:
    """The process's context; a forked child gets its own, because its parent's is of no use to it."""
    pid = os.getpid()
    if pid not in _contexts:
        context = zmq.Context()
        context.setsockopt(zmq.MAX_SOCKETS, 65_000)
        context.setsockopt(zmq.BLOCKY, 0)
        _contexts[pid] = context
    return _contexts[pid]


def _new_socket(location: Location) -> zmq.Socket[bytes]:
    dealer = _context().socket(zmq.DEALER)
    dealer.setsockopt(zmq.LINGER, 0)
    dealer.setsockopt(zmq.IMMEDIATE, 1)  # never queue for a connection that is not there
    dealer.setsockopt(zmq.RECONNECT_IVL, -1)  # a broken link stays broken: a new one has a new session
    dealer.setsockopt(zmq.SNDHWM, _SEND_QUEUE)
    dealer.setsockopt(zmq.RCVHWM, 0)  # a full one with heartbeats aborts the process; calls bound it
    dealer.setsockopt(zmq.MAXMSGSIZE, MAX_FRAME_BYTES)
    dealer.setsockopt(zmq.IPV6, int(":" in location.host))
    return dealer


def _resolved(location: Location) -> str:
    """The endpoint; `localhost` is taken for what the broker binds by default."""
    return (location._replace(host="127.0.0.1") if location.host == "localhost" else location).endpoint


def _check_listening(location: Location, timeout_s: float) -> None:
    """Raise `CommunicationError`, with the reason, if no program listens there."""
    host = "127.0.0.1" if location.host == "localhost" else location.host
    try:
        socket.create_connection((host, location.port), max(timeout_s, 0.1)).close()
    except ConnectionRefusedError:
        raise NoBroker(
            f"no broker runs at {location}; start one with `pyrolab up CONFIG` or `pyrolab broker`, "
            "or say where it is: PYROLAB_NAMESERVER=host:port",
            location=str(location),
        ) from None
    except socket.gaierror:
        raise NoBroker(
            f"there is no computer named {location.host!r} that this one knows; check the spelling, "
            "or use its IP address",
            location=str(location),
        ) from None
    except OSError as error:
        raise NoBroker(
            f"{location} cannot be reached ({error}); is the computer on, and the port open in its firewall?",
            location=str(location),
        ) from None


@functools.lru_cache(maxsize=1)
def _about(pid: int) -> dict[str, Any]:
    return {
        "user": _user(),
        "host": platform.node(),
        "pid": pid,
        "software": f"pyrolab {pyrolab.__version__}, python {sys.version.split()[0]}",
    }


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""  # a container without a passwd entry
