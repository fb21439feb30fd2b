"""The task runner: what it installs, when it does so again, and what it refuses."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

TASKS = Path(__file__).parents[1] / "tasks.py"


@pytest.fixture
def tasks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("pyrolab_tasks", TASKS)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setenv("PYROLAB_VENV", str(tmp_path / "venv"))
    return module


def stamp(tasks: ModuleType, fingerprint: str) -> None:
    python: Path = tasks.venv_python()
    python.parent.mkdir(parents=True)
    python.touch()
    content = {"fingerprint": fingerprint, "extras": ["core", "demo"]}
    (tasks.environment() / "pyrolab-stamp.json").write_text(json.dumps(content))


def test_an_environment_that_fits_is_used_as_it_is(
    tasks: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    stamp(tasks, tasks.fingerprint())
    monkeypatch.setattr(tasks, "run", lambda command: pytest.fail(f"ran {command}"))
    tasks.prepare("demo")
    assert tasks.installed_extras() == {"core", "demo"}


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"fingerprint": "another", "extras": ["demo"]}'])
def test_a_stamp_of_another_environment_counts_for_nothing(tasks: ModuleType, content: str) -> None:
    stamp(tasks, tasks.fingerprint())
    (tasks.environment() / "pyrolab-stamp.json").write_text(content)
    assert tasks.installed_extras() == set()


def test_what_is_no_virtual_environment_is_left_alone(tasks: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv" / "thesis.tex").write_text("years of work")
    with pytest.raises(tasks.TaskFailed, match="is no virtual environment"):
        tasks.prepare("demo")
    assert (tmp_path / "venv" / "thesis.tex").exists()


def test_without_ensurepip_it_says_what_to_install(
    tasks: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(tasks.TaskFailed, match="python3-venv"):
        tasks.prepare("demo")


def test_the_oldest_releases_are_those_of_pyproject(tasks: ModuleType) -> None:
    pins = tasks.lowest_releases(TASKS.with_name("pyproject.toml").read_text(encoding="utf-8"))
    assert "numpy==1.26" in pins
    assert all(pin.count("==") == 1 for pin in pins)
    assert len(pins) >= 9


def test_an_unknown_task_is_refused_with_the_list() -> None:
    done = subprocess.run([sys.executable, str(TASKS), "dance"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "demo" in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is another thing on Windows")
def test_an_interrupted_program_is_waited_for(tasks: ModuleType, tmp_path: Path) -> None:
    """The runner gets the signal alone; the program hears of it and finishes what it has to."""
    program = (
        "import os, signal, sys, time\n"
        "try:\n"
        "    os.kill(os.getppid(), signal.SIGINT)\n"
        "    time.sleep(60)\n"
        "except KeyboardInterrupt:\n"
        f"    open({str(tmp_path / 'finished')!r}, 'w').close()\n"
    )
    runner = f"import sys; sys.path.insert(0, {str(TASKS.parent)!r}); import tasks; " + (
        f"sys.exit(tasks.run([sys.executable, '-c', {program!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", runner], check=False, timeout=50)
    assert done.returncode == 130
    assert (tmp_path / "finished").exists()
