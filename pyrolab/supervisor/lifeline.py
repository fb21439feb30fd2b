"""A supervised process's end of the two pipes that tie it to its supervisor.

Standard input brings the plan, then stays open for as long as the supervisor lives: its end means "finish
and go", however the supervisor went. Standard output takes reports, one JSON object a line. The descriptors
0 and 1 are freed for the services: they read nothing, and what they print goes to the log.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Any

from pyrolab.supervisor.vigil import PULSE_S

log = logging.getLogger("pyrolab.supervised")

#: How long a process may take to finish once its supervisor is gone; a call that runs has 10 s of it.
GRACE_S = 13.0
_MAX_PLAN_BYTES = 64 * 1024 * 1024


class Lifeline:
    """Takes over standard input and output; `plan` is what this process is to do."""

    def __init__(self) -> None:
        self._incoming = os.dup(0)
        self._outgoing = os.dup(1)
        self._lock = threading.Lock()
        self._unheard = False
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)
        self.plan: dict[str, Any] = json.loads(self._read_line())

    def report(self, kind: str, **fields: Any) -> None:
        """Tell the supervisor something; it may be gone already, which `when_cut` is about to say."""
        line = json.dumps({"report": kind, **fields}).encode() + b"\n"
        with self._lock:
            try:
                while line:
                    line = line[os.write(self._outgoing, line) :]
            except OSError:
                self._unheard = True
                log.warning("the supervisor takes no reports any more")

    def pulse(self) -> None:
        """From now on, have the supervisor know that Python runs here."""
        threading.Thread(target=self._pulse, name="pyrolab-pulse", daemon=True).start()

    def _pulse(self) -> None:
        while not self._unheard:
            self.report("pulse")
            time.sleep(PULSE_S)

    def when_cut(self, finish: Callable[[], object], grace_s: float = GRACE_S) -> None:
        """Call `finish` in a thread when the supervisor ends or says so; `grace_s` later the process ends."""
        threading.Thread(
            target=self._wait_for_end, args=(finish, grace_s), name="pyrolab-lifeline", daemon=True
        ).start()

    def _wait_for_end(self, finish: Callable[[], object], grace_s: float) -> None:
        while os.read(self._incoming, 4096):
            pass
        log.info("asked to end")
        deadline = threading.Timer(grace_s, _end_now)
        deadline.daemon = True
        deadline.start()
        finish()

    def _read_line(self) -> bytes:
        line = bytearray()
        while not line.endswith(b"\n"):
            piece = os.read(self._incoming, 65536)
            if not piece or len(line) > _MAX_PLAN_BYTES:
                raise SystemExit("this process is started by `pyrolab up`, which tells it what to do")
            line += piece
        return bytes(line)


def _end_now() -> None:
    log.error("not finished in time; ending now")
    logging.shutdown()
    os._exit(1)
