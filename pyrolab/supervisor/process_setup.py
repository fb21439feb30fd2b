"""What every supervised process does before its own work: import paths, log, signals."""

from __future__ import annotations

import faulthandler
import logging
import os
import signal
import sys
from collections.abc import Callable

_FORMAT = "%(asctime)s.%(msecs)03d %(levelname)-7s %(name)s: %(message)s"
LEVEL_VARIABLE = "PYROLAB_LOGLEVEL"


def own_import_path() -> None:
    """Forget the directory that `python -m` puts first: nothing is imported from where one happens to be."""
    here = os.getcwd()
    sys.path[:] = [entry for entry in sys.path if entry not in ("", here)]


def log_to_stderr() -> None:
    """Write the log, and the stack of a crash in a driver's library, to standard error."""
    level = logging.getLevelName(os.environ.get(LEVEL_VARIABLE, "INFO").upper())
    logging.basicConfig(
        stream=sys.stderr,
        level=level if isinstance(level, int) else logging.INFO,
        format=_FORMAT,
        datefmt="%Y-%m-%d %H:%M:%S",
    )
    faulthandler.enable()


def ask_the_users_configuration() -> None:
    """Let services, too, find the broker where the user's configuration says it is."""
    from pyrolab import config
    from pyrolab.link.finding import ask_user_config

    ask_user_config(lambda: config.user_nameserver())


def on_signals(finish: Callable[[], object]) -> None:
    """Call `finish` when the process is asked to end by a signal; Ctrl-C is one."""

    def handle(number: int, frame: object) -> None:
        finish()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
    if sys.platform == "win32":
        signal.signal(signal.SIGBREAK, handle)
