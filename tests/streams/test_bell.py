"""A sleeper wakes when somebody rings, or something comes, and sleeps again."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import zmq

from pyrolab.streams.bell import Bell

#: Nothing here takes this long unless it hangs.
LONG_S = 30.0


@pytest.fixture
def bell() -> Iterator[Bell]:
    made = Bell()
    yield made
    made.close()


def test_who_was_woken_once_sleeps_again(bell: Bell) -> None:
    bell.ring()
    assert bell.wait([], LONG_S)
    assert not bell.wait([], 0)


def test_many_rings_wake_once(bell: Bell) -> None:
    for _ in range(100_000):  # more than there is room for
        bell.ring()
    assert bell.wait([], LONG_S)
    assert not bell.wait([], 0)


def test_a_ring_from_another_thread_ends_the_sleep(bell: Bell) -> None:
    timer = threading.Timer(0.05, bell.ring)
    timer.start()
    assert bell.wait([], LONG_S)
    timer.join()


def test_a_message_ends_the_sleep_and_is_no_ring(bell: Bell) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    with context, context.socket(zmq.PAIR) as here, context.socket(zmq.PAIR) as there:
        here.bind("inproc://here")
        there.connect("inproc://here")
        there.send(b"something")
        assert not bell.wait([here], LONG_S)
        assert here.recv(zmq.NOBLOCK) == b"something"
