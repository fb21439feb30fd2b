"""Calls whose answers come later."""

from __future__ import annotations

from concurrent.futures import CancelledError, Future, as_completed
from concurrent.futures import TimeoutError as FutureTimeout

import pytest

from live import Process
from pyrolab.api import Proxy, timeout
from pyrolab.errors import CallTimedOut


@pytest.fixture
def name(bench_bus: Process) -> str:
    return f"PYRONAME:bench@localhost:{bench_bus.ready}"


def test_many_calls_at_once_come_back_each_with_its_own_answer(name: str) -> None:
    with Proxy(name) as bench:
        futures = [bench.echo.future(number) for number in range(2000)]
        assert [future.result() for future in futures] == list(range(2000))


def test_answers_come_in_the_order_in_which_calls_run(name: str) -> None:
    with Proxy(name) as bench:
        counts = [bench.count.future() for _ in range(50)]
        results = [future.result() for future in counts]
        assert results == list(range(results[0], results[0] + 50))
        assert len(list(as_completed(counts))) == 50


def test_errors_belong_to_whoever_asks_for_the_result(name: str) -> None:
    with Proxy(name) as bench:
        failing, fine = bench.fail.future(), bench.echo.future("fine")
        assert fine.result() == "fine"
        assert isinstance(failing.exception(), ValueError)
        bench._pyroTimeout = 0.2
        with pytest.raises(CallTimedOut):
            bench.sleep_until_cancelled.future(20).result()


def test_a_cancelled_future_never_runs_if_it_waits_and_is_told_if_it_runs(name: str) -> None:
    with Proxy(name) as bench:
        before = bench.counted()
        running = bench.sleep_until_cancelled.future(20)
        waiting = bench.count.future()
        assert waiting.cancel()
        with pytest.raises(CancelledError):
            waiting.result()
        while not _is_busy(name):  # so it runs
            pass
        assert running.cancel()
        assert bench.counted() == before + 1000


def _is_busy(name: str) -> bool:
    with Proxy(name) as other, timeout(0.1):
        try:
            other.ping()
        except TimeoutError:
            return True
    return False


def test_calls_and_futures_share_a_proxy(name: str) -> None:
    with Proxy(name) as bench:
        futures = []
        for number in range(200):
            futures.append(bench.echo.future(number))
            assert bench.echo(-number) == -number
        assert [future.result() for future in futures] == list(range(200))


def test_a_callback_may_call(name: str) -> None:
    with Proxy(name) as bench:
        echoed: Future[int] = Future()
        first = bench.echo.future(20)
        first.add_done_callback(lambda done: echoed.set_result(bench.echo(done.result() + 1)))
        assert echoed.result(30) == 21
        second = bench.echo.future(1)
        second.add_done_callback(lambda done: echoed.cancel() or bench.echo(2))
        assert second.result() == 1
        assert bench.echo(3) == 3


def test_cancelled_futures_do_not_stand_in_the_way(name: str) -> None:
    with Proxy(name) as bench:
        sleeping = bench.sleep_until_cancelled.future(20)
        waiting = [bench.count.future() for _ in range(400)]
        assert all(future.cancel() for future in [*waiting, sleeping])
        assert bench.echo("still here") == "still here"
        assert bench.echo.future("and here").result() == "and here"


def test_a_result_may_be_waited_for_a_while(name: str) -> None:
    with Proxy(name) as bench:
        sleeping = bench.sleep_until_cancelled.future(20)
        with pytest.raises(FutureTimeout):
            sleeping.result(0.1)
        assert sleeping.cancel()
