"""A home of its own for each test, and the command as a process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pyrolab.config.places import HOME_VARIABLE

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    monkeypatch.delenv("PYROLAB_NAMESERVER", raising=False)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    return tmp_path / "home"


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "pyrolab.cli.app", *map(str, arguments)]


@pytest.fixture
def pyrolab(tmp_path: Path) -> Iterator[Run]:
    """Runs a command in a directory that holds nothing; whatever it leaves running is ended."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*arguments), cwd=elsewhere, capture_output=True, text=True, timeout=50, encoding="utf-8"
        )

    yield run
    down = run("down")
    assert down.returncode == 0, down.stderr
