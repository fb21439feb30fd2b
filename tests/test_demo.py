"""The demonstration as a person runs it: real processes, a figure at the end, and nothing left behind."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

RUN = Path(__file__).parents[1] / "examples" / "chip_station" / "run.py"
#: Every process of a demonstration has this in its environment, with a value of its own.
MARK = "PYROLAB_TEST_MARK"

pytestmark = pytest.mark.timeout(180)


@dataclass
class Demo:
    process: subprocess.Popen[str]
    mark: str
    out: Path

    def rest(self) -> str:
        """All that it still says, until it ends."""
        assert self.process.stdout is not None
        return self.process.stdout.read()

    def read_until(self, words: str) -> None:
        assert self.process.stdout is not None
        seen = ""
        while words not in seen:
            line = self.process.stdout.readline()
            assert line, f"it ended without saying {words!r}:\n{seen}"
            seen += line

    def family(self) -> list[psutil.Process]:
        """All processes that were started by this demonstration, wherever they hang now."""
        return [process for process in psutil.process_iter() if _has_mark(process, self.mark)]

    def left(self) -> list[str]:
        return [" ".join(process.cmdline()) for process in self.family()]


def _has_mark(process: psutil.Process, mark: str) -> bool:
    try:
        return process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], Demo]]:
    started: list[Demo] = []

    def start() -> Demo:
        mark = f"{os.getpid()}-{tmp_path.name}-{len(started)}"
        out = tmp_path / "figure" / "chip.png"
        process = subprocess.Popen(
            [sys.executable, str(RUN), "--out", str(out)],
            env={**os.environ, MARK: mark, "PYTHONUNBUFFERED": "1", "COLUMNS": "100"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )
        started.append(Demo(process, mark, out))
        return started[-1]

    yield start
    for demo in started:
        for process in demo.family():
            process.kill()
        demo.process.wait()
        assert demo.process.stdout is not None
        demo.process.stdout.close()


def test_it_measures_draws_explains_and_leaves_nothing(start: Callable[[], Demo]) -> None:
    demo = start()
    words = demo.rest()
    assert demo.process.wait() == 0, words
    assert demo.left() == []
    for sentence in ("1549.17", "Free spectral range", "Insertion loss", "With your own instruments"):
        assert sentence in words
    content = demo.out.read_bytes()
    assert content.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", content[16:24])
    assert min(width, height) > 1000
    assert len(content) > 100_000


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is another thing on Windows")
@pytest.mark.parametrize("moment", ["Starting", "They run"])
@pytest.mark.parametrize("whole_terminal", [True, False], ids=["ctrl-c", "kill"])
def test_interrupted_it_leaves_nothing(start: Callable[[], Demo], moment: str, whole_terminal: bool) -> None:
    demo = start()
    demo.read_until(moment)
    _wait_for(lambda: len(demo.family()) >= (6 if moment == "They run" else 2))
    if whole_terminal:
        os.killpg(demo.process.pid, signal.SIGINT)
    else:
        demo.process.send_signal(signal.SIGINT)
    words = demo.rest()
    assert demo.process.wait() == 130, words
    assert demo.left() == []
    assert "nothing is left running" in words
    assert "Traceback" not in words


def _wait_for(condition: Callable[[], bool]) -> None:
    while not condition():  # the test's own timeout is the bound
        time.sleep(0.05)
