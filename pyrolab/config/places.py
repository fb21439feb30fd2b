"""Where PyroLab keeps its files: the user's configuration, what runs now, and logs.

Nothing is created by importing or asking; whoever writes a file makes its directory.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

import platformdirs

#: Names the directory for everything that PyroLab writes for this user: containers, tests, a second lab.
HOME_VARIABLE = "PYROLAB_HOME"


def config_directory() -> Path:
    """Directory of the user's configuration."""
    return _home() or platformdirs.user_config_path("pyrolab", appauthor=False)


def state_directory() -> Path:
    """Directory of what outlives a command: the running supervisor's record, logs, name service storage."""
    return _home() or platformdirs.user_state_path("pyrolab", appauthor=False)


def user_config_file() -> Path:
    """The configuration that commands use when none is named."""
    return config_directory() / "config.yaml"


def log_directory() -> Path:
    """Directory with one log file for each process."""
    return state_directory() / "logs"


def audit_directory() -> Path:
    """Directory of the audit logs: who did what to which instrument."""
    return state_directory() / "audit"


def run_directory() -> Path:
    """Directory that belongs to the running supervisor alone; only its user may read it."""
    return state_directory() / "run"


def storage_file(nameserver: str) -> Path:
    """Where the broker of a name server with `storage: sql` keeps its names and reservations."""
    return state_directory() / "nameservers" / f"{file_name(nameserver)}.sqlite"


def file_name(name: str) -> str:
    """A file name for any service or daemon name: letters, digits and `-_.` stay, the rest is %-quoted."""
    return quote(name, safe="") if name.strip(".") else name.replace(".", "%2E")


def private_directory(directory: Path) -> Path:
    """Make `directory` if need be, readable by this user alone, and return it."""
    directory.mkdir(parents=True, exist_ok=True)
    if os.name == "posix":
        directory.chmod(0o700)
    return directory


def _home() -> Path | None:
    home = os.environ.get(HOME_VARIABLE)
    return Path(home).expanduser().absolute() if home else None
