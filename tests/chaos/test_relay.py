"""The relay itself: what it does to connections is what the other tests of this folder believe."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
from collections.abc import Iterator

import psutil
import pytest

from chaos.looking import wait_for
from chaos.relay import Relay, Way
from live import PATIENCE_S

PIECE = bytes(range(256)) * 16


class Echo:
    """A server that sends back what it gets, to each connection in a thread of its own."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.ended: list[str] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._echo, args=(connection,)))
            self._threads[-1].start()

    def _echo(self, connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(65536):
                    connection.sendall(data)
                self.ended.append("closed")
            except OSError:
                self.ended.append("reset")

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(PATIENCE_S)


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.close()


@pytest.fixture
def relay(echo: Echo) -> Iterator[Relay]:
    with Relay(echo.port) as between:
        yield between


def connect(relay: Relay) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", relay.port), PATIENCE_S)
    connection.sendall(b"hello")
    assert receive(connection, 5) == b"hello"
    return connection


def receive(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (piece := connection.recv(size - len(data))):
        data += piece
    return data


def hears_nothing(connection: socket.socket) -> bool:
    """Whether nothing comes for a while; only what ought to be held back is waited for in vain."""
    connection.settimeout(0.1)
    try:
        connection.recv(1)
    except TimeoutError:
        return True
    finally:
        connection.settimeout(PATIENCE_S)
    return False


def test_everything_passes_both_ways(relay: Relay) -> None:
    data = random.Random(1).randbytes(3_000_000)
    with connect(relay) as connection:
        sender = threading.Thread(target=connection.sendall, args=(data,))
        sender.start()
        assert receive(connection, len(data)) == data
        sender.join()
        assert relay.passed_bytes(Way.UP) == len(data) + 5
        wait_for(lambda: relay.passed_bytes(Way.DOWN) == len(data) + 5)  # it counts what it has just sent


@pytest.mark.parametrize("ways", [(), (Way.UP,), (Way.DOWN,)])
def test_what_is_held_back_arrives_late_and_in_order(relay: Relay, ways: tuple[Way, ...]) -> None:
    with connect(relay) as connection:
        relay.hold(*ways)
        for _ in range(10):
            connection.sendall(PIECE)
        assert hears_nothing(connection)
        relay.let_pass()
        assert receive(connection, 10 * len(PIECE)) == 10 * PIECE


def test_buffers_fill_behind_a_cut(relay: Relay) -> None:
    with connect(relay) as connection:
        relay.hold()
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.sendall(bytes(50_000_000))
        assert relay.passed_bytes(Way.UP) == 5


def test_nobody_hears_of_an_end_behind_a_cut_until_it_heals(relay: Relay, echo: Echo) -> None:
    connection = connect(relay)
    relay.hold(Way.DOWN)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()
    with connect_in_vain(relay):
        assert not echo.ended
        relay.let_pass()
        while not echo.ended:  # the test's own deadline ends this
            pass


@contextlib.contextmanager
def connect_in_vain(relay: Relay) -> Iterator[None]:
    """A connection over a cut line is made, and says nothing."""
    with socket.create_connection(("127.0.0.1", relay.port), PATIENCE_S) as connection:
        connection.sendall(b"hello")
        assert hears_nothing(connection)
        yield
        assert receive(connection, 5) == b"hello"


def test_a_new_connection_waits_until_the_line_is_back(relay: Relay) -> None:
    relay.hold()
    with connect_in_vain(relay):
        relay.let_pass()


def test_a_slow_line_lets_little_through_and_loses_nothing(relay: Relay) -> None:
    data = random.Random(2).randbytes(1_000_000)
    with connect(relay) as connection:
        relay.throttle(50_000)
        sender = threading.Thread(target=connection.sendall, args=(data,))
        sender.start()
        first = receive(connection, 100)
        assert relay.passed_bytes(Way.DOWN) < len(data) / 2
        relay.let_pass()
        assert first + receive(connection, len(data) - 100) == data
        sender.join()


def test_a_reset_is_felt_at_both_ends(relay: Relay, echo: Echo) -> None:
    with connect(relay) as connection:
        relay.reset()
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
        while echo.ended != ["reset"]:  # the test's own deadline ends this
            pass
    connect(relay).close()


def test_one_direction_ends_politely(relay: Relay, echo: Echo) -> None:
    with connect(relay) as connection:
        relay.half_close(Way.DOWN)
        assert connection.recv(1) == b""
        assert not echo.ended
    with connect(relay):
        relay.half_close(Way.UP)
        while "closed" not in echo.ended:  # the test's own deadline ends this
            pass


def test_it_refuses_and_accepts_again_at_its_port(relay: Relay) -> None:
    connection = connect(relay)
    relay.refuse()
    with pytest.raises(ConnectionRefusedError):
        connect(relay)
    connection.sendall(b"still")
    assert receive(connection, 5) == b"still"
    connection.close()
    relay.accept()
    connect(relay).close()


def test_whoever_connects_to_a_dead_target_is_reset(echo: Echo) -> None:
    with Relay(echo.port) as relay, Relay(relay.port) as outer:
        relay.refuse()
        with (
            pytest.raises(ConnectionResetError),  # while it connects, or just after that
            socket.create_connection(("127.0.0.1", outer.port), PATIENCE_S) as connection,
        ):
            connection.recv(1)


class Traffic(threading.Thread):
    """Connects, sends, and compares what comes back, again and again."""

    def __init__(self, relay: Relay) -> None:
        super().__init__()
        self._relay = relay
        self.ending = False
        self.error: BaseException | None = None
        self.pieces = 0

    def run(self) -> None:
        try:
            while not self.ending:
                with contextlib.suppress(OSError):  # refused, reset, or held for too long
                    self._exchange()
        except BaseException as error:
            self.error = error

    def _exchange(self) -> None:
        with socket.create_connection(("127.0.0.1", self._relay.port), 0.5) as connection:
            while not self.ending:
                connection.sendall(PIECE)
                back = receive(connection, len(PIECE))
                assert PIECE.startswith(back)
                if len(back) < len(PIECE):
                    return
                self.pieces += 1


def test_it_survives_a_thousand_changes(relay: Relay) -> None:
    chance = random.Random(3)
    before = psutil.Process().num_fds() if hasattr(psutil.Process, "num_fds") else 0
    traffic = [Traffic(relay) for _ in range(4)]
    for each in traffic:
        each.start()
    changes = (
        relay.let_pass,
        relay.hold,
        lambda: relay.hold(chance.choice(list(Way))),
        lambda: relay.throttle(chance.randrange(1, 1_000_000), chance.choice(list(Way))),
        relay.reset,
        lambda: relay.half_close(chance.choice(list(Way))),
        relay.refuse,
        relay.accept,
    )
    for _ in range(1000):
        chance.choice(changes)()
    relay.accept()
    relay.let_pass()
    for each in traffic:
        seen = each.pieces
        while each.pieces == seen:
            assert each.is_alive(), repr(each.error)
        each.ending = True
    for each in traffic:
        each.join()
        assert each.error is None
    while relay.connections:  # the test's own deadline ends this
        pass
    if before:
        assert psutil.Process().num_fds() <= before + 8
