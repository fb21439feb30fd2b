"""Services for oneself alone, through a real broker: `reserve`, `lock`, `transaction`."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from live import HERE, Process, bus, clean_environment, is_busy, start_broker, start_worker
from pyrolab.api import AsyncProxy, BatchProxy, Daemon, Proxy, Reservation, locate_ns, reserve
from pyrolab.client.claim import WAIT_S, Terms
from pyrolab.errors import LockedError, NotExecuted, ReservationLost
from services.bench import Bench

SERVICES = ("services.bench:Bench=stage", "services.bench:Session=laser")
#: For tests that have to wait until the grace time is over.
QUICK = {"grace_s": 2.0, "heartbeat_s": 0.5}


@pytest.fixture(scope="module")
def lab() -> Iterator[Process]:
    with bus(*SERVICES) as broker:
        yield broker


@pytest.fixture
def stage(lab: Process) -> Iterator[Any]:
    with Proxy(f"PYRONAME:stage@localhost:{lab.ready}") as proxy:
        yield proxy


@pytest.fixture
def laser(lab: Process) -> Iterator[Any]:
    with Proxy(f"PYRONAME:laser@localhost:{lab.ready}") as proxy:
        yield proxy


@pytest.fixture
def other(lab: Process) -> Iterator[Any]:
    """Another client's proxy of the stage."""
    with Proxy(f"PYRONAME:stage@localhost:{lab.ready}") as proxy:
        yield proxy


# -- reserving -------------------------------------------------------------------------------------------


def test_others_can_read_and_nothing_else(stage: Any, other: Any) -> None:
    with stage.reserve(user="ana") as held:
        assert isinstance(held, Reservation)
        assert held.user == "ana"
        assert held.services == [stage._pyroUri.object] or len(held.services) == 1
        assert held.token > 0
        assert held.since is not None
        assert held.until is not None
        assert not held.lost
        assert "for ana since" in repr(held)
        before = stage.counted()
        assert stage.count() == before + 1
        stage.level = 2.0
        assert other.level == 2.0
        assert other.counted() == before + 1
        for attempt in (other.count, lambda: setattr(other, "level", 1.0), lambda: other.sleep(0)):
            with pytest.raises(LockedError, match=r"reserved by ana .* until .* reserve\(wait=") as caught:
                attempt()
            assert isinstance(caught.value, (ConnectionRefusedError, NotExecuted))
            assert caught.value.user == "ana"
            assert caught.value.since == pytest.approx(held.since)
            assert caught.value.until >= held.until - 1
        with pytest.raises(LockedError, match="ana"):
            other.count.future().result()
    assert "released" in repr(held)
    assert other.count() == before + 2


def test_a_batch_that_only_reads_passes(stage: Any, other: Any) -> None:
    with stage.reserve():
        reading, moving = BatchProxy(other), BatchProxy(other)
        reading.counted()
        reading.counted()
        assert list(reading() or ()) == [stage.counted()] * 2
        moving.counted()
        moving.count()
        with pytest.raises(LockedError):
            moving()


def test_it_is_for_whoever_is_logged_in(stage: Any, other: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "mara")
    with stage.reserve() as held:
        assert held.user == "mara"
        with pytest.raises(LockedError, match="mara"):
            other.count()


def test_without_with(stage: Any, other: Any) -> None:
    held = stage.reserve()
    with pytest.raises(LockedError):
        other.count()
    held.release()
    held.release()
    assert other.count()


def test_not_waiting_is_refused_at_once(stage: Any, other: Any) -> None:
    with stage.reserve(user="ana"), pytest.raises(LockedError, match="ana"):
        other.reserve(wait=0)
    with other.reserve(wait=0):
        assert other.count()


def test_waiting_in_vain_says_for_whom(stage: Any, other: Any) -> None:
    with stage.reserve(user="ana"), pytest.raises(LockedError, match="ana"):
        other.reserve(wait=0.05)
    assert other.count()


def test_those_who_wait_get_it_in_the_order_of_asking(lab: Process, stage: Any) -> None:
    proxies: list[Any] = [Proxy(f"PYRONAME:stage@localhost:{lab.ready}") for _ in range(3)]
    order: list[int] = []

    def wait_for_it(number: int) -> None:
        with proxies[number] as mine, mine.reserve(user=str(number), wait=30):
            order.append(number)

    with ThreadPoolExecutor() as pool:
        with stage.reserve():
            waiting = []
            for number, mine in enumerate(proxies):
                mine._pyroBind()
                waiting.append(pool.submit(wait_for_it, number))
                while not mine._attachment.connection._calls:  # the test's own deadline ends this
                    pass
                mine.counted()  # what is answered after it shows that the broker has got it
        for each in waiting:
            each.result()
    assert order == [0, 1, 2]


def test_how_long_one_waits() -> None:
    assert Terms().patience_s(None) == WAIT_S
    assert Terms().patience_s(3.0) == 3.0
    assert Terms(wait_s=0).patience_s(3.0) == 0
    with pytest.raises(ValueError, match="no time"):
        Terms(wait_s=-1)
    with pytest.raises(ValueError, match="no time"):
        Terms(for_s=0)


def test_what_is_held_already_is_not_released_by_the_inner_one(stage: Any, other: Any) -> None:
    with stage.reserve(user="ana") as outer:
        with stage.reserve(user="ana again", wait=0) as inner:
            assert inner.token == outer.token
            assert stage.count()
        with stage.transaction():
            assert stage.count()
        with pytest.raises(LockedError):
            other.count()
    assert other.count()


def test_a_sub_object_stands_for_its_service(lab: Process) -> None:
    with bus("services.station:Station=station") as station_bus:
        name = f"PYRONAME:station@localhost:{station_bus.ready}"
        with Proxy(name) as mine, Proxy(name) as theirs, mine.ch_a.reserve(user="ana"):
            mine.ch_a.voltage = 2.0
            with pytest.raises(LockedError, match="ana"):
                theirs.channels["b"].voltage = 2.0


# -- several at once -------------------------------------------------------------------------------------


def test_several_are_reserved_together(stage: Any, laser: Any, other: Any) -> None:
    with reserve(stage, laser, user="ana") as held:
        assert len(held.services) == 2
        assert stage.count()
        assert laser.count()
        with pytest.raises(LockedError):
            other.count()
    assert other.count()
    assert stage._attachment.holdings.token == laser._attachment.holdings.token == 0


def test_opposite_orders_never_block_each_other(lab: Process) -> None:
    def work(names: list[str]) -> int:
        done = 0
        proxies = [Proxy(f"PYRONAME:{name}@localhost:{lab.ready}") for name in names]
        for _ in range(15):
            with reserve(*proxies, wait=30):
                done += sum(bool(proxy.count()) for proxy in proxies)
        for proxy in proxies:
            proxy._pyroRelease()
        return done

    orders = [["stage", "laser"], ["laser", "stage"]] * 2
    with ThreadPoolExecutor() as pool:
        assert list(pool.map(work, orders)) == [30] * 4


def test_what_is_lacking_is_added_to_what_is_held(stage: Any, laser: Any, other: Any) -> None:
    with stage.reserve() as outer:
        with reserve(stage, laser) as both:
            assert set(both.services) > set(outer.services)
            assert laser.count()
        with pytest.raises(LockedError):
            other.count()
    assert other.count()


def test_different_brokers_are_a_clear_error(lab: Process, stage: Any) -> None:
    with bus("services.bench:Bench=bench") as elsewhere:
        with (
            Proxy(f"PYRONAME:bench@localhost:{elsewhere.ready}") as bench,
            pytest.raises(ValueError, match=r"different brokers .* one after the other"),
        ):
            reserve(stage, bench)
        with Proxy(f"PYRONAME:laser@127.0.0.1:{lab.ready}") as laser, reserve(stage, laser):
            assert laser.count()  # one broker under two names
    with pytest.raises(ValueError, match="reserve what"):
        reserve()


# -- losing it -------------------------------------------------------------------------------------------


def test_taking_over_fences_the_former_owner(
    stage: Any, other: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with stage.reserve(user="ana") as held:
        with other.reserve(user="boss", force=True, wait=0):
            before = stage.counted()
            with pytest.raises(ReservationLost) as caught:
                stage.count()
            assert isinstance(caught.value, NotExecuted)
            assert held.lost
            assert "lost" in repr(held)
            assert other.count() == before + 1
        with pytest.raises(ReservationLost):
            stage.count()  # free again or not: what the block relied on is gone
        assert stage.counted() == before + 1
    assert "has ended" in caplog.text
    assert stage.count() == before + 2


def test_whoever_has_lost_it_may_reserve_again(stage: Any, other: Any) -> None:
    assert stage.lock("ana")
    other.reserve(force=True).release()
    with pytest.raises(ReservationLost):
        stage.count()
    assert stage.lock("ana")
    assert stage.count()
    with pytest.raises(LockedError):
        other.count()


def test_it_ends_after_the_time_that_was_asked_for(stage: Any, other: Any) -> None:
    with stage.reserve(for_s=0.2), other.reserve(wait=30):
        assert other.count()
        with pytest.raises(ReservationLost):
            stage.count()


def test_releasing_the_proxy_releases_what_it_holds(lab: Process, stage: Any, other: Any) -> None:
    stage.lock()
    held = stage.reserve()
    stage._pyroRelease()
    assert other.count()
    held.release()
    assert stage.count()
    with Proxy(f"PYRONAME:stage@localhost:{lab.ready}") as forgotten:
        forgotten.reserve()
    del forgotten
    assert other.count()


def test_a_proxy_that_nobody_holds_any_longer_holds_nothing(lab: Process, other: Any) -> None:
    proxy = Proxy(f"PYRONAME:stage@localhost:{lab.ready}")
    assert proxy.lock()
    del proxy
    with other.reserve(wait=30):
        assert other.count()


ENDING = """
import sys
from pyrolab.api import Proxy
stage = Proxy(sys.argv[1])
stage.lock("a program")
"""


def test_a_program_that_ends_leaves_nothing_reserved(lab: Process, other: Any) -> None:
    uri = f"PYRONAME:stage@localhost:{lab.ready}"
    subprocess.run(
        [sys.executable, "-c", ENDING, uri], check=True, timeout=30, env=clean_environment(), cwd=HERE
    )
    assert other.count()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_uses_its_parents_reservation_and_does_not_end_it(stage: Any, other: Any) -> None:
    with stage.reserve(user="ana") as held:
        before = stage.counted()
        child = os.fork()
        if not child:
            code = 1
            try:
                stage.count()
                stage._pyroRelease()
                held.release()
                code = 0
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
        assert stage.counted() == before + 1
        assert stage.count() == before + 2
        with pytest.raises(LockedError):
            other.count()


# -- a lost connection -----------------------------------------------------------------------------------


def test_a_reservation_outlives_the_broker(tmp_path: Path) -> None:
    storage = str(tmp_path / "broker.sqlite")
    with start_broker(storage=storage) as first:
        port = int(first.ready)
        with start_worker(port, *SERVICES) as worker:
            uri = worker.ready.split()[0]
            with Proxy(uri) as mine, Proxy(uri) as theirs, mine.reserve(user="ana") as held:
                assert mine.count() == 1
                token = held.token
                first.kill()
                with start_broker(port, storage=storage):
                    _until_served(lambda: theirs.counted())
                    with pytest.raises(LockedError, match="ana"):
                        theirs.count()
                    assert mine.count() == 2
                    assert held.token == token
                    assert not held.lost


def test_an_idle_owner_comes_back_by_itself(tmp_path: Path) -> None:
    storage = str(tmp_path / "broker.sqlite")
    with start_broker(0, storage=storage, **QUICK) as first:
        port = int(first.ready)
        with start_worker(port, *SERVICES) as worker:
            uri = worker.ready.split()[0]
            with Proxy(uri) as mine, mine.reserve(user="ana") as held:
                assert mine.count() == 1
                connection = mine._attachment.connection
                first.kill()
                with start_broker(port, storage=storage, **QUICK), locate_ns("localhost", port) as names:
                    while mine._attachment.connection in (None, connection):  # the test's deadline ends this
                        pass
                    (listed,) = names.reservations()
                    later = listed["until"] + QUICK["grace_s"]
                    while listed["until"] < later:  # it is renewed, without any call
                        (listed,) = names.reservations()
                    assert listed["user"] == "ana"
                    assert not held.lost


def test_a_broker_that_has_forgotten_it_fences_the_owner(caplog: pytest.LogCaptureFixture) -> None:
    with start_broker() as first:
        port = int(first.ready)
        with start_worker(port, *SERVICES) as worker:
            uri = worker.ready.split()[0]
            with Proxy(uri) as mine, mine.reserve(user="ana") as held:
                assert mine.count() == 1
                first.kill()
                with start_broker(port):
                    while not held.lost:  # its own thread finds out
                        pass
                    _until_served(lambda: mine.counted())
                    with pytest.raises(ReservationLost):
                        mine.count()
                    assert mine.counted() == 1
    assert "has ended" in caplog.text


def test_several_proxies_of_one_reservation_come_back_together(tmp_path: Path) -> None:
    storage = str(tmp_path / "broker.sqlite")
    with start_broker(storage=storage) as first:
        port = int(first.ready)
        with start_worker(port, *SERVICES) as worker:
            stage, laser = map(Proxy, worker.ready.split())
            with stage, laser, reserve(stage, laser) as held:
                first.kill()
                with start_broker(port, storage=storage):
                    _until_served(lambda: laser.closed_instances())
                    assert laser.count()
                    assert stage.count()
                    assert not held.lost


def _until_served(call: Callable[[], object]) -> None:
    """Until the broker and the worker are there again; the test's own deadline ends this."""
    while True:
        try:
            call()
        except (NotExecuted, ConnectionError):
            continue
        return


def test_the_worker_may_be_replaced_meanwhile(lab: Process) -> None:
    with start_broker() as broker:
        name = f"PYRONAME:stage@localhost:{broker.ready}"
        with Proxy(name) as mine, Proxy(name) as theirs:
            with start_worker(broker.ready, SERVICES[0]) as worker:
                held = mine.reserve(user="ana")
                assert mine.count() == 1
                worker.kill()
            with start_worker(broker.ready, SERVICES[0]):
                # It has another object id now, so this reservation is of no use for it, and that is said.
                with pytest.raises((ReservationLost, LockedError)):
                    mine.count()
                held.release()
                assert mine.count() == 1
                assert theirs.count() == 2


def test_a_service_that_keeps_its_id_stays_reserved_while_it_is_replaced(lab: Process) -> None:
    name = f"PYRONAME:axis@localhost:{lab.ready}"
    at = f"localhost:{lab.ready}"
    with Proxy(name) as mine, Proxy(name) as theirs, locate_ns(at) as names:
        with Daemon(nameserver=at) as daemon:
            names.register("axis", daemon.register(Bench, objectId="axis"))
            held = mine.reserve(user="ana")
            changes = mine.watch("level")  # so the proxy hears of the end, and connects again by itself
            assert mine.count() == 1
        with Daemon(nameserver=at) as daemon:
            daemon.register(Bench, objectId="axis")
            _until_served(lambda: theirs.counted())
            with pytest.raises(LockedError, match="ana"):
                theirs.count()
            assert mine.count() == 1
            changes.close()
            held.release()
            assert theirs.count() == 2


def test_an_asyncio_program_takes_back_what_it_holds(tmp_path: Path) -> None:
    storage = str(tmp_path / "broker.sqlite")

    async def main(first: Process, port: int, uri: str) -> None:
        async with AsyncProxy(uri) as mine, mine.reserve(user="ana") as held:
            assert await mine.count() == 1
            first.kill()
            with start_broker(port, storage=storage):
                with Proxy(uri) as theirs:
                    await asyncio.to_thread(_until_served, lambda: theirs.counted())
                    assert await mine.count() == 2
                    assert not held.lost
                    with pytest.raises(LockedError, match="ana"):
                        theirs.count()
                await held.release()

    with start_broker(storage=storage) as first:
        port = int(first.ready)
        with start_worker(port, *SERVICES) as worker:
            asyncio.run(main(first, port, worker.ready.split()[0]))


# -- PyroLab's words -------------------------------------------------------------------------------------


def test_lock_and_unlock(stage: Any, other: Any) -> None:
    assert not stage.islocked()
    assert stage.lock("ana")
    assert stage.lock("ana")
    assert stage.islocked()
    assert other.islocked()
    with pytest.raises(LockedError, match="ana"):
        other.lock("ben")
    with pytest.raises(LockedError, match="ana"):
        other.unlock()
    with pytest.raises(LockedError, match="ana"):
        other.count()
    assert stage.count()
    assert stage.unlock()
    assert stage.unlock()
    assert not other.islocked()
    assert other.lock("ben")
    assert other.count()
    assert other.unlock()


def test_a_lock_outlasts_the_with_block_of_a_reservation(stage: Any, other: Any) -> None:
    with stage.reserve():
        stage.lock()
    with pytest.raises(LockedError):
        other.count()
    with stage.reserve():
        stage.unlock()
        with pytest.raises(LockedError):
            other.count()
    assert other.count()


def test_a_service_keeps_its_own_members_of_these_names() -> None:
    with bus("services.own_words:Door=door") as broker:
        with Proxy(f"PYRONAME:door@localhost:{broker.ready}") as door:
            assert door.lock("front") == "the front door is locked"
            assert door.status == "shut"
            assert door._pyroLock()
            assert door._pyroIsLocked()
            assert door._pyroUnlock()
        asyncio.run(_a_door_for_asyncio(broker))


async def _a_door_for_asyncio(broker: Process) -> None:
    async with AsyncProxy(f"PYRONAME:door@localhost:{broker.ready}") as door:
        assert await door.lock("back") == "the back door is locked"
        assert await door.status == "shut"
        assert await door._pyroLock()
        assert await door._pyroIsLocked()
        assert await door._pyroUnlock()


# -- transactions ----------------------------------------------------------------------------------------


def test_nobody_comes_between_the_calls_of_a_transaction(stage: Any, other: Any) -> None:
    with ThreadPoolExecutor() as pool:
        counting = threading.Event()

        def count_on() -> list[int]:
            counting.set()
            return [other.count() for _ in range(200)]

        theirs = pool.submit(count_on)
        counting.wait(30)
        for _ in range(20):
            with stage.transaction() as held:
                first = stage.count()
                assert [stage.count() for _ in range(3)] == [first + 1, first + 2, first + 3]
            assert "released" in repr(held)
        assert len(set(theirs.result())) == 200, "they waited, and nothing was refused"


def test_a_transaction_waits_for_what_runs(stage: Any, other: Any) -> None:
    with ThreadPoolExecutor() as pool:
        running = pool.submit(other.sleep, 0.3)
        while not is_busy(stage):
            pass
        with pytest.raises(LockedError):
            stage.transaction(wait=0)
        with stage.transaction(wait=30):
            assert running.result() == "slept"


# -- asyncio ---------------------------------------------------------------------------------------------


def test_asyncio_twins(lab: Process, other: Any) -> None:
    async def main() -> None:
        at = f"localhost:{lab.ready}"
        async with AsyncProxy(f"PYRONAME:stage@{at}") as stage, AsyncProxy(f"PYRONAME:laser@{at}") as laser:
            async with stage.reserve(user="ana") as held:
                assert held.user == "ana"
                assert await stage.count()
                async with stage.reserve() as inner:
                    assert inner.token == held.token
                with pytest.raises(LockedError, match="ana"):
                    await asyncio.to_thread(other.count)
                assert await stage.islocked()
            assert not await stage.islocked()
            assert await asyncio.to_thread(other.count)
            async with stage.transaction():
                first = await stage.count()
                assert await stage.count() == first + 1
            async with reserve(stage, laser) as both:
                assert len(both.services) == 2
            held = await stage.reserve()
            await held.release()
            assert await stage.lock("ana")
            assert await stage.lock("ana")
            with pytest.raises(LockedError, match="ana"):
                await asyncio.to_thread(other.count)
            assert await stage.unlock()
            assert await stage.unlock()
            assert await asyncio.to_thread(other.count)
            with pytest.raises(TypeError, match="not both"):
                reserve(stage, other)

    asyncio.run(main())


def test_a_cancelled_task_holds_nothing(lab: Process, other: Any) -> None:
    async def main() -> None:
        async with AsyncProxy(f"PYRONAME:stage@localhost:{lab.ready}") as stage:
            await stage._pyroBind()
            with other.reserve():
                waiting = asyncio.ensure_future(stage.reserve(wait=30))
                await asyncio.sleep(0)
                done, _ = await asyncio.wait([waiting], timeout=0.2)
                assert not done
                waiting.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await waiting
            assert await asyncio.to_thread(other.count)
            assert await stage.count()

    asyncio.run(main())


def test_many_tasks_share_one_reservation(lab: Process, other: Any) -> None:
    async def main() -> None:
        async with AsyncProxy(f"PYRONAME:stage@localhost:{lab.ready}") as stage:

            async def work() -> int:
                async with stage.reserve():
                    return int(await stage.count())

            counts = await asyncio.gather(*(work() for _ in range(20)))
            assert len(set(counts)) == 20

    asyncio.run(main())
    assert other.count()
