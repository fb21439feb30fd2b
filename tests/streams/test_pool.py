"""Blocks are reused when nobody looks at them any longer, and not before; what is retired never is."""

from __future__ import annotations

import gc
import json
import logging
import os
import sys
import threading
from typing import Any

import numpy as np
import psutil
import pytest

from live import Process
from pyrolab.streams import memory
from pyrolab.streams.memory import MemoryUnreachable
from pyrolab.streams.pool import Block, Pool
from streams.memory_processes import KINDS, pair, start, until

FRAME = 1 << 17


@pytest.fixture(params=[*KINDS, "private"])
def pool(request: pytest.FixtureRequest) -> Any:
    made = Pool(private=True) if request.param == "private" else Pool(str(request.param))
    yield made
    made.close()


def shared(block: Block) -> memoryview:
    """The block as another process sees it."""
    return memory.open_segment(block.reference)


def is_empty(pool: Pool) -> bool:
    """Whether all blocks have come back."""
    pool.trim()
    return len(pool) == 0


# -- blocks ------------------------------------------------------------------------------------------------


def test_a_block_is_pages_to_write_in(pool: Pool) -> None:
    block = pool.take(5000)
    assert (block.capacity, block.view.nbytes, block.view.readonly) == (8192, 8192, False)
    block.view[4999] = 1
    assert block.lend(5000)[4999] == 1


@pytest.mark.parametrize("kind", KINDS)
def test_others_see_what_is_written_into_it(kind: str) -> None:
    pool = Pool(kind)
    block = pool.take(FRAME)
    with start("reader", json.dumps(block.reference)) as process:
        assert process.ready == "0"
        block.view[0] = 5
        assert process.read_line() == "5"
    assert pool.reason == ""


def test_private_memory_has_no_reference() -> None:
    pool = Pool(private=True)
    assert pool.take(FRAME).reference is None
    assert pool.reason


def test_each_block_has_a_number_of_its_own(pool: Pool) -> None:
    assert len({pool.take(10).number for _ in range(10)}) == 10


# -- reuse -------------------------------------------------------------------------------------------------


def test_a_block_comes_back_when_nobody_looks_at_it(pool: Pool) -> None:
    block = pool.take(FRAME)
    lent = block.lend(FRAME)
    array = np.frombuffer(lent, np.uint16).reshape(256, 256)[10:, ::3]
    del lent
    gc.collect()
    assert pool.take(FRAME) is not block
    del array
    assert pool.take(FRAME) is block


@pytest.mark.parametrize("endpoint", ["inproc://blocks", "tcp://127.0.0.1:*"])
def test_a_block_that_is_being_sent_is_not_written(pool: Pool, endpoint: str) -> None:
    with pair(endpoint) as (source, sink):
        for number in range(100):
            block = pool.take(FRAME)
            np.frombuffer(block.view, np.uint8)[:] = number
            source.send(block.lend(FRAME), copy=False)
            del block
        for number in range(100):
            assert sink.recv() == bytes([number]) * FRAME
        until(lambda: is_empty(pool))


def test_the_block_that_came_back_last_is_taken_first(pool: Pool) -> None:
    blocks = [pool.take(FRAME) for _ in range(4)]
    for index in (2, 0, 3, 1):
        blocks[index].give_back()
    assert [pool.take(FRAME) for _ in range(4)] == [blocks[index] for index in (1, 3, 0, 2)]
    assert len(pool) == 4


def test_a_block_that_is_not_needed_is_given_back(pool: Pool) -> None:
    block = pool.take(FRAME)
    block.give_back()
    assert pool.take(FRAME) is block


def test_a_block_is_nobodys_twice(pool: Pool) -> None:
    block = pool.take(FRAME)
    block.give_back()
    with pytest.raises(RuntimeError, match="is free; take one for each frame"):
        block.give_back()
    with pytest.raises(RuntimeError, match="is free"):
        block.lend(FRAME)
    again = pool.take(FRAME)
    lent = again.lend(FRAME)
    for use in (again.give_back, lambda: again.lend(FRAME)):
        with pytest.raises(RuntimeError, match="is lent"):
            use()
    assert pool.take(FRAME) is not block
    del lent


def test_lending_too_much_leaves_the_block_taken(pool: Pool) -> None:
    block = pool.take(FRAME)
    with pytest.raises(ValueError, match="cannot be lent"):
        block.lend(FRAME + 1)
    block.give_back()
    assert pool.take(FRAME) is block


def test_a_block_that_is_dropped_is_not_counted(pool: Pool) -> None:
    kept, dropped = pool.take(FRAME), pool.take(FRAME)
    assert len(pool) == 2
    del dropped
    gc.collect()
    assert len(pool) == 1
    kept.give_back()
    assert len(pool) == 1


# -- sizes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "now", "fits"),
    [
        (FRAME, FRAME, True),
        (FRAME, FRAME - 5000, True),
        (FRAME, FRAME // 4, True),
        (FRAME, FRAME // 4 - 1, False),
        (FRAME, FRAME + 1, False),
        (65536, 1, True),
        (65537, 1, False),
    ],
)
def test_a_block_is_used_for_what_is_not_much_smaller(pool: Pool, before: int, now: int, fits: bool) -> None:
    block = pool.take(before)
    block.give_back()
    assert (pool.take(now) is block) is fits


def test_free_blocks_of_another_size_are_dropped(pool: Pool) -> None:
    blocks = [pool.take(FRAME) for _ in range(5)]
    for block in blocks:
        block.give_back()
    larger = pool.take(16 * FRAME)
    assert len(pool) == 1
    assert larger.capacity == 16 * FRAME
    for block in blocks:
        if block.reference is not None:
            with pytest.raises(MemoryUnreachable):
                shared(block)


def test_what_a_burst_needed_goes_after_a_while(pool: Pool) -> None:
    for block in [pool.take(FRAME) for _ in range(50)]:
        block.give_back()
    needed: set[Block] = set()
    for _ in range(3000):
        needed = {pool.take(FRAME), pool.take(FRAME)}
        for block in needed:
            block.give_back()
    assert len(pool) == 2
    assert {pool.take(FRAME), pool.take(FRAME)} == needed


def test_what_is_needed_is_kept(pool: Pool) -> None:
    kept = {pool.take(FRAME), pool.take(FRAME)}
    for _ in range(3000):
        for block in kept:
            block.give_back()
        assert {pool.take(FRAME), pool.take(FRAME)} == kept


# -- the end of a block ------------------------------------------------------------------------------------


def test_a_retired_block_is_never_used_again_and_stays_as_long_as_it_is_seen(pool: Pool) -> None:
    block = pool.take(FRAME)
    number, reference = block.number, block.reference
    block.view[0] = 9
    lent = block.lend(FRAME)
    array = np.frombuffer(lent, np.uint8)
    block.retire()
    assert len(pool) == 0
    if reference is not None:  # others may not have opened it yet
        assert memory.open_segment(reference)[0] == 9
    del lent, block
    assert array[0] == 9
    del array
    gc.collect()
    assert pool.take(FRAME).number != number
    if reference is not None:
        with pytest.raises(MemoryUnreachable):
            memory.open_segment(reference)


@pytest.mark.parametrize("when", ["taken", "free"])
def test_a_block_can_be_retired_at_any_time(pool: Pool, when: str) -> None:
    block = pool.take(FRAME)
    if when == "free":
        block.give_back()
    block.retire()
    if when == "taken":
        block.give_back()
    assert pool.take(FRAME) is not block
    assert len(pool) == 0


def test_trim_drops_what_is_free_only(pool: Pool) -> None:
    free, taken, lent = (pool.take(FRAME) for _ in range(3))
    view = lent.lend(FRAME)
    free.give_back()
    pool.trim()
    assert len(pool) == 2
    taken.give_back()
    del view
    assert {pool.take(FRAME), pool.take(FRAME)} == {taken, lent}


def test_nothing_is_used_again_after_the_end_and_what_is_seen_stays(pool: Pool) -> None:
    free, taken, lent = (pool.take(FRAME) for _ in range(3))
    lent.view[0] = 3
    view = lent.lend(FRAME)
    free.give_back()
    pool.close()
    taken.give_back()
    assert len(pool) == 1
    assert view[0] == 3
    del view
    assert len(pool) == 0
    assert pool.take(FRAME) not in (free, taken, lent)


def test_a_pool_that_is_dropped_leaves_what_is_seen(pool: Pool) -> None:
    own = Pool()
    free, lent = own.take(FRAME), own.take(FRAME)
    references = [free.reference, lent.reference]
    free.give_back()
    lent.view[0] = 4
    view = lent.lend(FRAME)
    del own, free, lent
    for reference, there in zip(references, (False, True), strict=True):
        if there:
            assert memory.open_segment(reference)[0] == 4
        else:
            with pytest.raises(MemoryUnreachable):
                memory.open_segment(reference)
    assert view[0] == 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_writes_into_no_memory_of_its_parent() -> None:
    code = (
        "import os, sys; from pyrolab.streams.pool import Pool\n"
        "pool = Pool(); free, lent = pool.take(99999), pool.take(99999)\n"
        "free.give_back(); view = lent.lend(99999)\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    del view\n"
        "    for _ in range(3): pool.take(99999).view[:] = b'x' * 102400\n"
        "    os._exit(0)\n"
        "os.waitpid(child, 0)\n"
        "print(bytes(view) == bytes(99999), bytes(free.view) == bytes(102400), pool.take(99999) is free)"
    )
    with Process("-c", code) as process:
        assert process.ready == "True True True"
        process.popen.wait(30)
    assert process.errors == []


# -- where there is no shared memory -----------------------------------------------------------------------


def test_without_shared_memory_frames_are_kept_anyway(caplog: pytest.LogCaptureFixture) -> None:
    pool = Pool()
    size = memory.MAX_SEGMENT_BYTES + 1
    with caplog.at_level(logging.WARNING, "pyrolab.streams"):
        blocks = [pool.take(size), pool.take(size)]
    assert [block.reference for block in blocks] == [None, None]
    assert [record.message for record in caplog.records] == [
        f"frames go by the network on this computer, too: {pool.reason}"
    ]
    assert "comes in 1 to 268435456 bytes" in pool.reason
    lent = blocks[0].lend(size)
    assert pool.take(size) not in blocks
    del lent
    assert pool.take(size) is blocks[0]
    assert pool.take(FRAME).reference is not None
    assert pool.reason == ""


# -- for a long time ---------------------------------------------------------------------------------------


def test_ten_thousand_frames_need_no_more_memory_than_three(pool: Pool) -> None:
    held: list[Any] = []
    for _ in range(10_000):
        block = pool.take(FRAME)
        held.append(np.frombuffer(block.lend(FRAME), np.uint8))
        del held[:-2]
        del block
    assert len(pool) == 3
    held.clear()
    assert len(pool) == 3


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no descriptors to count")
def test_ten_thousand_new_blocks_leave_nothing_behind(pool: Pool) -> None:
    process = psutil.Process()

    def use(times: int) -> None:
        for _ in range(times):
            np.frombuffer(pool.take(4096).lend(4096), np.uint8)
            pool.trim()

    use(500)
    gc.collect()
    descriptors, mappings = process.num_fds(), len(process.memory_maps(grouped=False))
    use(9500)
    assert len(pool) == 0
    assert process.num_fds() <= descriptors
    assert len(process.memory_maps(grouped=False)) <= mappings + 50


def test_frames_that_go_in_other_threads_are_never_torn(pool: Pool) -> None:
    """One fills, four look and let go when they like; each finds what was put there for it, to the end."""
    frames: list[tuple[int, Any]] = []
    torn: list[int] = []
    done = threading.Event()

    def look() -> None:
        while not done.is_set() or frames:
            try:
                number, array = frames.pop()
            except IndexError:
                continue
            if not (array == number).all():
                torn.append(number)

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(1000):
        block = pool.take(FRAME)
        np.frombuffer(block.view, np.uint32)[:] = number
        frames.append((number, np.frombuffer(block.lend(FRAME), np.uint32)))
    done.set()
    for thread in threads:
        thread.join()
    assert torn == []
    pool.trim()
    assert len(pool) <= 1  # `block` is held here, and has come back
