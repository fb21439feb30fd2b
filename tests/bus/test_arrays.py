"""Arrays in calls: their memory is what is sent, and what is received is their memory. Nobody copies."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import zmq

from live import bus
from pyrolab.api import AsyncProxy, BatchProxy, Proxy
from pyrolab.protocol import codec
from services.arrays import SHAPE

WHOLE = np.arange(np.prod(SHAPE), dtype=np.uint16).reshape(SHAPE)
#: Far less than an array, far more than all else that a call needs.
LITTLE = 4 << 20


@pytest.fixture(scope="module")
def arrays() -> Iterator[Any]:
    with (
        bus("services.arrays:Arrays=arrays") as broker,
        Proxy(f"PYRONAME:arrays@localhost:{broker.ready}") as proxy,
    ):
        yield proxy


def address(memory: Any) -> int:
    return int(np.frombuffer(memory, np.uint8).__array_interface__["data"][0])


def frame_behind(array: Any) -> Any:
    """The ZeroMQ frame whose memory an array is."""
    while isinstance(array, np.ndarray):
        array = array.base
    return array.obj if isinstance(array, memoryview) else array


@pytest.mark.parametrize("order", ["C", "F"])
def test_what_is_sent_is_the_memory_of_the_array(order: Any) -> None:
    array = np.ones((300, 200), order=order)
    _, buffers = codec.encode([array, {"x": (array[10:] if order == "C" else array[:, 10:])}])
    assert address(buffers[0]) == array.__array_interface__["data"][0]
    assert address(buffers[1]) > address(buffers[0])
    assert all(np.shares_memory(np.frombuffer(each, np.uint8), array) for each in buffers)


def test_what_is_not_contiguous_is_copied_once(arrays: Any) -> None:
    arrays.begin()
    got = arrays.every_second()
    peak = arrays.end()
    assert got.nbytes <= peak < got.nbytes + LITTLE
    assert np.array_equal(got, WHOLE[:, ::2])


def test_a_result_costs_neither_side_its_memory(arrays: Any) -> None:
    arrays.begin()
    tracemalloc.start()
    try:
        got = arrays.image()
        _, here = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert max(here, arrays.end()) < LITTLE
    frame = frame_behind(got)
    assert isinstance(frame, zmq.Frame)
    assert address(frame.buffer) == got.__array_interface__["data"][0]
    assert np.array_equal(got, WHOLE)


def test_arguments_cost_neither_side_their_memory(arrays: Any) -> None:
    arrays.begin()
    tracemalloc.start()
    try:
        seen = arrays.take(WHOLE, WHOLE.T.T, image=WHOLE)
        _, here = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert max(here, arrays.end()) < LITTLE
    assert seen == [(0, int(WHOLE[-1, -1]), False)] * 3


def test_several_within_lists_and_dicts_are_views_of_frames_of_their_own(arrays: Any) -> None:
    got = arrays.several()
    first, (second, one) = got["halves"]
    assert (one, got["of"]) == (1, "one")
    assert np.array_equal(np.vstack([first, second]), WHOLE)
    assert frame_behind(first) is not frame_behind(second)


def test_a_received_array_lives_as_long_as_somebody_has_it_and_is_read_only(arrays: Any) -> None:
    with Proxy(arrays._pyroUri) as other:
        kept = other.image()[100:200]
    del other
    gc.collect()
    for _ in range(3):
        arrays.image()
    assert np.array_equal(kept, WHOLE[100:200])
    with pytest.raises(ValueError, match="read-only"):
        kept[0, 0] = 1


def test_it_can_be_had_writable_and_still_uncopied(arrays: Any) -> None:
    with Proxy(arrays._pyroUri) as other:
        other._pyroWritable = True
        got = other.image()
        assert isinstance(frame_behind(got), zmq.Frame)
        got[0, 0] = 77
        assert got[0, 0] == 77
        assert other.image()[0, 0] == 0


def test_writable_holds_for_all_ways_to_call_until_it_is_taken_back(arrays: Any) -> None:
    with Proxy(arrays._pyroUri) as other:
        assert not other._pyroWritable
        other._pyroWritable = True
        batch = BatchProxy(other)
        batch.several()
        for got in (other.several.future().result(), *(batch() or ())):
            first, (second, _) = got["halves"]
            assert first.flags.writeable
            assert second.flags.writeable
        other._pyroWritable = False
        assert not other.image().flags.writeable
        assert not arrays.image().flags.writeable


@pytest.mark.parametrize("length", [0, 3, 512, 100_000])
def test_arrays_of_any_size_can_be_had_writable(arrays: Any, length: int) -> None:
    with Proxy(arrays._pyroUri) as other:
        other._pyroWritable = True
        got = other.echo(np.zeros(length))
        got += 1
        assert got.sum() == length


def test_an_asyncio_proxy_brings_writable_arrays_on_request_too(arrays: Any) -> None:
    async def fetch() -> tuple[bool, bool]:
        async with AsyncProxy(arrays._pyroUri) as other:
            before = await other.image()
            other._pyroWritable = True
            return before.flags.writeable, (await other.image()).flags.writeable

    assert asyncio.run(fetch()) == (False, True)


def test_arguments_are_the_memory_of_the_array_all_the_way(arrays: Any) -> None:
    """What comes back of what was sent is a third memory, and the first one is as it was."""
    sent = WHOLE.copy()
    got = arrays.echo([{"a": (sent, sent[:10])}])[0]["a"]
    sent[0, 0] = 9
    assert [each[0, 0] for each in got] == [0, 0]
    assert np.array_equal(got[1], WHOLE[:10])
    assert got[0].flags.c_contiguous
    assert arrays.echo(WHOLE.T).flags.f_contiguous
