"""PyroLab's streams as they are used: a worker with a camera, a broker, and viewers, each its own process."""

from __future__ import annotations

import time
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any

import numpy as np

from perf.payloads import Image
from perf.statistics import quantile
from perf.streams_cast import Cast
from perf.streams_frames import (
    PATIENCE_S,
    REFERENCE,
    SHAPE,
    Going,
    answering,
    check_signed,
    counted,
    fill,
    sign,
)
from perf.trust_bus import Bus, run_role, serve_questions
from pyrolab.api import Daemon, Proxy, Service, Stream, behavior, expose
from pyrolab.client.stream_subscription import StreamSubscription

#: How a frame is published: filled in place, or from an array of the camera's own, which is copied once.
IN_PLACE, COPIED = "slot", "publish"
#: What a frame costs is measured for these: one row of it is filled, all of it, or it is copied.
ROW, ALL, COPY = "slot, a row filled", "slot, all filled", "publish"
_NAP_S = 0.001
#: A camera that is timed publishes a frame, and waits so long.
_PACE_S = 0.004
_LEAST_TIMED = 10
#: A follower looks so often whether it shall leave.
_LOOK_S = 0.2


def cast(bus: Bus, viewers: int) -> Cast:
    """A camera and so many viewers on this bus."""
    return Cast(
        bus.start(__name__, "camera", bus.nameserver), [bus.start(__name__, "viewer") for _ in range(viewers)]
    )


# -- the camera ------------------------------------------------------------------------------------------


@behavior(instance_mode="single")
@expose
class Camera(Service):
    """Publishes as fast as it can, as long as somebody has subscribed."""

    frames = Stream()
    power = Stream(buffer=1000, unit="mW")

    def __init__(self) -> None:
        self._image = REFERENCE.copy()
        self._going = Going()
        self._ways: dict[str, Callable[[], object]] = {
            IN_PLACE: self._in_place,
            COPIED: self._copied,
            "values": self._values,
        }

    def start(self, way: str) -> None:
        """Begin."""
        self._going.start(self._ways[way])

    def stop(self) -> None:
        """Stop."""
        self._going.stop()

    def _in_place(self) -> None:
        if not self.frames.wanted:
            time.sleep(_NAP_S)
            return
        with self.frames.slot(SHAPE, np.uint16) as out:
            fill(out, self.frames.published + 1)

    def _copied(self) -> None:
        if not self.frames.wanted:
            time.sleep(_NAP_S)
            return
        sign(self._image, self.frames.published + 1)
        self.frames.publish(self._image)

    def _values(self) -> None:
        if not self.power.wanted:
            time.sleep(_NAP_S)
            return
        self.power.publish((self.power.published + 1) / 8)

    # -- what a frame costs --------------------------------------------------------------------------------

    def cost(self, way: str, seconds: float) -> float:
        """What publishing a frame takes beyond the work on the pixels, in µs: the median.

        That work is done on an ordinary array as well, frame by frame.
        """
        publish, work = self._timed_ways()[way]
        sign(self._image, self.frames.published + 1)
        beyond: list[int] = []
        end = time.monotonic() + seconds
        while len(beyond) < _LEAST_TIMED or time.monotonic() < end:
            start = perf_counter_ns()
            work()
            worked = perf_counter_ns()
            publish()
            beyond.append(perf_counter_ns() - worked - (worked - start))
            time.sleep(_PACE_S)
        return quantile(beyond, 0.5) / 1e3

    def _timed_ways(self) -> dict[str, tuple[Callable[[], object], Callable[[], object]]]:
        """How a frame is published, and the same work without."""
        own = REFERENCE.copy()

        def fill_in_place() -> None:
            with self.frames.slot(SHAPE, np.uint16) as out:
                fill(out, self.frames.published + 1)

        def fill_all(out: Image) -> None:
            out[:] = REFERENCE
            sign(out, self.frames.published + 1)

        def fill_all_in_place() -> None:
            with self.frames.slot(SHAPE, np.uint16) as out:
                fill_all(out)

        def copied() -> None:
            self.frames.publish(self._image)
            sign(self._image, self.frames.published + 1)

        return {
            ROW: (fill_in_place, lambda: fill(own, self.frames.published + 1)),
            ALL: (fill_all_in_place, lambda: fill_all(own)),
            COPY: (copied, lambda: np.copyto(own, self._image)),
        }


def _camera(nameserver: str) -> None:
    camera = Camera()
    uri = str(Daemon(nameserver=nameserver).register(camera))

    def start(way: str) -> str:
        camera.start(way)
        return uri

    questions: dict[str, Callable[..., Any]] = {"start": start, "stop": camera.stop, "cost": camera.cost}
    answers = {name: answering(act) for name, act in questions.items()}
    serve_questions({**answers, "published": lambda: camera.frames.published}, uri=uri)


# -- viewers ---------------------------------------------------------------------------------------------


class _Viewer:
    """Subscribes in the way that it is asked to."""

    def __init__(self) -> None:
        self._proxies: dict[str, Any] = {}
        self._going = Going()
        self._followed: StreamSubscription | None = None
        self._seen = 0

    def _subscribe(self, where: str, stream: str = "frames", **options: Any) -> StreamSubscription:
        if where not in self._proxies:
            self._proxies[where] = Proxy(where)
        found: StreamSubscription = getattr(self._proxies[where], stream).subscribe(**options)
        return found

    def count(self, where: str, begin: float, end: float, **options: Any) -> float:
        """The rate at which frames come, each with its number, between two times."""
        with self._subscribe(where, **options) as subscription:
            rate = counted(lambda: _frame(subscription), check_signed, begin, end)
            _check_path(subscription, options.get("path"))
            return rate

    def count_values(self, where: str, begin: float, end: float, **options: Any) -> float:
        """The same for values."""
        with self._subscribe(where, "power", **options) as subscription:
            return counted(lambda: _value(subscription), _check_value, begin, end, None)

    def follow(self, where: str, doze_s: float = 0.0, **options: Any) -> None:
        """Take frames from now on, and sleep with each of them in hand."""
        subscription = self._followed = self._subscribe(where, **options)
        self._seen = 0

        def take() -> None:
            try:
                frame = subscription.get(_LOOK_S)
            except TimeoutError:
                return
            check_signed(frame.sequence, frame.array)
            self._seen += 1
            time.sleep(doze_s)

        self._going.start(take)

    def seen(self) -> int:
        """How many frames it has taken."""
        return self._seen

    def leave(self) -> int:
        """Take no more; returns how many frames it has taken."""
        assert self._followed is not None
        try:
            self._going.stop()
        finally:
            self._followed.close()
        return self._seen


def _frame(subscription: StreamSubscription) -> tuple[int, Image]:
    frame = subscription.get(PATIENCE_S)
    return frame.sequence, frame.array


def _value(subscription: StreamSubscription) -> tuple[int, float]:
    frame = subscription.get(PATIENCE_S)
    return frame.sequence, frame.value


def _check_value(number: int, value: float) -> None:
    if value != number / 8:
        raise ValueError(f"value {number} is {value}")


def _check_path(subscription: StreamSubscription, wanted: str | None) -> None:
    if wanted is not None and subscription.path != wanted:
        raise ValueError(f"frames came by {subscription.path}, not {wanted}: {subscription.path_reason}")


def _viewer() -> None:
    viewer = _Viewer()
    questions: tuple[Callable[..., Any], ...] = (
        viewer.count,
        viewer.count_values,
        viewer.follow,
        viewer.leave,
        viewer.seen,
    )
    serve_questions({act.__name__: answering(act) for act in questions})


if __name__ == "__main__":
    run_role({"camera": _camera, "viewer": _viewer})
