"""Real brokers and workers for tests: processes of their own, on free ports, ended by their ids."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import psutil

from pyrolab.api import timeout

HERE = Path(__file__).parent
#: Nothing here takes this long unless it hangs.
PATIENCE_S = 30.0


class Process:
    """A child that prints one line when it is ready; `ready` is that line."""

    def __init__(self, *arguments: str, env: dict[str, str] | None = None, cwd: Path | None = None) -> None:
        self.popen = subprocess.Popen(
            [sys.executable, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=clean_environment() | (env or {}),
            cwd=cwd or HERE,
        )
        self.errors: list[str] = []
        assert self.popen.stdout is not None
        assert self.popen.stderr is not None
        self._collector = threading.Thread(
            target=_collect, args=(self.popen.stderr, self.errors), daemon=True
        )
        self._collector.start()
        self.ready = self.popen.stdout.readline().strip()
        if not self.ready:
            self.end()
            raise AssertionError("the process ended at once:\n" + "".join(self.errors))

    @property
    def pid(self) -> int:
        return self.popen.pid

    def read_line(self) -> str:
        """The next line that the process prints."""
        assert self.popen.stdout is not None
        return self.popen.stdout.readline().strip()

    def kill(self) -> None:
        """End it as a power cut would."""
        self.popen.kill()
        self.popen.wait(PATIENCE_S)

    def end(self) -> None:
        """End it, whatever it is doing."""
        if self.popen.poll() is None:
            self.popen.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.popen.wait(5)
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait(PATIENCE_S)
        self._collector.join(PATIENCE_S)
        for stream in (self.popen.stdout, self.popen.stderr):
            assert stream is not None
            stream.close()

    def memory_bytes(self) -> int:
        return int(psutil.Process(self.pid).memory_info().rss)

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *reason: object) -> None:
        self.end()


def _collect(stream: IO[str], lines: list[str]) -> None:
    lines.extend(stream)


def clean_environment() -> dict[str, str]:
    """The environment without anything that would lead a process to another broker."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYROLAB_")}
    path = os.pathsep.join([str(HERE), *filter(None, [kept.get("PYTHONPATH")])])
    return kept | {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}


def start_broker(port: int = 0, **settings: Any) -> Process:
    """A broker in a process of its own; `ready` is its port."""
    return Process("-m", "processes.broker", str(port), repr(settings))


def start_worker(port: str | int, *services: str) -> Process:
    """A worker that hosts services given as `module:Class=name`; `ready` is their URIs, blank-separated."""
    return Process("-m", "processes.worker", f"localhost:{port}", *services)


@contextlib.contextmanager
def bus(*services: str, **settings: Any) -> Iterator[Process]:
    """A broker and one worker with these services; yields the broker."""
    with start_broker(**settings) as broker, start_worker(broker.ready, *services):
        yield broker


def until(condition: Callable[[], object]) -> None:
    """Wait for something that will be so."""
    ends = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < ends, "it has not come true"
        time.sleep(0.01)


def is_busy(proxy: Any) -> bool:
    """Whether a service does not answer just now, because it carries out a call."""
    with timeout(0.1):
        try:
            proxy.ping()
        except TimeoutError:
            return True
    return False
