"""Urgent methods run beside whatever is running, however they are called."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from live import Process, bus
from pyrolab.api import AsyncProxy, Proxy
from pyrolab.errors import LockedError


@pytest.fixture(scope="module")
def stage_bus() -> Iterator[Process]:
    with bus("services.stage:Stage=stage") as broker:
        yield broker


@pytest.fixture
def stage(stage_bus: Process) -> Iterator[Any]:
    with Proxy(f"PYRONAME:stage@localhost:{stage_bus.ready}") as proxy:
        yield proxy


def _aborted(move: Future[Any], abort: Any) -> Any:
    """The outcome of a move that only `abort` ends; it is asked for until it has found the move running."""
    while not move.done():  # the test's own deadline ends this
        abort()
    return move.result()


def test_from_another_thread_of_the_same_proxy(stage: Any) -> None:
    with ThreadPoolExecutor() as pool:
        moving = pool.submit(stage.move, 3.0)
        assert _aborted(moving, stage.abort) == "arrived"


def test_as_a_future(stage: Any) -> None:
    moving = stage.move.future(4.0)
    aborting = threading.Thread(target=lambda: _aborted(moving, lambda: stage.abort.future().result()))
    aborting.start()
    assert moving.result() == "arrived"
    aborting.join()


def test_in_asyncio_programs(stage_bus: Process) -> None:
    async def main() -> None:
        async with AsyncProxy(f"PYRONAME:stage@localhost:{stage_bus.ready}") as stage:
            moving = asyncio.ensure_future(stage.move(5.0))
            while not moving.done():
                await stage.abort()
            assert await moving == "arrived"

    asyncio.run(main())


def test_a_property_can_be_read_beside_what_runs() -> None:
    with (  # of its own: nobody has aborted anything there
        bus("services.stage:Stage=stage") as broker,
        Proxy(f"PYRONAME:stage@localhost:{broker.ready}") as stage,
    ):
        moving = stage.move.future(6.0)
        assert stage.load == 0.5
        assert not moving.done(), "the read has not waited for the move"
        asyncio.run(_read_in_a_loop(broker))
        assert not moving.done()
        assert _aborted(moving, stage.abort) == "arrived"


async def _read_in_a_loop(stage_bus: Process) -> None:
    async with AsyncProxy(f"PYRONAME:stage@localhost:{stage_bus.ready}") as stage:
        assert await stage.load == 0.5


def test_an_urgent_read_passes_a_reservation_and_an_urgent_control_does_not(
    stage: Any, stage_bus: Process
) -> None:
    with Proxy(f"PYRONAME:stage@localhost:{stage_bus.ready}") as other, stage.reserve(user="ana"):
        assert other.where() is not None
        with pytest.raises(LockedError, match="ana"):
            other.abort()
        assert stage.abort()
