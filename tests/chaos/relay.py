"""A TCP relay between one process and the broker, whose connection can be cut as cables and routers cut it.

What is held back stays in the kernel's buffers, as it would on the way: when the relay lets it pass again,
everything arrives late, closed connections included. One thread of its own carries all connections.
"""

from __future__ import annotations

import enum
import errno
import selectors
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from chaos.ports import BUFFER_BYTES, HeldPort

_RESET = struct.pack("ii", 1, 0)
#: A slow line lets through so much at once, in seconds of its rate.
_BURST_S = 0.02


class Way(enum.Enum):
    """A direction, seen from the process that is behind the relay."""

    UP = "to the broker"
    DOWN = "from the broker"


class Lane:
    """How one direction of a relay is doing; a slow line is shared by its connections."""

    def __init__(self) -> None:
        self.held = False
        self.passed_bytes = 0
        self._rate = 0.0
        self._tokens = 0.0
        self._filled = 0.0

    def limit(self, bytes_per_s: float) -> None:
        """So many bytes per second from now on; 0: as many as come."""
        self._rate, self._tokens, self._filled = bytes_per_s, 0.0, time.monotonic()

    @property
    def is_slow(self) -> bool:
        return self._rate > 0

    def allowance(self) -> int:
        """How many bytes may pass now."""
        if not self._rate:
            return BUFFER_BYTES
        now = time.monotonic()
        burst = max(self._rate * _BURST_S, 1.0)
        self._tokens = min(self._tokens + (now - self._filled) * self._rate, burst)
        self._filled = now
        return int(self._tokens)

    def spend(self, size: int) -> None:
        self.passed_bytes += size
        self._tokens -= size


class _Stream:
    """One direction of one connection."""

    def __init__(self, source: socket.socket, sink: socket.socket, lane: Lane) -> None:
        self.source, self.sink, self.lane = source, sink, lane
        self.buffer = bytearray()
        self.source_ended = self.sink_ended = False

    @property
    def wants_to_read(self) -> bool:
        return not (self.lane.held or self.source_ended) and len(self.buffer) < BUFFER_BYTES

    @property
    def wants_to_write(self) -> bool:
        return bool(self.buffer) and not (self.lane.held or self.sink_ended or self.lane.is_slow)

    def pump(self) -> None:
        """Carry what there is. Raises `OSError` if an end is gone."""
        if self.lane.held:
            return
        if self.wants_to_read:
            self._read()
        if self.buffer and not self.sink_ended:
            self._write()
        if self.source_ended and not self.buffer and not self.sink_ended:
            self.end()

    def _read(self) -> None:
        try:
            data = self.source.recv(BUFFER_BYTES - len(self.buffer))
        except BlockingIOError:
            return
        self.buffer += data
        self.source_ended = not data

    def _write(self) -> None:
        allowed = self.lane.allowance()
        if not allowed:
            return
        try:
            sent = self.sink.send(memoryview(self.buffer)[:allowed])
        except BlockingIOError:
            return
        del self.buffer[:sent]
        self.lane.spend(sent)

    def end(self) -> None:
        """Say that nothing more comes this way."""
        self.sink_ended = True
        self.sink.shutdown(socket.SHUT_WR)


class _Connection(NamedTuple):
    near: socket.socket
    far: socket.socket
    up: _Stream
    down: _Stream
    #: Names of states: "connecting", and "broken" for one whose end cannot be told yet.
    state: set[str]

    @property
    def streams(self) -> tuple[_Stream, _Stream]:
        return self.up, self.down


class Relay:
    """Listens at `port` and passes on to the broker at `target`; begins by letting everything through."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._held_port = HeldPort()
        self.port = self._held_port.number
        self._lanes = {way: Lane() for way in Way}
        self._connections: list[_Connection] = []
        self._selector = selectors.DefaultSelector()
        self._orders: deque[tuple[Callable[[], object], threading.Event]] = deque()
        self._bell, self._ear = socket.socketpair()
        self._bell.setblocking(False)
        self._ear.setblocking(False)
        self._selector.register(self._ear, selectors.EVENT_READ)
        self._listener: socket.socket | None = self._held_port.listen()
        self._ending = False
        self._thread = threading.Thread(target=self._work, name=f"relay-{self.port}", daemon=True)
        self._thread.start()

    # -- what tests do to it -------------------------------------------------------------------------

    def let_pass(self) -> None:
        """Heal: what was held back arrives now."""
        self._order(self._let_pass)

    def hold(self, *ways: Way) -> None:
        """A silent cut in these directions, or in both: nothing is said to anybody."""
        self._order(lambda: self._hold(ways or tuple(Way)))

    def throttle(self, bytes_per_s: float, *ways: Way) -> None:
        """A slow line."""
        self._order(lambda: self._throttle(bytes_per_s, ways or tuple(Way)))

    def reset(self) -> None:
        """End all connections at both ends, as a router does that has forgotten them."""
        self._order(self._reset)

    def half_close(self, way: Way) -> None:
        """End one direction of all connections politely."""
        self._order(lambda: self._half_close(way))

    def refuse(self) -> None:
        """Nobody listens any more: new connections are refused."""
        self._order(self._refuse)

    def accept(self) -> None:
        """Listen again."""
        self._order(self._accept_again)

    def passed_bytes(self, way: Way) -> int:
        """How many bytes have gone this way."""
        return self._lanes[way].passed_bytes

    @property
    def connections(self) -> int:
        """How many connections there are."""
        return len(self._connections)

    def close(self) -> None:
        """End the relay and all its connections."""
        if self._thread.is_alive():
            self._order(self._end)
            self._thread.join()

    def __enter__(self) -> Relay:
        return self

    def __exit__(self, *reason: object) -> None:
        self.close()

    def _order(self, act: Callable[[], object]) -> None:
        """Have something done in the relay's thread; returns when it is."""
        done = threading.Event()
        self._orders.append((act, done))
        self._ring()
        while not done.wait(0.2):
            if not self._thread.is_alive():
                raise RuntimeError("the relay has ended")

    def _ring(self) -> None:
        try:
            self._bell.send(b"!")
        except OSError:
            pass  # it has been rung often enough, or has carried out its last order already

    # -- the relay's own thread ----------------------------------------------------------------------

    def _work(self) -> None:
        while not self._ending:
            self._attend_to()
            self._selector.select(self._pause_s())
            self._obey()
            self._take_in()
            for connection in list(self._connections):
                self._pump(connection)
        self._selector.close()

    def _pause_s(self) -> float:
        """A slow line is looked at often; everything else is woken."""
        waiting = any(
            stream.buffer and stream.lane.is_slow for c in self._connections for stream in c.streams
        )
        return _BURST_S / 4 if waiting else 1.0

    def _obey(self) -> None:
        try:
            self._ear.recv(4096)
        except BlockingIOError:
            pass
        while self._orders:
            act, done = self._orders.popleft()
            act()
            done.set()

    def _take_in(self) -> None:
        while self._listener is not None and not self._lanes[Way.UP].held:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self._connect(near)

    def _connect(self, near: socket.socket) -> None:
        far = socket.socket()
        for each in (near, far):
            each.setblocking(False)
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        up, down = _Stream(near, far, self._lanes[Way.UP]), _Stream(far, near, self._lanes[Way.DOWN])
        connection = _Connection(near, far, up, down, {"connecting"})
        self._connections.append(connection)
        if far.connect_ex(("127.0.0.1", self._target)) not in (0, errno.EINPROGRESS):
            self._drop(connection)

    def _pump(self, connection: _Connection) -> None:
        if "connecting" in connection.state and not self._has_connected(connection):
            return
        if "broken" in connection.state:
            self._lost(connection)
            return
        try:
            for stream in connection.streams:
                stream.pump()
        except OSError:
            self._lost(connection)
            return
        if all(stream.sink_ended for stream in connection.streams):
            self._drop(connection, politely=True)

    def _has_connected(self, connection: _Connection) -> bool:
        problem = connection.far.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if problem:
            self._drop(connection)
            return False
        try:
            connection.far.getpeername()
        except OSError:
            return False
        connection.state.discard("connecting")
        return True

    def _lost(self, connection: _Connection) -> None:
        """An end has gone: the other one hears of it, unless the line is cut."""
        if any(lane.held for lane in self._lanes.values()):
            connection.state.add("broken")
        else:
            self._drop(connection)

    def _drop(self, connection: _Connection, politely: bool = False) -> None:
        self._connections.remove(connection)
        for end in (connection.near, connection.far):
            self._watch(end, 0)
            if not politely:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            end.close()

    def _attend_to(self) -> None:
        """Say to the selector what matters now; an end of which nothing is wanted reports nothing at all."""
        if self._listener is not None:
            self._watch(self._listener, 0 if self._lanes[Way.UP].held else selectors.EVENT_READ)
        for connection in self._connections:
            if "broken" in connection.state:
                wanted = {connection.near: 0, connection.far: 0}
            elif "connecting" in connection.state:
                wanted = {connection.near: 0, connection.far: selectors.EVENT_WRITE}
            else:
                wanted = {connection.near: 0, connection.far: 0}
                for stream in connection.streams:
                    wanted[stream.source] |= selectors.EVENT_READ if stream.wants_to_read else 0
                    wanted[stream.sink] |= selectors.EVENT_WRITE if stream.wants_to_write else 0
            for end, events in wanted.items():
                self._watch(end, events)

    def _watch(self, end: socket.socket, events: int) -> None:
        known = self._selector.get_map().get(end)
        if known is None:
            if events:
                self._selector.register(end, events)
        elif not events:
            self._selector.unregister(end)
        elif known.events != events:
            self._selector.modify(end, events)

    # -- orders --------------------------------------------------------------------------------------

    def _let_pass(self) -> None:
        for lane in self._lanes.values():
            lane.held = False
            lane.limit(0)

    def _hold(self, ways: tuple[Way, ...]) -> None:
        for way in ways:
            self._lanes[way].held = True

    def _throttle(self, bytes_per_s: float, ways: tuple[Way, ...]) -> None:
        for way in ways:
            self._lanes[way].limit(bytes_per_s)

    def _reset(self) -> None:
        for connection in list(self._connections):
            self._drop(connection)

    def _half_close(self, way: Way) -> None:
        for connection in list(self._connections):
            stream = connection.up if way is Way.UP else connection.down
            if not stream.sink_ended and "connecting" not in connection.state:
                try:
                    stream.end()
                except OSError:
                    self._lost(connection)

    def _refuse(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            self._watch(listener, 0)
            listener.close()

    def _accept_again(self) -> None:
        if self._listener is None:
            self._listener = self._held_port.listen()

    def _end(self) -> None:
        self._reset()
        self._refuse()
        self._held_port.close()
        self._watch(self._ear, 0)
        self._bell.close()
        self._ear.close()
        self._ending = True
