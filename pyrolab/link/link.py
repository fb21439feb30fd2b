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
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgpack
import zmq

import pyrolab
from pyrolab.errors import (
    CallExpired,
    ConnectionClosedError,
    NoBroker,
    NotSent,
    ProtocolError,
    VersionMismatch,
    from_refusal,
)
from pyrolab.link.clock import clock_ms, clock_s
from pyrolab.link.frames import POLLIN, POLLOUT, events, receive_message, send_frames
from pyrolab.link.readiness import Readiness
from pyrolab.link.sockets import check_listening, descriptor_of, hasten_local, new_socket, resolved
from pyrolab.protocol.envelope import MAX_STAMP, WITH_BODY, Envelope, Kind, check_frames, pack, parse
from pyrolab.protocol.names import Location

#: How long opening may take before it fails.
CONNECT_TIMEOUT_S = 5.0
#: When nobody has answered for so long, find out whether anybody listens at all.
_DIAGNOSE_AFTER_S = 0.05
#: After so long, another try to connect is made; the last one has all the time that is left.
_TRIES_S = (0.3, 1.5)
#: A broker that has been silent for so long, although pinged, is taken for dead, unless it says otherwise.
SILENCE_S = 7.0
#: The shortest and the longest heartbeat, and silence, that a broker may ask for.
_HEARTBEATS_S, _SILENCES_S = (0.05, 60.0), (0.1, 3600.0)
#: After this silence in heartbeats and s, but at most so many s, a link is doubtful. Less than the 5 s after
#: which the broker takes a call for stale, more than there is between the signs of life of an idle link.
_DOUBT_HEARTBEATS, _DOUBT_MARGIN_S, _MOST_DOUBT_S = 2.5, 0.5, 4.5
#: The numbers of pings, which no call has.
_FIRST_PING = 1 << 63

Message = tuple[Envelope, list[Any]]


class Link:
    """A session with the broker at `location`, in the `role` of a client, a worker, its line, or a watch.

    `about` is what the HELLO says besides who this is. `request`, the frames of a message without a session,
    goes out with it, to save waiting for its answer. Raises `NoBroker`, or what the broker answers (such as
    `PoolFull`), if there can be none.
    """

    def __init__(
        self,
        location: Location,
        role: str,
        name: str = "",
        timeout_s: float = CONNECT_TIMEOUT_S,
        request: Sequence[Any] = (),
        about: Mapping[str, Any] | None = None,
    ) -> None:
        self.location = location
        self.role = role
        self.lock = threading.Lock()
        self.session = 0
        #: What the broker calls itself.
        self.broker = ""
        self._agree(2.0, SILENCE_S)
        #: How far the broker's clock (in ms) is ahead of ours, as last heard, at least.
        self._ahead_ms = 0
        #: When something came last, by `clock_s`; and last without what may have waited while we slept.
        self.heard = self.trusted = clock_s()
        self._attended = self._woke = self._pinged = self.heard
        #: The number of the next ping.
        self.next_ping = _FIRST_PING
        #: The first ping since we slept, if it has not been answered; 0 otherwise.
        self._proof = 0
        self.closed = False
        self.pid = os.getpid()
        #: Called by whoever has sent something: that may swallow the sign that something has come.
        self.watchers: list[Callable[[], object]] = []
        self._waiting = False
        self._socket = new_socket(location)
        self._readiness = Readiness(descriptor_of(self._socket))
        try:
            hello = {"role": role, "name": name, **_about(self.pid), **(about or {})}
            self._open(hello, timeout_s, request)
        except BaseException:
            self.close(polite=False)
            raise

    def __repr__(self) -> str:
        state = "closed" if self.closed else f"session {self.session:016x}"
        return f"<Link to {self.location}, {self.role}, {state}>"

    # -- opening and closing -------------------------------------------------------------------------

    def _open(self, hello: dict[str, Any], timeout_s: float, request: Sequence[Any]) -> None:
        self._connect(timeout_s)
        self.send([pack(Kind.HELLO, stamp=clock_ms()), msgpack.packb(hello)])
        if request:
            self.send(request)
        envelope, frames = self._first_answer(timeout_s)
        if envelope.kind == Kind.REFUSED:
            raise refusal(frames[0])
        if envelope.kind != Kind.WELCOME:
            raise ProtocolError(f"{self.location} answered a HELLO with a message of kind {envelope.kind}")
        self.session = envelope.session
        hasten_local(frames[0].get(zmq.SRCFD))
        self._heed(_unpack_map(frames[0]))

    def _heed(self, welcome: dict[str, Any]) -> None:
        """Take in what the broker wants, as far as it makes sense."""
        self.broker = str(welcome.get("broker", ""))
        heartbeat_s = _within(_HEARTBEATS_S, welcome.get("heartbeat_s"), self.heartbeat_s)
        self._agree(heartbeat_s, _within(_SILENCES_S, welcome.get("silence_s"), self.silence_s))

    def _agree(self, heartbeat_s: float, silence_s: float) -> None:
        """Give and expect signs of life so often, and wait for them for so long."""
        self.heartbeat_s = heartbeat_s
        self.silence_s = max(silence_s, 3 * heartbeat_s)
        #: After so long without trusted news, nothing must be sent before a ping has been answered.
        self.doubt_s = min(_DOUBT_HEARTBEATS * heartbeat_s + _DOUBT_MARGIN_S, _MOST_DOUBT_S)
        #: Whoever has not looked for longer has slept, and does not know what has become of the link.
        self._nap_s = max(1.0, self.silence_s / 2, 1.5 * heartbeat_s)

    def _connect(self, timeout_s: float) -> None:
        start = time.monotonic()
        diagnosed = False
        for until_s in (*(each for each in _TRIES_S if each < timeout_s), timeout_s):
            self._socket.connect(resolved(self.location))
            while not events(self._socket) & POLLOUT:
                elapsed = time.monotonic() - start
                if elapsed > _DIAGNOSE_AFTER_S and not diagnosed:
                    diagnosed = True
                    check_listening(self.location, timeout_s - elapsed)
                if elapsed > until_s:
                    self._replace_socket()
                    break
                self._readiness.wait(until_s - elapsed if diagnosed else _DIAGNOSE_AFTER_S)
            else:
                return
        raise self._gave_up(
            f"{self.location} does not answer like a PyroLab broker (waited {timeout_s:g} s); "
            "another program may use this port: look at what listens there, or choose another",
            timeout_s,
        )

    def _gave_up(self, why: str, timeout_s: float) -> NoBroker | CallExpired:
        """The error for a broker that has not answered, or not within what was left for a call."""
        if timeout_s < CONNECT_TIMEOUT_S:
            return CallExpired(f"the deadline passed, and nothing was sent: {why}")
        return NoBroker(why, location=str(self.location))

    def _replace_socket(self) -> None:
        """Begin anew: a socket does not tell when its one connection was refused, or broken at once."""
        self._socket.close(linger=0)
        self._readiness.close()
        self._socket = new_socket(self.location)
        self._readiness = Readiness(descriptor_of(self._socket))

    def _first_answer(self, timeout_s: float) -> Message:
        deadline = time.monotonic() + timeout_s
        while True:
            message = self.receive()
            if message is not None:
                return message
            if time.monotonic() > deadline:
                raise self._gave_up(
                    f"the broker at {self.location} took the connection, but has not answered for "
                    f"{timeout_s:g} s; it may be stuck or overloaded",
                    timeout_s,
                )
            self.wait(min(0.1, max(deadline - time.monotonic(), 0.001)))

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
        now = clock_s()
        if now - self._attended > self._nap_s:
            self._overslept(now)
        self.heard = self._attended = now
        if not self._proof:
            self.trusted = now
        elif envelope.kind == Kind.PONG and envelope.call >= self._proof:
            self.trusted, self._proof = now, 0
        if envelope.kind in _FROM_BROKER:
            self._ahead_ms = envelope.stamp - int(now * 1000)
        return envelope, rest

    def _is_lost(self) -> str:
        return (
            f"the connection to the broker at {self.location} is lost; it may be restarting: "
            "the next use connects again"
        )

    def stamp(self) -> int:
        """The broker's clock, in ms, as far as it is known here: never later than it is."""
        return min(max(clock_ms() + self._ahead_ms, 0), MAX_STAMP)

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
        if clock_s() - self._pinged >= self.heartbeat_s:
            self.tend()

    @property
    def socket(self) -> zmq.Socket[bytes]:
        """To wait for what comes, for a thread that is the only one to use this link."""
        return self._socket

    def copy_descriptor(self) -> int:
        """A copy of the descriptor that becomes readable when something may have arrived.

        Whoever asks for it closes it, when they like: ZeroMQ closes its own. Raises
        `ConnectionClosedError`, and `OSError` on Windows.
        """
        with self.lock:
            if self.closed:
                raise ConnectionClosedError(f"the connection to {self.location} is closed")
            return os.dup(descriptor_of(self._socket))

    def tell_watchers(self) -> None:
        """Have them look."""
        for look in tuple(self.watchers):
            look()

    def wake(self) -> None:
        """End somebody's `wait`."""
        self._readiness.wake()

    def tend(self) -> None:
        """Ping the broker when it is time. Raises `ConnectionClosedError` if it is silent for too long."""
        now = clock_s()
        if now - self._attended > self._nap_s:
            self._overslept(now)
        self._attended = now
        if now - self._pinged < self.heartbeat_s:
            return
        silent_s = now - max(self.heard, self._woke)
        if silent_s > self.silence_s:
            raise ConnectionClosedError(
                f"the broker at {self.location} has been silent for {silent_s:.0f} s; "
                "is its computer on, and the cable in?"
            )
        self._pinged = now
        self.ping()

    def _overslept(self, now: float) -> None:
        """This process, or its computer, has slept: judge the broker's silence from here.

        What comes now may have waited here all the time, and the session may have ended meanwhile: only the
        answer to a new ping shows that it has not.
        """
        self._woke = now
        self._pinged = 0.0
        self._proof = self.next_ping

    def ping(self) -> int:
        """Have the broker answer with a PONG, which has the number returned here as its call."""
        with self.lock:
            number = self.next_ping
            self.next_ping += 1
            self.send_locked([pack(Kind.PING, session=self.session, call=number, stamp=clock_ms())])
            return number


_FROM_BROKER = frozenset({Kind.WELCOME, Kind.PONG, Kind.RESULT, Kind.RAISED, Kind.REFUSED})


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


def _within(bounds: tuple[float, float], wanted: Any, otherwise: float) -> float:
    sensible = isinstance(wanted, (int, float)) and bounds[0] <= wanted <= bounds[1]
    return float(wanted) if sensible else otherwise


@functools.lru_cache(maxsize=1)
def _about(pid: int) -> dict[str, Any]:
    return {
        "user": login_name(),
        "host": platform.node(),
        "pid": pid,
        "software": f"pyrolab {pyrolab.__version__}, python {sys.version.split()[0]}",
    }


def login_name() -> str:
    """Who is logged in here; empty if nobody knows."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""  # a container without a passwd entry
