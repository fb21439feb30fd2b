"""The supervisor as a process of its own: starting it, waiting for it, ending it.

`python -m pyrolab.supervisor.background --mark MARK CONFIG` is what `pyrolab up` leaves behind.
"""

from __future__ import annotations

from pyrolab.supervisor.process_setup import log_to_stderr, on_signals, own_import_path

if __name__ == "__main__":
    own_import_path()

import logging
import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from pyrolab.config import PyroLabConfiguration
from pyrolab.config.places import private_directory, run_directory
from pyrolab.errors import CommunicationError, PyroError
from pyrolab.supervisor.control import Answer, ask
from pyrolab.supervisor.core import Policy
from pyrolab.supervisor.instance import Record, has_mark, read_record, running
from pyrolab.supervisor.launch import MARK_OPTION, start_in_background
from pyrolab.supervisor.logs import last_lines, log_file
from pyrolab.supervisor.plan import plan
from pyrolab.supervisor.supervisor import AlreadyRunning, Supervisor

log = logging.getLogger("pyrolab.supervisor")

_POLL_S = 0.05
#: Beyond the grace that its processes have.
_LEAVING_S = 5.0
#: Exit code of a supervisor that found another one running.
_SECOND = 3
#: An option of the supervisor's process.
_SIMULATE = "--simulate"


def start(config: Path, simulate: bool = False) -> Record:
    """Start a supervisor for `config` in the background, or find the one that runs; returns its record.

    Raises `CommunicationError` with its last words if it ends before it can be reached.
    """
    mark = secrets.token_hex(8)
    module = "pyrolab.supervisor.background"
    command = [sys.executable, "-m", module, MARK_OPTION, mark, str(config.absolute())]
    command += [_SIMULATE] if simulate else []
    path = log_file("supervisor")
    before = path.stat().st_size if path.exists() else 0
    process = start_in_background(command, path, private_directory(run_directory()))
    while True:
        record = read_record()
        if record is not None and record.mark == mark:
            return record
        code = process.poll()
        if code == _SECOND:
            return _the_other_one()
        if code is not None:
            said = "\n".join(last_lines(path, since=before))
            raise CommunicationError(
                f"the supervisor ended with exit code {code}; it said:\n{said}", log=str(path)
            )
        time.sleep(_POLL_S)


def _the_other_one() -> Record:
    """The supervisor that was quicker; it may still be on its way."""
    deadline = time.monotonic() + _LEAVING_S
    while time.monotonic() < deadline:
        record = running()
        if record is not None:
            return record
        time.sleep(_POLL_S)
    raise CommunicationError("another supervisor holds the lock but cannot be reached; try again")


def wait_until_settled(
    record: Record, timeout_s: float, on_status: Callable[[Answer], object] = lambda status: None
) -> Answer:
    """Ask for the status until all has come up or failed, or the time is over; returns the last one."""
    deadline = time.monotonic() + timeout_s
    while True:
        status = ask(record, "status")
        on_status(status)
        if status["settled"] or time.monotonic() >= deadline:
            return status
        time.sleep(_POLL_S)


def stop(record: Record) -> bool:
    """Have a supervisor end everything; returns whether it is gone."""
    try:
        ask(record, "stop")
    except CommunicationError as error:
        log.info("%s", error)
    deadline = time.monotonic() + 2 * Policy().grace_s + _LEAVING_S
    while has_mark(record.pid, record.mark) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    return not has_mark(record.pid, record.mark)


def main(arguments: list[str]) -> int:
    """Supervise in this process; returns the exit code."""
    mark, config = arguments[1], Path(arguments[2])
    log_to_stderr()
    try:
        planned = plan(PyroLabConfiguration.from_file(config), _SIMULATE in arguments)
        supervisor = Supervisor(planned, str(config), mark)
        on_signals(supervisor.stop)
        supervisor.run()
    except AlreadyRunning as error:
        log.info("%s", error)
        return _SECOND
    except (PyroError, OSError, subprocess.SubprocessError):
        log.exception("the supervisor cannot run")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
