"""The emergency stop, as clients see it, through a real broker and a real worker."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from live import Process, bus, is_busy, start_broker
from pyrolab.api import AsyncProxy, BatchProxy, Proxy, locate_ns
from pyrolab.client import emergency
from pyrolab.client.nameservice import NameService
from pyrolab.errors import EmergencyStopped, NoBroker, NotExecuted, OutcomeUnknown, PoolFull
from pyrolab.protocol.names import Location


@pytest.fixture(scope="module")
def lab() -> Iterator[Process]:
    with bus("services.bench:Bench=bench", "services.brakes:Brakes=stage") as broker:
        yield broker


@pytest.fixture
def names(lab: Process) -> Iterator[NameService]:
    """The name service; whatever a test has stopped runs again after it."""
    with locate_ns("localhost", int(lab.ready)) as names:
        yield names
        names.reset_emergency_stop()


@pytest.fixture
def bench(lab: Process) -> Iterator[Any]:
    with Proxy(f"PYRONAME:bench@localhost:{lab.ready}") as proxy:
        yield proxy


@pytest.fixture
def stage(lab: Process) -> Iterator[Any]:
    with Proxy(f"PYRONAME:stage@localhost:{lab.ready}") as proxy:
        yield proxy


def _runs_again(call: Callable[[], Any]) -> Any:
    """The value of a call, once the worker knows, too, that all is safe."""
    while True:  # the test's own deadline ends this
        try:
            return call()
        except EmergencyStopped:
            continue


def test_everything_stops_until_it_is_reset(names: NameService, bench: Any, stage: Any) -> None:
    assert names.stopped() is None
    before, brakings = _runs_again(bench.count), stage.brakings
    said = names.emergency_stop("smoke", user="ana")
    assert said["services"][stage._attachment.target.decode()] in ("begun", "ended")
    assert said["services"][bench._attachment.target.decode()] == "no hook"
    stopped = names.stopped()
    assert stopped is not None
    assert (stopped["reason"], stopped["user"]) == ("smoke", "ana")
    assert names.load()["stopped"] == stopped
    for attempt in (bench.count, lambda: setattr(bench, "level", 1.0), bench.count.future().result):
        with pytest.raises(EmergencyStopped, match=r"ana@.*smoke.*reset_emergency_stop") as caught:
            attempt()
        assert isinstance(caught.value, NotExecuted)
        assert caught.value.reason == "smoke"
    assert bench.counted() == before, "reading goes on, and nothing else has run"
    reading = BatchProxy(bench)
    reading.counted()
    assert list(reading() or ()) == [before]
    assert stage.brakings == brakings + 1
    assert names.reset_emergency_stop()
    assert not names.reset_emergency_stop()
    assert names.stopped() is None
    assert _runs_again(bench.count) == before + 1


def test_the_hook_runs_beside_a_call(names: NameService, stage: Any, lab: Process) -> None:
    brakings = stage.brakings
    with Proxy(f"PYRONAME:stage@localhost:{lab.ready}") as other, ThreadPoolExecutor() as pool:
        moving = pool.submit(_runs_again, other.move)
        while not is_busy(stage):  # the test's own deadline ends this
            pass
        names.emergency_stop()
        assert moving.result() == "braked"
    assert stage.brakings == brakings + 1
    stopped = names.stopped()
    assert stopped is not None
    assert stopped["user"], "by default it is whoever is logged in"


def test_each_proxy_can_do_it(names: NameService, bench: Any, lab: Process) -> None:
    bench.emergency_stop("from a proxy")
    stopped = names.stopped()
    assert stopped is not None
    assert stopped["reason"] == "from a proxy"
    names.reset_emergency_stop()

    async def main() -> None:
        async with AsyncProxy(f"PYRONAME:bench@localhost:{lab.ready}") as bench:
            await bench.emergency_stop("from a loop")
            with pytest.raises(EmergencyStopped, match="from a loop"):
                await bench.count()
            assert await bench.counted() >= 0

    asyncio.run(main())


def test_it_needs_no_place_among_the_clients() -> None:
    with (
        bus("services.brakes:Brakes=stage", max_clients=2) as broker,
        Proxy(f"PYRONAME:stage@localhost:{broker.ready}") as stage,
        locate_ns("localhost", int(broker.ready)) as names,
    ):
        assert stage.brakings == 0
        with pytest.raises(PoolFull):
            Proxy(f"PYRONAME:stage@localhost:{broker.ready}")._pyroBind()
        names.emergency_stop()
        assert stage.brakings == 1


def test_a_reservation_does_not_stand_in_its_way_and_outlives_it(
    names: NameService, bench: Any, lab: Process
) -> None:
    with Proxy(f"PYRONAME:bench@localhost:{lab.ready}") as other, bench.reserve(user="ana") as held:
        other.emergency_stop()
        with pytest.raises(EmergencyStopped):
            bench.count()
        names.reset_emergency_stop()
        assert _runs_again(bench.count)
        assert not held.lost


# -- when nobody can be told -------------------------------------------------------------------------------


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emergency, "PATIENCE_S", 0.5)


@pytest.mark.usefixtures("quick")
def test_no_broker_is_said_in_capitals() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        location = Location("localhost", free.getsockname()[1])
        with pytest.raises(NoBroker, match=r"^NOT stopped: .*use the hardware switch"):
            NameService(location).emergency_stop("smoke")


@pytest.mark.usefixtures("quick")
def test_whatever_listens_there_instead_of_a_broker_is_no_confirmation() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        location = Location("localhost", mute.getsockname()[1])
        with pytest.raises((NoBroker, OutcomeUnknown), match="use the hardware switch"):
            emergency.emergency_stop(location)


def test_a_broker_that_is_just_starting_again_is_waited_for() -> None:
    with start_broker() as first:
        port = int(first.ready)
        first.kill()
    stopping = threading.Event()
    with ThreadPoolExecutor() as pool:

        def stop() -> Any:
            stopping.set()
            return emergency.emergency_stop(Location("localhost", port), "smoke")

        said = pool.submit(stop)
        stopping.wait(30)
        with start_broker(port), locate_ns("localhost", port) as names:
            assert said.result()["services"] == {}
            stopped = names.stopped()
            assert stopped is not None
            assert stopped["reason"] == "smoke"
