"""A camera, a power meter and other sources of frames, for tests; they publish when they are told to."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

import numpy as np

from pyrolab.api import Stream, behavior, expose, urgent


def image_of(number: int, shape: tuple[int, ...] = (64, 64), dtype: str = "uint16") -> np.ndarray[Any, Any]:
    """The picture that the camera takes as its n-th: different for each, and known to who checks it."""
    flat = np.arange(int(np.prod(shape))) * 7 + number
    return (flat % 60_000).astype(dtype).reshape(shape)


@expose
@behavior(instance_mode="single")
class Camera:
    """Publishes pictures."""

    frames = Stream(buffer=8, doc="What the camera sees.")
    hurried = Stream(buffer=4, waits=False, doc="The same, and it can't wait.")
    patient = Stream(buffer=4, waits=0.2, doc="The same, and it waits, but not for long.")
    power = Stream(buffer=1000, unit="mW", doc="The power that comes in.")

    def __init__(self) -> None:
        self._taken = 0
        self._exposure_ms = 20.0
        self._ending = threading.Event()
        self._hangs, self._let_go = threading.Event(), threading.Event()

    @property
    def exposure_ms(self) -> float:
        """How long a picture takes."""
        return self._exposure_ms

    @exposure_ms.setter
    def exposure_ms(self, value: float) -> None:
        self._exposure_ms = value

    def snap(self, count: int = 1, shape: tuple[int, ...] = (64, 64), stream: str = "frames") -> int:
        """Take and publish so many pictures; returns how many have been published."""
        publisher = getattr(self, stream)
        for _ in range(count):
            number = publisher.published + 1
            publisher.publish(
                image_of(number, shape), timestamp=1000.0 + number, exposure_ms=90, number=number
            )
        return int(publisher.published)

    def fill(self, count: int = 1, shape: tuple[int, ...] = (64, 64)) -> int:
        """The same, filled in place."""
        for _ in range(count):
            number = self.frames.published + 1
            with self.frames.slot(shape, "uint16", timestamp=1000.0 + number, number=number) as out:
                out[:] = image_of(number, shape)
        return int(self.frames.published)

    def fail_to_fill(self) -> None:
        """Begin to fill a slot, and fail."""
        with self.frames.slot((64, 64), "uint16") as out:
            out[:] = 1
            raise RuntimeError("the shutter is stuck")

    def measure(self, count: int) -> int:
        """Publish so many values."""
        for _ in range(count):
            number = self.power.published + 1
            self.power.publish(number / 8, timestamp=1000.0 + number)
        return int(self.power.published)

    def publish(self, value: Any, stream: str = "frames", **metadata: Any) -> int:
        """Publish anything."""
        return int(getattr(self, stream).publish(value, **metadata))

    def publish_objects(self) -> None:
        """Publish what cannot travel."""
        self.frames.publish(np.array([[object()] * 100] * 100))

    def publish_too_much(self) -> None:
        """Publish more than a frame may have."""
        self.frames.publish(np.broadcast_to(np.uint16(1), (1 << 20, 1 << 20)))

    def run(self, every_s: float = 0.01, shape: tuple[int, ...] = (64, 64)) -> None:
        """Go on publishing in a thread."""
        self._ending.clear()

        def work() -> None:
            while not self._ending.wait(every_s):
                self.snap(1, shape)

        threading.Thread(target=work, daemon=True).start()

    def rest(self) -> int:
        """No longer; returns how many there were."""
        self._ending.set()
        time.sleep(0.05)
        return int(self.frames.published)

    def subscribers(self, stream: str = "frames") -> int:
        """How many have subscribed."""
        return int(getattr(self, stream).subscribers)

    def published(self, stream: str = "frames") -> int:
        """How many frames there were."""
        return int(getattr(self, stream).published)

    @property
    @urgent
    def hanging(self) -> bool:
        """Whether `hang` runs."""
        return self._hangs.is_set()

    def hang(self) -> None:
        """Be busy until `let_go` is called."""
        self._let_go.clear()
        self._hangs.set()
        self._let_go.wait(30)
        self._hangs.clear()

    @urgent
    def let_go(self) -> None:
        """End `hang`."""
        self._let_go.set()

    def process_id(self) -> int:
        """The process that it runs in."""
        return os.getpid()

    def die(self) -> None:
        """End at once, as by a power cut."""
        os.kill(os.getpid(), signal.SIGKILL)


@expose
@behavior(instance_mode="percall")
class PerCall:
    """It lives for one call."""

    frames = Stream()


@expose
class Session:
    """Each client has its own."""

    frames = Stream()

    def snap(self) -> int:
        """Publish something."""
        return int(self.frames.publish(1))


@expose
@behavior(instance_mode="single")
class Lamp:
    """A source that runs only while somebody looks."""

    light = Stream(on_demand=True)

    def __init__(self) -> None:
        self._log: list[str] = []
        self.broken = False

    @light.on_start
    def _switch_on(self) -> None:
        if self.broken:
            raise RuntimeError("the bulb is missing")
        self._log.append("on")
        self._started_in = threading.get_ident()
        self.light.publish(1)

    @light.on_stop
    def _switch_off(self) -> None:
        self._log.append("off")

    def log(self) -> list[str]:
        """What it has done."""
        return self._log

    def was_started_here(self) -> bool:
        """Whether it was switched on in the thread in which its calls are carried out."""
        return self._started_in == threading.get_ident()

    def break_bulb(self) -> None:
        """From now on it can't be switched on."""
        self.broken = True

    def mend(self) -> None:
        """From now on it can."""
        self.broken = False
