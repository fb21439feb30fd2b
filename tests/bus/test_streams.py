"""Streams over a real broker and worker: every frame is exact, and every lost one is counted."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from live import Process, bus, until
from pyrolab.api import AsyncProxy, Proxy
from pyrolab.errors import FramesLost, RemoteError
from services.streams import image_of

PATHS = ["shared memory", "direct", "relay"]
BIG = (512, 512)


@pytest.fixture(scope="module")
def stream_bus() -> Iterator[Process]:
    with bus("services.streams:Camera=camera", "services.streams:Lamp=lamp") as broker:
        yield broker


@pytest.fixture
def camera(stream_bus: Process) -> Iterator[Any]:
    with Proxy(f"PYRONAME:camera@localhost:{stream_bus.ready}") as proxy:
        yield proxy
        proxy.rest()


def accounts_for(sub: Any, published: int) -> bool:
    return bool(sub.delivered + sub.dropped + sub.skipped == sub.published == published)


# -- frames arrive, exact ---------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("fill", ["snap", "fill"])
def test_every_frame_arrives_as_it_was(camera: Any, path: str, fill: str) -> None:
    with camera.frames.subscribe("lossless", path=path) as sub:
        before = camera.published()
        for _ in range(5):
            getattr(camera, fill)(4, BIG)
            for _ in range(4):
                frame = sub.get(timeout=10)
                assert np.array_equal(frame.array, image_of(frame.metadata["number"], BIG))
                assert frame.array.dtype == np.uint16
                assert frame.sequence == frame.metadata["number"]
                assert frame.timestamp == 1000.0 + frame.sequence
        assert sub.path == path
    assert accounts_for(sub, camera.published() - before)
    assert sub.dropped == 0


def test_the_best_way_is_found_by_itself(camera: Any) -> None:
    with camera.frames.subscribe() as sub:
        camera.snap(1, BIG)
        sub.get(timeout=10)
        assert sub.path == "shared memory"
        assert sub.path_reason == ""


def test_a_frame_is_not_copied_on_its_way_in_shared_memory_and_cannot_be_written(camera: Any) -> None:
    with camera.frames.subscribe("queue") as sub:
        camera.snap(1, BIG)
        frame = sub.get(timeout=10)
        assert not frame.array.flags.writeable
        assert not frame.array.flags.owndata
        with pytest.raises(ValueError, match=r"read-only|WRITEABLE"):
            frame.array[0, 0] = 1
        with pytest.raises(ValueError, match="WRITEABLE"):
            frame.array.flags.writeable = True


@pytest.mark.parametrize("path", PATHS)
def test_frames_that_somebody_keeps_stay_as_they_are(camera: Any, path: str) -> None:
    kept = []
    with camera.frames.subscribe("lossless", path=path) as sub:
        for _ in range(40):
            camera.snap(1, BIG)
            kept.append(sub.get(timeout=10))
    camera.snap(20, BIG)
    with camera.frames.subscribe("lossless", path=path) as sub:
        for _ in range(20):
            camera.snap(1, BIG)
            sub.get(timeout=10)
    assert all(np.array_equal(each.array, image_of(each.sequence, BIG)) for each in kept)


def test_scalars_and_traces_are_streams_too(camera: Any) -> None:
    with camera.power.subscribe("lossless") as sub:
        assert camera.power.unit == "mW"
        values = []
        before = 0
        for _ in range(3):
            before = camera.measure(1000)
            values += [sub.get(timeout=10) for _ in range(1000)]
        first = before - 2999
        assert [each.value for each in values] == [number / 8 for number in range(first, before + 1)]
        assert values[0].array.shape == ()
        assert sub.dropped == 0


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "value",
    [
        1.5,
        "open",
        (1, 2.0, "three"),
        {"spectrum": np.arange(10_000.0), "of": [np.arange(3)]},
        np.arange(6).reshape(2, 3),
        np.arange(5000, dtype=">i4")[::2],
        np.zeros((0, 7)),
        np.array(3 + 4j),
        np.zeros(700, dtype=[("x", "f8"), ("name", "S4")]),
        np.asfortranarray(np.arange(10_000.0).reshape(100, 100)),
        np.datetime64("2026-11-24"),
    ],
    ids=str,
)
def test_anything_that_travels_can_be_published(camera: Any, path: str, value: Any) -> None:
    with camera.frames.subscribe("lossless", path=path) as sub:
        camera.publish(value, note="it", number=1)
        frame = sub.get(timeout=10)
    assert type(frame.value) is type(value)
    assert frame.metadata == {"note": "it", "number": 1}
    if isinstance(value, dict):
        assert np.array_equal(frame.value["spectrum"], value["spectrum"])
    else:
        assert np.array_equal(frame.array, np.asarray(value))
        assert frame.array.dtype == np.asarray(value).dtype


# -- policies ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PATHS)
def test_latest_gives_the_newest_frame_and_counts_the_others(camera: Any, path: str) -> None:
    with camera.frames.subscribe("latest", path=path) as sub:
        before = camera.published()
        camera.snap(1, BIG)
        assert sub.get(timeout=10).sequence == before + 1
        newest = camera.snap(25, BIG)
        assert sub.get(timeout=10).sequence == newest
        assert sub.dropped == 24
        newest = camera.snap(10, BIG)
    assert accounts_for(sub, newest - before)
    assert (sub.delivered, sub.dropped) == (2, 34)


@pytest.mark.parametrize("path", PATHS)
def test_a_queue_keeps_the_newest_and_drops_the_oldest(camera: Any, path: str) -> None:
    with camera.frames.subscribe("queue", limit=5, path=path) as sub:
        before = camera.published()
        newest = camera.snap(600, BIG)
        got = [sub.get(timeout=10).sequence]
        while got[-1] < newest:
            got.append(sub.get(timeout=10).sequence)
    assert got == sorted(set(got))
    assert got[-5:] == list(range(newest - 4, newest + 1))
    assert accounts_for(sub, 600)
    assert sub.dropped == 600 - len(got)
    assert sub.gaps
    assert sum(last - first + 1 for _, first, last in sub.gaps) == sub.dropped
    assert before + 1 == min(got[0], sub.gaps[0][1])


@pytest.mark.parametrize("path", PATHS)
def test_lossless_makes_the_publisher_wait(camera: Any, path: str) -> None:
    with camera.frames.subscribe("lossless", path=path) as sub:
        before = camera.published()
        camera.run(0.0, BIG)
        got = []
        for number in range(300):
            if number % 100 == 50:
                time.sleep(0.2)  # a slow disk
            got.append(sub.get(timeout=10).sequence)
        assert got == list(range(before + 1, before + 301))
        assert sub.dropped == 0


def test_lossless_ends_with_the_gap_if_the_publisher_cannot_wait(camera: Any) -> None:
    with camera.hurried.subscribe("lossless") as sub:
        before = camera.published("hurried")
        camera.snap(500, (512, 512), stream="hurried")
        got: list[int] = []
        with pytest.raises(FramesLost, match="are lost") as caught:
            got.extend(frame.sequence for frame in sub)
        assert got == list(range(before + 1, caught.value.first))
        assert caught.value.last == before + 500
        with pytest.raises(FramesLost):
            sub.get(timeout=1)


@pytest.mark.parametrize("path", PATHS)
def test_viewers_that_are_at_different_places_get_every_frame_in_order(camera: Any, path: str) -> None:
    with (
        camera.frames.subscribe("lossless", path=path) as one,
        camera.frames.subscribe("lossless", path=path) as other,
    ):
        camera.run(0.0, (128, 512))
        for turn in range(60):
            ahead, behind = (one, other) if turn % 2 else (other, one)
            for _ in range(5):
                ahead.get(timeout=20)
            for _ in range(5):
                behind.get(timeout=20)
        assert (one.dropped, other.dropped) == (0, 0)


def test_one_who_sleeps_costs_nobody_a_frame(camera: Any) -> None:
    with camera.frames.subscribe("queue") as sleeper, camera.frames.subscribe("lossless") as awake:
        sleeper.get  # noqa: B018 - never called
        camera.run(0.001, BIG)
        for _ in range(300):
            awake.get(timeout=10)
        camera.rest()
        assert awake.dropped == 0
    assert sleeper.delivered == 0
    assert sleeper.dropped >= 300


def test_one_that_never_reads_does_not_stop_the_camera(camera: Any, stream_bus: Process) -> None:
    with camera.patient.subscribe("lossless") as sub:
        before = camera.published("patient")
        # It would hang for ever if nobody gave up on the subscriber.
        assert camera.snap(300, BIG, stream="patient") == before + 300
        with pytest.raises(FramesLost):
            for _ in sub:
                pass


def test_patience_is_for_those_who_take_nothing_not_for_a_source_that_was_idle(camera: Any) -> None:
    with camera.patient.subscribe("lossless") as sub:
        time.sleep(0.5)  # longer than the publisher would wait
        reader = threading.Thread(target=lambda: [sub.get(timeout=20) for _ in range(100)])
        reader.start()
        camera.snap(100, BIG, stream="patient")
        reader.join(20)
        assert (sub.delivered, sub.dropped) == (100, 0)


@pytest.mark.parametrize("path", PATHS)
def test_every_and_max_rate_leave_frames_out_and_say_so(camera: Any, path: str) -> None:
    with camera.frames.subscribe("lossless", every=3, path=path) as sub:
        before = camera.published()
        camera.snap(30, BIG)
        got = [sub.get(timeout=10).sequence for _ in range(10)]
    assert got == list(range(before + 1, before + 31, 3))
    assert (sub.delivered, sub.skipped, sub.dropped) == (10, 20, 0)
    assert accounts_for(sub, 30)
    with camera.frames.subscribe("lossless", max_rate=0.5, path=path) as sub:
        camera.snap(30, BIG)
        sub.get(timeout=10)
    assert (sub.delivered, sub.skipped, sub.dropped) == (1, 29, 0)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("compression", [None, "zstd", "blosc2", "jpeg"])
def test_frames_come_reduced_and_compressed(camera: Any, path: str, compression: str | None) -> None:
    whole = np.s_[100:300, 50:251]
    with (
        camera.frames.subscribe(
            "lossless", region=whole, binning=2, compression=compression, path=path
        ) as sub,
        camera.frames.subscribe("lossless", region=whole, stride=2, path=path) as thin,
    ):
        camera.snap(3, BIG)
        for _ in range(3):
            frame = sub.get(timeout=10)
            image = image_of(frame.sequence, BIG)[whole].astype("u4")[:, :200]
            mean = (image.reshape(100, 2, 100, 2).sum((1, 3)) + 2) // 4
            assert frame.array.shape == (100, 100)
            assert frame.array.dtype == np.uint16
            if compression != "jpeg" or path == "shared memory":
                assert np.abs(frame.array.astype(int) - mean).max() <= 1
            assert not frame.array.flags.writeable
            exact = image_of(frame.sequence, BIG)[100:300:2, 50:251:2]
            assert np.array_equal(thin.get(timeout=10).array, exact)


# -- what comes and goes ----------------------------------------------------------------------------------


def test_a_source_on_demand_runs_while_somebody_looks(stream_bus: Process) -> None:
    with Proxy(f"PYRONAME:lamp@localhost:{stream_bus.ready}") as lamp:
        assert lamp.log() == []
        with lamp.light.subscribe("queue") as first, lamp.light.subscribe("queue"):
            assert first.get(timeout=10).value == 1
            assert lamp.log() == ["on"]
            assert lamp.was_started_here()
        until(lambda: lamp.log() == ["on", "off"])
        lamp.break_bulb()
        with lamp.light.subscribe() as sub, pytest.raises(RemoteError, match="the bulb is missing"):
            sub.get(timeout=10)
        lamp.mend()
        with lamp.light.subscribe("queue") as sub:
            assert sub.get(timeout=10).value == 1


# -- asyncio ----------------------------------------------------------------------------------------------


def test_for_asyncio(stream_bus: Process) -> None:
    async def watch() -> list[int]:
        async with AsyncProxy(f"PYRONAME:camera@localhost:{stream_bus.ready}") as camera:
            async with camera.frames.subscribe("lossless") as frames:
                before = await camera.snap(10)
                numbers = [(await frames.get(timeout=10)).sequence for _ in range(3)]
                async for frame in frames:
                    numbers.append(frame.sequence)
                    if len(numbers) == 10:
                        break
                with pytest.raises(TimeoutError):
                    await frames.get(timeout=0.05)
                assert frames.delivered == 10
                assert frames.path in PATHS
            assert numbers == list(range(before - 9, before + 1))
            return numbers

    assert len(asyncio.run(watch())) == 10
