"""Sees to it that no process outlives its supervisor, not even one that is stuck in a driver's library.

A process whose Python cannot run does not notice that its lifeline was cut. So one small process, which runs
nobody's drivers, holds a lifeline of its own, and kills what is left when the others have had their time.
"""

from __future__ import annotations

from pyrolab.supervisor.process_setup import log_to_stderr, own_import_path

if __name__ == "__main__":
    own_import_path()

import json
import logging
import sys
from collections.abc import Iterable
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen

from pyrolab.supervisor.instance import end_processes
from pyrolab.supervisor.launch import CREATION_FLAGS, MARK_OPTION, NEW_SESSION
from pyrolab.supervisor.lifeline import GRACE_S
from pyrolab.supervisor.logs import log_file, open_log_for

log = logging.getLogger("pyrolab.guardian")

#: Processes end by themselves within `GRACE_S`; only then is anything killed.
_PATIENCE_S = GRACE_S + 1.0


class Guardian:
    """The supervisor's end: starts the guardian when there is something to watch, and again if it is gone."""

    def __init__(self, mark: str, directory: Path, patience_s: float = _PATIENCE_S) -> None:
        self._mark = mark
        self._directory = directory
        self._patience_s = patience_s
        self._process: Popen[bytes] | None = None

    def watch(self, pids: Iterable[int]) -> None:
        """These are the supervisor's processes now."""
        line = json.dumps(list(pids)).encode() + b"\n"
        for _ in range(2):
            if self._process is None or self._process.poll() is not None:
                self._start()
            if self._tell(line):
                return
        log.error("there is no guardian; a stuck process may outlive its supervisor")

    def dismiss(self) -> None:
        """All have ended; so does the guardian."""
        if self._process is not None:
            self._tell(b"[]\n")
            self._cut_lifeline(self._process)
            self._process.wait()
            self._process = None

    def _cut_lifeline(self, process: Popen[bytes]) -> None:
        assert process.stdin is not None
        try:
            process.stdin.close()
        except OSError:
            pass  # it had gone before

    def _start(self) -> None:
        if self._process is not None:
            self._cut_lifeline(self._process)
        module, patience = "pyrolab.supervisor.guardian", str(self._patience_s)
        command = [sys.executable, "-m", module, MARK_OPTION, self._mark, patience]
        with open_log_for(log_file("supervisor")) as descriptor:
            self._process = Popen(  # noqa: S603 - our own module, our own arguments
                command,
                stdin=PIPE,
                stdout=DEVNULL,
                stderr=descriptor,
                cwd=self._directory,
                creationflags=CREATION_FLAGS,
                start_new_session=NEW_SESSION,
            )

    def _tell(self, line: bytes) -> bool:
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line)
            self._process.stdin.flush()
        except OSError:
            return False
        return True


def main(arguments: list[str]) -> None:
    """Remember the last list of processes until the lifeline is cut, then end what is left of them."""
    mark, patience_s = arguments[1], float(arguments[2])
    log_to_stderr()
    pids: list[int] = []
    for line in sys.stdin.buffer:
        pids = json.loads(line)
    killed = end_processes(pids, mark, patience_s)
    if killed:
        log.warning("the supervisor is gone; killed what was stuck: processes %s", killed)


if __name__ == "__main__":
    main(sys.argv[1:])
