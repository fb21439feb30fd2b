"""Watchers that are killed, stopped and cut off at random: whoever must not lose a frame loses none.

Each watcher checks every pixel of every frame, so a frame that is torn, or another's, ends it with an error.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from live import PATIENCE_S, Process, bus, until
from pyrolab.api import Proxy
from services.streams import image_of

SHAPE = (512, 512)
POLICIES = ("latest", "queue", "lossless")
PATHS = ("shared memory", "direct", "relay", "-")
#: What the publisher may grow by: blocks for all that may be looked at or on their way.
GROWTH_BYTES = 96 << 20


@pytest.mark.timeout(120)
def test_watchers_die_and_the_recording_is_complete() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    with (
        bus("services.streams:Camera=camera") as broker,
        Proxy(f"PYRONAME:camera@localhost:{broker.ready}") as camera,
        camera.frames.subscribe("lossless") as recording,
    ):
        publisher = psutil.Process(camera.process_id())
        recorder = Recorder(recording)
        camera.run(0.002, SHAPE)
        before = publisher.memory_info().rss
        watchers: list[Process] = []
        for _ in range(24):
            if len(watchers) < 4:
                policy, path = chance.choice(POLICIES), chance.choice(PATHS)
                watchers.append(Process("-m", "processes.watcher", f"localhost:{broker.ready}", policy, path))
            disturb(watchers, chance)
            time.sleep(chance.uniform(0, 0.2))
        newest = camera.rest()
        while recorder.newest < newest:
            recorder.raise_error()
        for watcher in watchers:
            assert watcher.popen.poll() is None, "".join(watcher.errors)
            watcher.end()
        until(lambda: camera.subscribers() == 1)
        assert recording.dropped == 0
        assert publisher.memory_info().rss - before < GROWTH_BYTES
        assert blocks_of(publisher.pid) < 64 + 4 * 32
        recorder.end()


def disturb(watchers: list[Process], chance: random.Random) -> None:
    """Kill one, or stop one for a moment, or end one as a person would."""
    victim = chance.choice(watchers)
    match chance.choice(("kill", "stop", "end", "nothing")):
        case "kill":
            victim.kill()
        case "stop":
            os.kill(victim.pid, signal.SIGSTOP)
            time.sleep(chance.uniform(0, 0.5))
            os.kill(victim.pid, signal.SIGCONT)
            return
        case "nothing":
            return
    watchers.remove(victim)
    victim.end()


def blocks_of(pid: int) -> int:
    """How many blocks of shared memory a process has open."""
    links = Path(f"/proc/{pid}/fd").iterdir()
    return sum("memfd:" in os.readlink(link) for link in links if link.is_symlink())


class Recorder:
    """Takes every frame in a thread; none may be missing, none may be other than it was."""

    def __init__(self, subscription: Any) -> None:
        self._subscription = subscription
        self._error: BaseException | None = None
        self.newest = 0
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def _work(self) -> None:
        try:
            for frame in self._subscription:
                assert not self.newest or frame.sequence == self.newest + 1
                assert np.array_equal(frame.array, image_of(frame.sequence, SHAPE))
                self.newest = frame.sequence
        except BaseException as error:
            self._error = error

    def raise_error(self) -> None:
        if self._error is not None:
            raise self._error
        time.sleep(0.01)

    def end(self) -> None:
        self._subscription.close()
        self._thread.join(PATIENCE_S)
        self.raise_error()
