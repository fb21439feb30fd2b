"""Streams and what makes no sense: errors that say what to do, and nothing that hangs or is lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from live import Process, bus, until
from pyrolab.api import Proxy
from pyrolab.errors import RemoteError, SerializeError
from services.streams import image_of

PATHS = ["shared memory", "direct", "relay"]
BIG = (512, 512)


@pytest.fixture(scope="module")
def stream_bus() -> Iterator[Process]:
    with bus("services.streams:Camera=camera") as broker:
        yield broker


@pytest.fixture
def camera(stream_bus: Process) -> Iterator[Any]:
    with Proxy(f"PYRONAME:camera@localhost:{stream_bus.ready}") as proxy:
        yield proxy
        proxy.rest()


@pytest.mark.parametrize("path", PATHS)
def test_what_a_frame_cannot_be_cut_to_ends_the_subscription(camera: Any, path: str) -> None:
    with camera.frames.subscribe(region=np.s_[0:2, 0:2, 0:2], path=path) as sub:
        camera.snap(1, BIG)
        for _ in range(2):
            with pytest.raises(RemoteError, match="region"):
                sub.get(timeout=20)


def test_what_cannot_be_published_is_an_error_of_the_publisher(camera: Any) -> None:
    before = camera.published()
    with pytest.raises(SerializeError, match="dtype object"):
        camera.publish_objects()
    with pytest.raises(SerializeError, match="metadata"):
        camera.publish(1, big=np.zeros(10_000))
    with pytest.raises(RuntimeError, match="shutter"):
        camera.fail_to_fill()
    with camera.frames.subscribe("lossless") as sub:
        with pytest.raises(SerializeError, match="dtype object"):
            camera.publish_objects()
        with pytest.raises(RuntimeError, match="shutter"):
            camera.fail_to_fill()
        with pytest.raises(ValueError, match="over the limit"):
            camera.publish_too_much()
        with pytest.raises(ValueError, match="over the limit"):
            camera.fill(1, (1 << 20, 1 << 20))
        camera.snap(1, BIG)
        assert np.array_equal(sub.get(timeout=10).array, image_of(before + 1, BIG))
    assert camera.published() == before + 1


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ({"policy": "best"}, "latest, queue, lossless"),
        ({"policy": "queue", "limit": 0}, "limit"),
        ({"every": 0}, "every"),
        ({"max_rate": -1}, "max_rate"),
        ({"max_rate": float("nan")}, "max_rate"),
        ({"compression": "rar"}, "zstd"),
        ({"binning": 0}, "binning"),
        ({"region": "all of it"}, "region"),
        ({"path": "pigeon"}, "relay"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(camera: Any, wanted: dict[str, Any], why: str) -> None:
    with pytest.raises((ValueError, TypeError), match=why):
        camera.frames.subscribe(**wanted)
    assert camera.subscribers() == 0


def test_a_misspelt_stream_is_an_attribute_error(camera: Any) -> None:
    with pytest.raises(AttributeError, match="did you mean 'frames'"):
        camera.frame.subscribe()
    assert "frames" in dir(camera)
    assert camera.frames.__doc__ == "What the camera sees."
    assert "frames" in repr(camera.frames)


def test_nothing_comes_within_the_time(camera: Any) -> None:
    with camera.frames.subscribe() as sub:
        with pytest.raises(TimeoutError, match=r"no frame of frames has come within 0\.05 s"):
            sub.get(timeout=0.05)
        camera.snap(1)
        sub.get(timeout=10)
    with pytest.raises(StopIteration):
        sub.get()
    assert list(sub) == []


def test_close_from_another_thread_ends_the_loop(camera: Any) -> None:
    sub = camera.frames.subscribe("queue")
    reader = threading.Thread(target=lambda: list(sub))
    reader.start()
    sub.close()
    reader.join(20)
    assert not reader.is_alive()
    until(lambda: camera.subscribers() == 0)
