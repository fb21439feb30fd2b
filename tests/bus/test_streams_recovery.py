"""Streams when something breaks: who goes on, what is known to be lost, and that nothing hangs or is torn."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from live import Process, bus, start_broker, start_worker, until
from pyrolab.api import Proxy
from pyrolab.errors import DaemonError, FramesLost
from services.streams import image_of

PATHS = ["shared memory", "direct", "relay"]
BIG = (512, 512)


@pytest.fixture(scope="module")
def stream_bus() -> Iterator[Process]:
    with bus("services.streams:Camera=camera", "services.streams:PerCall=percall") as broker:
        yield broker


@pytest.fixture
def camera(stream_bus: Process) -> Iterator[Any]:
    with Proxy(f"PYRONAME:camera@localhost:{stream_bus.ready}") as proxy:
        yield proxy
        proxy.rest()


def cut(sub: Any) -> None:
    """Break the connection of a subscription, as the network might."""
    sub._road.link.close(polite=False)


@pytest.mark.parametrize("path", PATHS)
def test_a_subscription_comes_back_by_itself_and_knows_what_it_has_missed(camera: Any, path: str) -> None:
    with camera.frames.subscribe("queue", path=path) as sub:
        before = camera.snap(2, BIG)
        assert [sub.get(timeout=20).sequence for _ in range(2)] == [before - 1, before]
        cut(sub)
        camera.snap(5, BIG)
        got: list[Any] = []
        reader = threading.Thread(target=lambda: got.append(sub.get(timeout=20)))
        reader.start()
        until(lambda: sub.interruptions == 1 and camera.subscribers() == 1)
        camera.snap(1, BIG)
        reader.join(20)
        assert got[0].sequence == before + 6
        assert (sub.delivered, sub.dropped, sub.path) == (3, 5, path)
        assert sub.gaps == [(sub.epoch, before + 1, before + 5)]


def test_a_lossless_one_says_once_what_an_interruption_has_cost_and_goes_on(camera: Any) -> None:
    with camera.frames.subscribe("lossless") as sub:
        before = camera.snap(1, BIG)
        sub.get(timeout=20)
        cut(sub)
        camera.snap(3, BIG)
        with pytest.raises(FramesLost, match=f"frames {before + 1} to {before + 3} are lost") as caught:
            sub.get(timeout=20)
        assert (caught.value.first, caught.value.last) == (before + 1, before + 3)
        camera.snap(1, BIG)
        assert sub.get(timeout=20).sequence == before + 4


def test_whoever_waits_during_an_interruption_learns_why_nothing_comes() -> None:
    with start_broker() as broker:
        worker = start_worker(broker.ready, "services.streams:Camera=camera")
        with Proxy(f"PYRONAME:camera@localhost:{broker.ready}") as camera:
            sub = camera.frames.subscribe()
            worker.kill()
            with pytest.raises(TimeoutError, match=r"within 1 s: it is interrupted \("):
                sub.get(timeout=1)
            assert (sub.path, sub.interruptions) == ("", 1)
            sub.close()
        worker.end()


def test_an_object_made_for_each_call_has_no_streams(stream_bus: Process) -> None:
    with (
        Proxy(f"PYRONAME:percall@localhost:{stream_bus.ready}") as percall,
        pytest.raises(DaemonError, match="let it be 'single' or 'session'"),
    ):
        percall.frames.subscribe()


def test_subscribing_makes_the_instance_that_is_not_there_yet() -> None:
    with (
        bus("services.streams:Camera=camera") as broker,
        Proxy(f"PYRONAME:camera@localhost:{broker.ready}") as camera,
        camera.frames.subscribe("queue") as sub,
    ):
        camera.snap()
        assert sub.get(timeout=20).sequence == 1


def test_a_stream_ends_with_the_instance_of_its_client() -> None:
    with bus("services.streams:Session=session") as broker:
        proxy = Proxy(f"PYRONAME:session@localhost:{broker.ready}")
        sub = proxy.frames.subscribe("queue")
        proxy.snap()
        assert sub.get(timeout=20).sequence == 1
        proxy._pyroRelease()
        with pytest.raises(TimeoutError):
            sub.get(timeout=1)
        sub.close()


def test_subscribing_does_not_wait_for_what_runs(camera: Any, stream_bus: Process) -> None:
    ending = threading.Event()
    with Proxy(f"PYRONAME:camera@localhost:{stream_bus.ready}") as other:

        def hang() -> None:
            other.hang()
            ending.set()

        busy = threading.Thread(target=hang)
        busy.start()
        until(lambda: camera.hanging)
        with camera.frames.subscribe("queue"):
            assert not ending.is_set()
        camera.let_go()
        busy.join(20)


def test_a_restarted_publisher_is_a_new_epoch(tmp_path: Any) -> None:
    with start_broker() as broker:
        worker = start_worker(broker.ready, "services.streams:Camera=camera")
        with Proxy(f"PYRONAME:camera@localhost:{broker.ready}") as camera:
            sub = camera.frames.subscribe("queue")
            camera.snap(3, BIG)
            first = [sub.get(timeout=10) for _ in range(3)]
            worker.kill()
            with start_worker(broker.ready, "services.streams:Camera=camera"):
                got: list[Any] = []
                reader = threading.Thread(target=lambda: got.append(sub.get(timeout=30)))
                reader.start()
                until(lambda: _subscribers(camera) == 1)
                camera.snap(1, BIG)
                reader.join(30)
                assert got[0].epoch != first[0].epoch
                assert got[0].sequence == 1
                assert sub.interruptions >= 1
                assert (sub.delivered, sub.dropped) == (4, 0)
                assert all(np.array_equal(each.array, image_of(each.sequence, BIG)) for each in first)
                sub.close()
        worker.end()


def _subscribers(camera: Any) -> int:
    try:
        return int(camera.subscribers())
    except ConnectionError:
        return -1


def test_streams_go_on_while_the_broker_is_away() -> None:
    with (
        start_broker() as broker,
        start_worker(broker.ready, "services.streams:Camera=camera"),
        Proxy(f"PYRONAME:camera@localhost:{broker.ready}") as camera,
        camera.frames.subscribe("lossless") as sub,
    ):
        camera.run(0.005, BIG)
        before = sub.get(timeout=10).sequence
        broker.kill()
        got = [sub.get(timeout=10).sequence for _ in range(100)]
        assert got == list(range(before + 1, before + 101))
        assert sub.interruptions == 0


@pytest.mark.parametrize("path", PATHS)
def test_a_killed_subscriber_is_forgotten_and_leaves_nothing(
    camera: Any, stream_bus: Process, path: str
) -> None:
    watcher = Process("-m", "processes.watcher", f"localhost:{stream_bus.ready}", "lossless", path)
    camera.run(0.001, BIG)
    watcher.read_line()
    assert camera.subscribers() == 1
    watcher.kill()
    until(lambda: camera.subscribers() == 0)
    newest = camera.published()
    until(lambda: camera.published() > newest + 20)  # nothing waits for it any longer
    watcher.end()


def test_a_stopped_subscriber_disturbs_nobody(camera: Any, stream_bus: Process) -> None:
    with Process("-m", "processes.watcher", f"localhost:{stream_bus.ready}", "queue", "-") as watcher:
        camera.run(0.001, BIG)
        watcher.read_line()
        os.kill(watcher.pid, signal.SIGSTOP)
        try:
            with camera.frames.subscribe("lossless") as sub:
                for _ in range(500):
                    frame = sub.get(timeout=10)
                    assert np.array_equal(frame.array, image_of(frame.sequence, BIG))
        finally:
            os.kill(watcher.pid, signal.SIGCONT)
        said = int(watcher.read_line())
        assert int(watcher.read_line()) > said
        camera.rest()
