"""Many threads wait for the same answers, over a real bus."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from live import Process
from pyrolab.api import Proxy


def test_several_threads_may_wait_for_the_same_answer(bench_bus: Process) -> None:
    with Proxy(f"PYRONAME:bench@localhost:{bench_bus.ready}") as bench, ThreadPoolExecutor(12) as pool:
        for round_number in range(30):
            slow = bench.sleep.future(0.01)
            quick = bench.echo.future(round_number)
            waits = [pool.submit(slow.result) for _ in range(5)]
            waits += [pool.submit(bench.echo, "slept") for _ in range(2)]
            waits += [pool.submit(slow.result) for _ in range(5)]
            assert [wait.result() for wait in waits] == ["slept"] * 12
            assert quick.result() == round_number
