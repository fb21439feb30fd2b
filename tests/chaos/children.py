"""Processes of a test that are stopped, killed and started again, and that can be asked for their stacks."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

from live import PATIENCE_S, clean_environment
from processes.child import WITH_PARENT

_HERE = Path(__file__).parents[1]


class Child:
    """A Python module in a process of its own; what it prints goes to files.

    Start it from a thread that lives as long as the process is to live.
    """

    def __init__(self, name: str, directory: Path, module: str, *arguments: str) -> None:
        self.name = name
        self._out, self._err = directory / f"{name}.out", directory / f"{name}.err"
        with self._out.open("ab") as out, self._err.open("ab") as err:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=clean_environment() | {WITH_PARENT: "1"},
                cwd=_HERE,
            )

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def is_alive(self) -> bool:
        return self.popen.poll() is None

    @property
    def first_line(self) -> str:
        """What it has printed when it was ready; empty until then."""
        text = self._out.read_text(encoding="utf-8")
        return text.splitlines()[0] if text.endswith("\n") else ""

    def wait_until_ready(self, patience_s: float = PATIENCE_S) -> str:
        """Its first line. Fails if it ends, or takes too long."""
        deadline = time.monotonic() + patience_s
        while not (line := self.first_line):
            assert self.is_alive, f"{self.name} has ended:\n{self.errors()}"
            assert time.monotonic() < deadline, f"{self.name} is not ready:\n{self.stacks()}"
            time.sleep(0.005)
        return line

    def stop(self) -> None:
        """Take all time from it; `go_on` gives it back."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.popen.kill()
        self.popen.wait(PATIENCE_S)

    def terminate(self, patience_s: float = PATIENCE_S) -> int:
        """Ask it to end, and kill it if it does not; returns its exit code."""
        self.go_on()
        self.popen.terminate()
        try:
            return self.popen.wait(patience_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def _signal(self, number: int) -> None:
        self.popen.send_signal(number)  # which does nothing to a process that has ended

    def errors(self) -> str:
        """The end of what it has written to stderr."""
        return self._err.read_text(encoding="utf-8", errors="replace")[-8000:]

    def stacks(self) -> str:
        """What all its threads are doing, and what it has said before."""
        if self.is_alive and hasattr(signal, "SIGUSR1"):
            self._signal(signal.SIGUSR1)
            time.sleep(0.5)  # for the dump, which nothing announces
        return f"--- {self.name} (process {self.pid}) ---\n{self.errors()}"
