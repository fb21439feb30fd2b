"""Starting a supervised process, and the supervisor's end of the pipes to it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pyrolab.supervisor.logs import open_log_for

#: Names the mark that tells our processes from others that have got the same number since.
MARK_OPTION = "--mark"
#: What keeps a process out of the reach of Ctrl-C in this terminal.
NEW_SESSION = sys.platform != "win32"
if sys.platform == "win32":
    CREATION_FLAGS = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
else:
    CREATION_FLAGS = 0
_MAX_REPORT_BYTES = 1 << 20

Report = dict[str, Any]


class Child:
    """A running process. `on_report` and, once, `on_end` with its exit code are called from a thread."""

    def __init__(
        self,
        module: str,
        plan: Any,
        log: Path,
        mark: str,
        directory: Path,
        on_report: Callable[[Report], object],
        on_end: Callable[[int], object],
    ) -> None:
        self.log = log
        self.log_start = log.stat().st_size if log.exists() else 0
        self._process = _popen([sys.executable, "-m", module, MARK_OPTION, mark], log, directory)
        self.pid = self._process.pid
        self._reader = threading.Thread(
            target=self._serve, args=(plan, on_report, on_end), name=f"pyrolab-child-{self.pid}", daemon=True
        )
        self._reader.start()

    def ask_to_end(self) -> None:
        """Close the lifeline: the process finishes and goes."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.close()
        except OSError:  # it went before it had read its plan
            pass

    def kill(self) -> None:
        """End the process now."""
        self._process.kill()

    def wait(self) -> None:
        """Wait until the process is gone and `on_end` has returned."""
        self._reader.join()

    def _serve(
        self, plan: Any, on_report: Callable[[Report], object], on_end: Callable[[int], object]
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(plan).encode() + b"\n")
            self._process.stdin.flush()
        except (OSError, ValueError):  # it is gone, or was asked to end: its exit code tells the rest
            pass
        with self._process.stdout as reports:
            while line := reports.readline(_MAX_REPORT_BYTES):
                report = _parse(line)
                if report is not None:
                    on_report(report)
        code = self._process.wait()
        self.ask_to_end()
        on_end(code)


def _parse(line: bytes) -> Report | None:
    """A report, or None for what is none: a library may have kept the old standard output."""
    try:
        report = json.loads(line)
    except ValueError:
        return None
    return report if isinstance(report, dict) and isinstance(report.get("report"), str) else None


def _popen(command: Sequence[str], log: Path, directory: Path) -> subprocess.Popen[bytes]:
    with open_log_for(log) as descriptor:
        return subprocess.Popen(  # noqa: S603 - our own module, our own arguments
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=descriptor,
            cwd=directory,
            creationflags=CREATION_FLAGS,
            start_new_session=NEW_SESSION,
        )


def start_in_background(command: Sequence[str], log: Path, directory: Path) -> subprocess.Popen[bytes]:
    """Start a process that outlives this one and its terminal; it writes to `log`."""
    with open_log_for(log) as descriptor:
        return subprocess.Popen(  # noqa: S603 - our own module, our own arguments
            command,
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            cwd=directory,
            creationflags=CREATION_FLAGS,
            start_new_session=NEW_SESSION,
        )
