"""A lease ends when nobody looks at its memory any longer, and at nothing that was made from it."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import zmq

from live import Process
from pyrolab.streams import memory
from pyrolab.streams.lease import lease
from streams.memory_processes import KINDS, pair, until

SIZE = 1 << 17  # large enough that ZeroMQ does not copy it

DERIVED: dict[str, Callable[[memoryview], Any]] = {
    "itself": lambda view: view,
    "a memoryview": memoryview,
    "a slice": lambda view: view[5:10],
    "a cast": lambda view: view.cast("d"),
    "frombuffer": lambda view: np.frombuffer(view, np.float64),
    "asarray": np.asarray,
    "an array over it": lambda view: np.ndarray((4,), np.uint8, buffer=view),
    "a view of a view": lambda view: np.ndarray((4,), np.uint8, buffer=view)[1:][::-1].T,
    "a reshaped region": lambda view: np.frombuffer(view, np.uint16).reshape(256, -1)[5:9, ::2],
    "an array of an array's memory": lambda view: np.frombuffer(np.frombuffer(view, np.uint8)[8:].data),
    "what is behind it": lambda view: view.obj,
    "a slice of what is behind it": lambda view: np.asarray(view.obj)[3:],
}
MESSAGES: dict[str, Callable[[memoryview], Any]] = {
    "an unsent message": lambda view: zmq.Frame(view, copy=False),
    "what is made of a message": lambda view: np.frombuffer(zmq.Frame(view, copy=False).buffer, np.uint8),
}


@pytest.fixture(params=[*KINDS, "private"])
def view(request: pytest.FixtureRequest) -> memoryview:
    if request.param == "private":
        return np.zeros(SIZE, np.uint8).data
    return memory.create(SIZE, str(request.param)).view


@pytest.mark.parametrize("derive", [*DERIVED.values(), *MESSAGES.values()], ids=[*DERIVED, *MESSAGES])
def test_it_ends_with_the_last_that_was_derived(
    view: memoryview, derive: Callable[[memoryview], Any]
) -> None:
    ended: list[int] = []
    derived = derive(lease(view, SIZE - 1024, lambda: ended.append(1)))
    gc.collect()
    assert ended == []
    del derived
    until(lambda: ended)  # ZeroMQ lets go in a thread of its own
    gc.collect()
    assert ended == [1]


@pytest.mark.parametrize("derive", DERIVED.values(), ids=DERIVED)
def test_nothing_that_is_derived_can_be_written(
    view: memoryview, derive: Callable[[memoryview], Any]
) -> None:
    derived = derive(lease(view, SIZE - 1024, bool))
    assert memoryview(derived).readonly
    array = derived if isinstance(derived, np.ndarray) else np.frombuffer(derived, np.uint8)
    assert not array.flags.writeable
    with pytest.raises(ValueError, match="WRITEABLE"):
        array.flags.writeable = True


def test_it_is_the_memory_itself_and_the_first_bytes_of_it(view: memoryview) -> None:
    lent = lease(view, 100, bool)
    view[99] = 7
    assert (lent.nbytes, lent.format, lent[99]) == (100, "B", 7)


@pytest.mark.parametrize("nbytes", [0, 1, SIZE])
def test_any_size_that_is_there(view: memoryview, nbytes: int) -> None:
    ended: list[int] = []
    lent = lease(view, nbytes, lambda: ended.append(1))
    assert lent.nbytes == nbytes
    assert ended == []
    del lent
    assert ended == [1]


@pytest.mark.parametrize("nbytes", [-1, SIZE + 1])
def test_sizes_that_are_not_there(view: memoryview, nbytes: int) -> None:
    with pytest.raises(ValueError, match=f"{nbytes} bytes cannot be lent from a block of {SIZE}"):
        lease(view, nbytes, bool)


def test_each_lease_of_the_same_memory_ends_by_itself(view: memoryview) -> None:
    ended: list[str] = []
    first = lease(view, 8, lambda: ended.append("first"))
    second = lease(view, 8, lambda: ended.append("second"))
    del second
    assert ended == ["second"]
    del first
    assert ended == ["second", "first"]


def test_a_part_of_a_cycle_ends_when_that_is_collected(view: memoryview) -> None:
    ended: list[int] = []
    cycle: list[Any] = [lease(view, 8, lambda: ended.append(1))]
    cycle.append(cycle)
    del cycle
    gc.collect()
    assert ended == [1]


def test_it_can_end_in_any_thread(view: memoryview) -> None:
    ended: list[int] = []
    held = [lease(view, 8, lambda: ended.append(threading.get_ident())) for _ in range(100)]
    threads = [threading.Thread(target=lambda: [held.pop() for _ in range(25)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ended) == 100
    assert threading.get_ident() not in ended


def test_a_message_keeps_it_until_it_has_been_read(view: memoryview) -> None:
    ended: list[int] = []
    with pair("inproc://frames") as (source, sink):
        source.send(lease(view, SIZE, lambda: ended.append(1)), copy=False)
        received = sink.recv(copy=False)
        assert isinstance(received, zmq.Frame)
        view[0] = 43  # it is the sender's memory still
        assert received.buffer[0] == 43
        gc.collect()
        assert ended == []
        del received
        until(lambda: ended)
    assert ended == [1]


def test_a_message_over_the_network_keeps_it_until_it_has_been_sent(view: memoryview) -> None:
    ended: list[int] = []

    def message(number: int) -> memoryview:
        return lease(view, SIZE, lambda: ended.append(number))

    with pair("tcp://127.0.0.1:*") as (source, sink):
        for number in range(300):  # more than all buffers on the way hold
            source.send(message(number), copy=False)
        assert len(sink.recv()) == SIZE
        until(lambda: 0 in ended)
        assert len(ended) < 300
        for _ in range(299):
            sink.recv()
        until(lambda: len(ended) == 300)


def test_the_end_of_the_program_is_quiet() -> None:
    code = (
        "import numpy as np, zmq; from pyrolab.streams.pool import Pool\n"
        "pools = [Pool(kind) for kind in (None, 'named')] + [Pool(private=True)]\n"
        "def lent(pool): return np.frombuffer(pool.take(99999).lend(99999), np.uint8)\n"
        "arrays = [lent(pool) for pool in pools]\n"
        "context = zmq.Context(); socket, other = context.socket(zmq.PAIR), context.socket(zmq.PAIR)\n"
        "socket.bind('inproc://a'); other.connect('inproc://a')\n"
        "for pool in pools: socket.send(lent(pool), copy=False)\n"
        "cycle = [lent(pools[0])]; cycle.append(cycle)\n"
        "context.destroy(0); print('done')"
    )
    with Process("-c", code) as process:
        process.popen.wait(30)
        assert process.popen.returncode == 0
    assert process.errors == []
