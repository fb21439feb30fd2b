"""Workers that end and come back, through a real broker."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from live import Process, bus, is_busy, start_broker
from pyrolab.api import Daemon, Proxy, behavior, expose
from pyrolab.errors import NameInUse, ServiceGone
from services.stage import PATIENCE_S, Stage

#: A script as users write them: nothing in it is about signals.
SCRIPT = """
import sys
from pyrolab.api import Daemon, behavior
from services.bench import Bench

daemon = Daemon(nameserver=sys.argv[1])
print(daemon.register(Bench), flush=True)
daemon.requestLoop()
print("in good order", flush=True)
"""


@behavior(instance_mode="single", pool=True)
class Pooled(Stage):
    """One of several."""


@pytest.fixture(scope="module")
def broker() -> Iterator[Process]:
    with bus() as started:
        yield started


def test_what_runs_is_answered_and_what_waits_has_not_run(broker: Process) -> None:
    stage = Stage()
    daemon = Daemon(nameserver=f"localhost:{broker.ready}")
    with Proxy(daemon.register(stage)) as proxy:
        running = proxy.move.future(1.0)
        assert stage.moving.wait(PATIENCE_S)
        waiting = proxy.step.future(2.0)
        draining = threading.Thread(target=daemon.drain)
        draining.start()
        with pytest.raises(ServiceGone):
            waiting.result(PATIENCE_S)
        stage.arrive.set()
        assert running.result(PATIENCE_S) == "arrived"
        draining.join(PATIENCE_S)
        with pytest.raises(ServiceGone):
            proxy.step(3.0)
    assert stage.moves == [1.0]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM that can be sent")
def test_sigterm_lets_the_running_call_end(broker: Process) -> None:
    with Process("-c", SCRIPT, f"localhost:{broker.ready}") as worker, Proxy(worker.ready) as proxy:
        running = proxy.sleep.future(1.0)
        while not is_busy(proxy):
            pass  # the test's own deadline ends this
        worker.popen.send_signal(signal.SIGTERM)
        assert running.result(PATIENCE_S) == "slept"
        assert worker.read_line() == "in good order"
        assert worker.popen.wait(PATIENCE_S) == 0


def test_a_large_last_answer_arrives(broker: Process) -> None:
    daemon = Daemon(nameserver=f"localhost:{broker.ready}")
    begun, go_on = threading.Event(), threading.Event()

    @expose
    class Camera:
        def image(self) -> bytes:
            begun.set()
            assert go_on.wait(PATIENCE_S)
            return bytes(30_000_000)

    with Proxy(daemon.register(Camera())) as camera:
        image = camera.image.future()
        assert begun.wait(PATIENCE_S)
        go_on.set()
        daemon.drain()
        assert len(image.result(PATIENCE_S)) == 30_000_000


def test_two_live_workers_of_one_name(broker: Process) -> None:
    where = f"localhost:{broker.ready}"
    with Daemon(nameserver=where) as first, Daemon(nameserver=where) as second:
        first.register(Stage(), "only-one")
        with pytest.raises(NameInUse, match="only-one"):
            second.register(Stage(), "only-one")
        first.unregister("only-one")
        second.register(Stage(), "only-one")


def test_a_pool_shares_the_calls(broker: Process) -> None:
    where = f"localhost:{broker.ready}"
    with Daemon(nameserver=where) as first, Daemon(nameserver=where) as second:
        stages = [Pooled(), Pooled()]
        uri = first.register(stages[0], "pool")
        second.register(stages[1], "pool")
        with Proxy(uri) as proxy:
            moves = [proxy.move.future(float(number)) for number in range(2)]
            assert all(stage.moving.wait(PATIENCE_S) for stage in stages)
            for stage in stages:
                stage.arrive.set()
            assert [move.result(PATIENCE_S) for move in moves] == ["arrived", "arrived"]
            assert list(proxy.scan(5)) == [0, 1, 2, 3, 4], "its items come from the worker that has it"


def test_a_worker_comes_back_after_the_broker_and_takes_its_place(broker: Process) -> None:
    with start_broker() as first:
        port = first.ready
        stage = Stage()
        with Daemon(nameserver=f"localhost:{port}") as daemon:
            uri = daemon.register(stage, "stage")
            with Proxy(uri) as proxy:
                assert proxy.step(1.0) == 1.0
                first.kill()
                with start_broker(int(port)):
                    while True:  # the test's own deadline ends this
                        try:
                            assert proxy.step(2.0) == 2.0
                            break
                        except ConnectionError:
                            continue
                    while not daemon._reception.has_line:
                        pass
                    assert proxy.abort()
