"""How asyncio loops read a connection: who looks when, and when they stop."""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from typing import Any

import pytest

from live import Process, start_broker, start_worker
from pyrolab.api import AsyncProxy
from pyrolab.client.connection import Connection
from pyrolab.client.loop_reader import LoopReader
from pyrolab.errors import NoBroker, WouldDeadlock


@pytest.fixture
def name(station_bus: Process) -> str:
    return f"PYRONAME:station@localhost:{station_bus.ready}"


def count_calls(monkeypatch: pytest.MonkeyPatch, kind: type, method: str) -> list[Any]:
    """A list that gets an item with each call of a method."""
    calls: list[Any] = []
    original = getattr(kind, method)

    def counting(self: Any, *args: Any, **kwargs: Any) -> Any:
        calls.append(self)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(kind, method, counting)
    return calls


def test_tasks_that_start_together_connect_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    connections = count_calls(monkeypatch, Connection, "__init__")

    async def main() -> list[int]:
        async with AsyncProxy(name) as station:
            return await asyncio.gather(*(station.add(number) for number in range(300)))

    assert asyncio.run(main()) == list(range(1, 301))
    assert len(connections) == 1


def test_tasks_that_start_together_fail_together(monkeypatch: pytest.MonkeyPatch) -> None:
    connections = count_calls(monkeypatch, Connection, "__init__")

    async def main() -> list[Any]:
        station: Any = AsyncProxy("PYRONAME:station@localhost:1")
        return await asyncio.gather(*(station.add(1) for _ in range(300)), return_exceptions=True)

    assert all(isinstance(outcome, NoBroker) for outcome in asyncio.run(main()))
    assert len(connections) < 3


def test_cancelling_one_task_lets_the_others_connect(name: str) -> None:
    async def main() -> None:
        async with AsyncProxy(name) as station:
            impatient, patient = (asyncio.create_task(station.add(1)) for _ in range(2))
            await asyncio.sleep(0)
            impatient.cancel()
            assert await patient == 2
            with pytest.raises(asyncio.CancelledError):
                await impatient

    asyncio.run(main())


def test_a_loop_does_not_poll_while_a_thread_reads(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with AsyncProxy(name) as station:
            await station.keep(print)  # from now on a thread waits for questions
            timers: list[Any] = []
            monkeypatch.setattr(asyncio.get_running_loop(), "call_later", lambda *args: timers.append(args))
            for number in range(200):
                assert await station.add(number) == number + 1
            monkeypatch.undo()
            await station.forget()
            assert timers == []

    asyncio.run(main())


def test_loops_at_the_same_time_have_one_reader_each(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    readers = count_calls(monkeypatch, LoopReader, "__init__")
    station: Any = AsyncProxy(name)
    sums: list[list[int]] = []
    together = threading.Barrier(2)

    async def main() -> None:
        await station.add(0)
        await asyncio.to_thread(together.wait)
        sums.append([await station.add(number) for number in range(300)])
        await asyncio.to_thread(together.wait)

    threads = [threading.Thread(target=asyncio.run, args=[main()]) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sums == [list(range(1, 301))] * 2
    assert len(readers) == 2
    asyncio.run(station._pyroRelease())
    assert [reader._descriptor for reader in readers] == [-1, -1]


class _Proactor(asyncio.SelectorEventLoop):
    """Knows no descriptors, as on Windows."""

    def add_reader(self, *args: Any) -> Any:  # type: ignore[override]
        raise NotImplementedError


def test_loops_that_know_no_descriptors() -> None:
    async def main(broker: Process) -> None:
        station: Any = AsyncProxy(f"PYRONAME:station@localhost:{broker.ready}")
        sums = await asyncio.gather(*(station.add(number) for number in range(1000)))
        assert sums == list(range(1, 1001))
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(station.wait_for_cancel(60), 0.1)
        while "cancelled by hook" not in await station.closed():
            pass
        calls = [asyncio.create_task(station.wait_for_cancel(60)) for _ in range(3)]
        await asyncio.sleep(0)
        broker.kill()
        for call in calls:
            with pytest.raises(ConnectionError):
                await call

    with start_broker() as broker, start_worker(broker.ready, "services.station:Station=station"):
        loop = _Proactor()
        try:
            loop.run_until_complete(main(broker))
            loop.run_until_complete(loop.shutdown_default_executor())
        finally:
            loop.close()


def test_a_reader_ends_with_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    readers = count_calls(monkeypatch, LoopReader, "__init__")

    async def main(broker: Process) -> None:
        station: Any = AsyncProxy(f"PYRONAME:station@localhost:{broker.ready}")
        assert await station.add(1) == 2
        broker.kill()
        while readers[0]._descriptor >= 0:  # the test's own deadline ends this
            await asyncio.sleep(0)
        with pytest.raises(ConnectionError):
            await station.add(1)

    with start_broker() as broker, start_worker(broker.ready, "services.station:Station=station"):
        asyncio.run(main(broker))


def test_a_service_that_is_refused_as_gone_is_looked_up_again(name: str) -> None:
    async def main() -> None:
        async with AsyncProxy(name) as station:
            await station._pyroBind()
            station._side.attachment.target = b"of-a-worker-that-has-ended"
            sums = await asyncio.gather(*(station.add(number) for number in range(50)))
            assert sums == list(range(1, 51))

    asyncio.run(main())


def test_a_coroutine_for_which_the_service_waits_does_not_wait_for_it(name: str) -> None:
    async def main() -> None:
        async with AsyncProxy(name) as station:

            async def ask_back(number: int) -> int:
                return int(await station.add(number))

            with pytest.raises(WouldDeadlock):
                await station.each(ask_back, 1)
            assert await station.ping()

    asyncio.run(main())


def test_coroutine_functions_of_all_kinds_are_called_back(name: str) -> None:
    class Power:
        async def square(self, number: int) -> int:
            return number**2

    async def power(exponent: int, number: int) -> int:
        return int(number**exponent)

    async def main() -> None:
        async with AsyncProxy(name) as station:
            assert await station.each(Power().square, 3) == [0, 1, 4]
            assert await station.each(partial(power, 3), 3) == [0, 1, 8]

    asyncio.run(main())
