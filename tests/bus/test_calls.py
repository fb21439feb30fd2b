"""Calls through a real broker to a real worker."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from live import Process, start_broker, start_worker
from pyrolab.api import Proxy
from pyrolab.errors import CallExpired, CallTimedOut, NotExecuted, OutcomeUnknown, ServiceGone


@pytest.fixture
def name(bench_bus: Process) -> str:
    return f"PYRONAME:bench@localhost:{bench_bus.ready}"


def test_members_are_known_and_unknown_ones_are_refused(name: str) -> None:
    with Proxy(name) as bench:
        assert {"echo", "count", "level", "ping"} <= set(dir(bench))
        assert "_secret" not in dir(bench)
        with pytest.raises(AttributeError, match="did you mean 'count'"):
            bench.coutn()
        with pytest.raises(AttributeError):
            bench._secret()
        with pytest.raises(AttributeError, match="offers no 'colour'"):
            bench.colour = "red"
        assert bench.echo.__doc__ == "The value itself."


def test_properties(name: str) -> None:
    with Proxy(name) as bench:
        bench.level = 2.5
        bench.level += 0.5
        assert bench.level == 3.0
        with pytest.raises(ValueError, match="negative"):
            bench.level = -1
        with pytest.raises(AttributeError):
            del bench.level


def test_an_unknown_exception_keeps_its_nearest_known_base(name: str) -> None:
    with Proxy(name) as bench, pytest.raises(ValueError, match="the shutter is stuck") as caught:
        bench.fail()
    assert type(caught.value).__name__ == "ShutterStuck"
    assert caught.value.angle_deg == 12.5  # type: ignore[attr-defined]


def test_a_service_that_wants_to_exit_ends_neither_side(name: str) -> None:
    with Proxy(name) as bench:
        with pytest.raises(Exception, match="SystemExit") as caught:
            bench.leave()
        assert isinstance(caught.value, Exception)
        assert bench.ping()


def test_what_cannot_travel_is_named_with_its_path(name: str) -> None:
    with Proxy(name) as bench:
        with pytest.raises(TypeError, match=r"args\[1\]\['x'\]"):
            bench.echo(1, {"x": threading.Lock()})
        with pytest.raises(TypeError, match=r"lock_object\(\)\['state'\]\[0\]"):
            bench.lock_object()
        assert bench.ping()


def test_a_service_runs_in_one_thread_of_its_own_process(name: str) -> None:
    with Proxy(name) as one, Proxy(name) as two:
        assert len({one.where(), two.where(), one.where()}) == 1
        assert one.where()[0] != os.getpid()


def test_instance_modes(bench_bus: Process) -> None:
    at = f"localhost:{bench_bus.ready}"
    with Proxy(f"PYRONAME:session@{at}") as one, Proxy(f"PYRONAME:session@{at}") as two:
        assert [one.count(), one.count(), two.count()] == [1, 2, 1]
    with Proxy(f"PYRONAME:session@{at}") as three:
        assert three.count() == 1
        closed: list[int] = []
        while sorted(closed) != [1, 2]:  # the test's own deadline ends this
            closed = three.closed_instances()
    with Proxy(f"PYRONAME:percall@{at}") as call:
        assert [call.count(), call.count()] == [1, 1]


def test_oneway_calls_return_at_once_and_run_in_order(name: str) -> None:
    with Proxy(name) as bench:
        before = bench.counted()
        assert bench.count_later() is None
        assert bench.count_later() is None
        assert bench.counted() == before + 2


def test_a_call_that_waits_past_its_deadline_never_runs(name: str) -> None:
    with Proxy(name) as busy, Proxy(name) as late, ThreadPoolExecutor() as pool:
        before = late.counted()
        sleeping = pool.submit(busy.sleep, 1.0)
        while not _is_running(late):
            pass
        late._pyroTimeout = 0.2
        with pytest.raises(TimeoutError) as caught:
            late.count()
        assert isinstance(caught.value, (CallExpired, NotExecuted))
        assert sleeping.result() == "slept"
        late._pyroTimeout = None
        assert late.counted() == before


def _is_running(bench: Any) -> bool:
    bench._pyroTimeout = 0.1
    try:
        bench.ping()
    except TimeoutError:
        return True
    return False


def test_a_call_that_runs_past_its_deadline_has_an_unknown_outcome_and_is_told(name: str) -> None:
    with Proxy(name) as bench:
        before = bench.counted()
        bench._pyroTimeout = 0.3
        with pytest.raises(CallTimedOut) as caught:
            bench.sleep_until_cancelled(20)
        assert isinstance(caught.value, TimeoutError)
        assert isinstance(caught.value, OutcomeUnknown)
        bench._pyroTimeout = None
        assert bench.counted() == before + 1000, "the service saw that its caller had gone"


def test_many_threads_share_one_proxy(name: str) -> None:
    with Proxy(name) as bench, ThreadPoolExecutor(16) as pool:
        numbers = list(range(1500))
        assert list(pool.map(bench.echo, numbers)) == numbers


def test_many_proxies_in_many_threads(name: str) -> None:
    def work(worker: int) -> int:
        with Proxy(name) as bench:
            return sum(bench.echo(worker) for _ in range(30))

    with ThreadPoolExecutor(12) as pool:
        assert list(pool.map(work, range(12))) == [30 * worker for worker in range(12)]


def test_a_killed_worker_ends_its_calls_and_its_successor_is_found_by_name() -> None:
    with start_broker() as broker:
        name = f"PYRONAME:bench@localhost:{broker.ready}"
        with start_worker(broker.ready, "services.bench:Bench=bench") as worker, Proxy(name) as bench:
            assert bench.count() == 1
            with ThreadPoolExecutor() as pool:
                running = pool.submit(bench.sleep, 60)
                with Proxy(name) as other:
                    while not _is_running(other):
                        pass
                worker.kill()
                with pytest.raises(OutcomeUnknown):
                    running.result()
            with pytest.raises(ServiceGone, match="no worker offers"):
                bench.count()
            with start_worker(broker.ready, "services.bench:Bench=bench"):
                assert bench.count() == 1


def test_a_broker_that_comes_back_finds_its_workers_and_proxies_again() -> None:
    with start_broker() as first:
        port = int(first.ready)
        with start_worker(port, "services.bench:Bench=bench") as worker:
            uri = worker.ready
            with Proxy(uri) as bench:
                assert bench.count() == 1
                first.kill()
                with pytest.raises(ConnectionError):
                    bench.count()
                with start_broker(port):
                    while True:  # the test's own deadline ends this
                        try:
                            assert bench.count() == 2, "what failed while it was down has not run since"
                            break
                        except NotExecuted:
                            continue
                    assert bench.count() == 3
