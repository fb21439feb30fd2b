"""Proxies for asyncio."""

from __future__ import annotations

import asyncio
import copy
import pickle
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from live import Process, is_busy, start_broker, start_worker
from pyrolab.api import AsyncProxy, Proxy, timeout
from pyrolab.errors import CallTimedOut

Program = Callable[[Any], Awaitable[None]]


@pytest.fixture
def run(station_bus: Process) -> Callable[[Program], None]:
    """Runs a program with an `AsyncProxy` of `station`, in a loop of its own."""

    def run_one(program: Program) -> None:
        async def main() -> None:
            async with AsyncProxy(f"PYRONAME:station@localhost:{station_bus.ready}") as station:
                await program(station)

        asyncio.run(main())

    return run_one


def test_methods_properties_and_items(run: Callable[[Program], None]) -> None:
    async def program(station: Any) -> None:
        assert await station.add(1, two=2) == 3
        await station.gain.set(4)
        assert await station.gain == 4
        await station.gain.delete()
        assert await station.gain == 0
        await station["w"].set(9)
        assert await station["w"] == 9
        await station["w"].delete()
        with pytest.raises(KeyError):
            await station["w"]
        assert await station.__len__() == 2
        assert await station(4) == 8
        assert await station.later(6.0) is None
        assert await station.position == 6.0
        with pytest.raises(AttributeError, match=r"\.set\(3\)"):
            station.gain = 3
        assert {"move", "gain", "moved"} <= set(dir(station))

    run(program)


def test_errors_are_those_of_a_plain_proxy(run: Callable[[Program], None]) -> None:
    async def program(station: Any) -> None:
        with pytest.raises(ValueError, match="negative") as caught:
            await station.gain.set(-1)
        assert caught.value.remote_traceback  # type: ignore[attr-defined]
        with pytest.raises(TypeError, match=r"Station.move\(\) missing 1 required positional argument: 'to'"):
            await station.move()
        with pytest.raises(TypeError, match=r"Channel.ramp\(\) missing"):
            await station.ch_a.ramp()
        with pytest.raises(AttributeError, match="did you mean 'move'"):
            await station.mvoe(1)
        with pytest.raises(TypeError, match=r"args\[0\]"):
            await station.move(object())
        assert await station.ping()

    run(program)


def test_sub_objects_are_reached_in_one_step(run: Callable[[Program], None]) -> None:
    async def program(station: Any) -> None:
        await station.ch_a.voltage.set(3.5)
        assert await station.ch_a.voltage == 3.5
        assert await station.channels["a"].voltage == 3.5
        assert await station.in_order[0].name == "a"
        channels = await station.channels
        assert await channels["b"].name == "b"
        held = await station.channel("a")
        assert await held.voltage == 3.5
        assert await station.same(held, "a")
        async with await station.lease() as lease:
            assert await lease.work() == "worked"

    run(program)


def test_a_sub_object_is_held_as_long_as_somebody_uses_it(run: Callable[[Program], None]) -> None:
    async def program(station: Any) -> None:
        voltage = (await station.channel("a")).voltage
        await voltage.set(1.5)
        assert await voltage == 1.5
        assert await (await station.channel("a")).ramp(1.5, steps=1) == [1.5]
        heard = (await station.channel("a")).heard.__aiter__()
        first = asyncio.ensure_future(anext_of(heard))
        while not first.done():  # the test's own deadline ends this
            await voltage.set(2.5)
        assert first.result() == 2.5
        await heard.aclose()

    run(program)


def test_arguments_of_held_objects_are_checked_here(
    run: Callable[[Program], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def program(station: Any) -> None:
        channel = await station.channel("a")
        assert await channel.ramp(0.0, 1) == [0.0]
        monkeypatch.setattr(station._side, "invoke", None)  # from here on nothing can be sent
        with pytest.raises(TypeError, match=r"Channel.ramp\(\) missing"):
            await channel.ramp()
        with pytest.raises(TypeError, match="unexpected keyword argument 'stepps'"):
            await channel.ramp(1.0, stepps=2)

    run(program)


def test_sub_objects_and_iterators_are_arguments_wherever_they_stand(run: Callable[[Program], None]) -> None:
    async def program(station: Any) -> None:
        await station.same([await station.channel("a")], "a")
        async with await station.numbers(2) as numbers:
            assert not await station.same(numbers, "a")

    run(program)


def test_what_takes_time_is_not_done_without_await(run: Callable[[Program], None]) -> None:
    async def program(station: Any) -> None:
        with pytest.raises(TypeError, match="not iterable"):
            iter(station)
        with pytest.raises(TypeError, match="not a container"):
            assert "x" in station.channels
        with pytest.raises(AttributeError, match=r"'move' is a method; call it: `await ….move\(…\)`"):
            await station.move

    run(program)


def test_copies_connect_for_themselves(station_bus: Process) -> None:
    async def main() -> None:
        async with AsyncProxy(f"PYRONAME:station@localhost:{station_bus.ready}") as station:
            assert await station._pyroBind()
            for copied in (copy.copy(station), pickle.loads(pickle.dumps(station))):
                assert not copied._pyroConnected
                assert copied._pyroUri == station._pyroUri
                async with copied:
                    assert await copied.add(1) == 2

    asyncio.run(main())


def test_items_come_one_after_the_other(run: Callable[[Program], None]) -> None:
    async def program(station: Any) -> None:
        assert [number async for number in station.numbers(3000)] == list(range(3000))
        assert [number async for number in station.squares] == [0, 1, 4, 9, 16]
        assert [key async for key in station] == ["x", "y"]
        numbers = await station.numbers(3)
        assert [number async for number in numbers] == [0, 1, 2]
        with pytest.raises(ValueError, match="failed after 2"):
            _ = [item async for item in station.fails_after(2)]
        before = len(await station.closed())
        items = station.endless(0.002).__aiter__()
        assert [await anext_of(items) for _ in range(4)] == [0, 1, 2, 3]
        await items.aclose()
        while len(await station.closed()) == before:  # the test's own deadline ends this
            pass

    run(program)


async def anext_of(items: Any) -> Any:
    return await items.__anext__()


def test_many_tasks_share_a_proxy(run: Callable[[Program], None]) -> None:
    async def program(station: Any) -> None:
        sums = await asyncio.gather(*(station.add(number, 1) for number in range(2000)))
        assert sums == list(range(1, 2001))

    run(program)


def test_cancelling_a_task_cancels_its_call(run: Callable[[Program], None]) -> None:
    async def program(station: Any) -> None:
        before = (await station.closed()).count("cancelled by hook")
        running = asyncio.create_task(station.wait_for_cancel(60))
        while not await _is_busy(station):
            pass
        waiting = asyncio.create_task(station.move(4321.0))
        await asyncio.sleep(0)
        for task in (waiting, running):
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        while (await station.closed()).count("cancelled by hook") == before:
            pass
        assert await station.position != 4321.0
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(station.wait_for_cancel(60), 0.1)
        assert await station.ping()

    run(program)


def test_what_is_never_awaited_is_said(run: Callable[[Program], None]) -> None:
    async def program(station: Any) -> None:
        with pytest.warns(RuntimeWarning, match="move was never awaited"):
            station.move(1.0)

    run(program)


def test_deadlines(run: Callable[[Program], None]) -> None:
    async def program(station: Any) -> None:
        station._pyroTimeout = 0.2
        with pytest.raises(CallTimedOut):
            await station.wait_for_cancel(60)
        station._pyroTimeout = None
        with timeout(0.2), pytest.raises(TimeoutError):
            await station.wait_for_cancel(60)
        assert await station.ping()

    run(program)


def test_events_and_changes(run: Callable[[Program], None], station: Any) -> None:
    async def program(async_station: Any) -> None:
        async with async_station.watch("gain") as changes:
            first = await anext_of(changes)
            station.gain = first.value + 1
            assert (await anext_of(changes)).value == first.value + 1
            assert (changes.missed, changes.interruptions) == (0, 0)
        moves = async_station.moved.__aiter__()
        heard = asyncio.ensure_future(anext_of(moves))
        while not heard.done():  # the test's own deadline ends this
            station.move(7.0)
            await asyncio.sleep(0.01)
        assert heard.result() == 7.0
        await moves.aclose()

    run(program)


def test_functions_and_coroutine_functions_are_called_back(run: Callable[[Program], None]) -> None:
    async def program(station: Any) -> None:
        async def square(number: int) -> int:
            await asyncio.sleep(0)
            return number * number

        assert await station.each(square, 3) == [0, 1, 4]
        assert await station.each(lambda number: -number, 3) == [0, -1, -2]

    run(program)


def test_one_proxy_in_two_loops_one_after_the_other(station_bus: Process) -> None:
    station = AsyncProxy(f"PYRONAME:station@localhost:{station_bus.ready}")

    async def main() -> int:
        return int(await station.add(1))

    assert [asyncio.run(main()), asyncio.run(main())] == [2, 2]
    asyncio.run(station._pyroRelease())
    assert not station._pyroConnected


def test_calls_that_are_out_end_with_the_broker() -> None:
    with start_broker() as broker, start_worker(broker.ready, "services.station:Station=station"):
        name = f"PYRONAME:station@localhost:{broker.ready}"

        async def main() -> None:
            station = AsyncProxy(name)
            calls = [asyncio.create_task(station.wait_for_cancel(60)) for _ in range(5)]
            with Proxy(name) as other:
                while not is_busy(other):
                    await asyncio.sleep(0)
            broker.kill()
            for call in calls:
                with pytest.raises(ConnectionError):
                    await call
            with pytest.raises(ConnectionError, match="no broker runs"):
                await station.ping()

        asyncio.run(main())


async def _is_busy(station: Any) -> bool:
    with timeout(0.1):
        try:
            await station.ping()
        except TimeoutError:
            return True
    return False
