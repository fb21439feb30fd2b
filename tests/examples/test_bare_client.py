"""The client without PyroLab, in an interpreter that has no PyroLab."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

from live import PATIENCE_S, Process, clean_environment

SCRIPT = Path(__file__).parents[2] / "examples" / "bare_client.py"

#: Loaded by every Python at its start; stands in for a computer where PyroLab is not installed.
NO_PYROLAB = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("pyrolab", "pyrolab_broker", "pyrolab_drivers"):
            raise ModuleNotFoundError(f"{name} is not installed on this computer")

sys.meta_path.insert(0, Absent())
"""


def run(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Python with these arguments, where importing PyroLab fails."""
    (directory / "sitecustomize.py").write_text(NO_PYROLAB, encoding="utf-8")
    env = clean_environment() | {"PYTHONPATH": str(directory)}
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, env=env, cwd=directory, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


def ask(directory: Path, bus: Process, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(directory, os.fspath(SCRIPT), f"127.0.0.1:{bus.ready}", *arguments)


def test_pyrolab_is_absent_there(tmp_path: Path) -> None:
    done = run(tmp_path, "-c", "import pyrolab")
    assert done.returncode == 1
    assert "not installed on this computer" in done.stderr


def test_it_looks_a_service_up_and_calls_it(bench_bus: Process, tmp_path: Path) -> None:
    assert ask(tmp_path, bench_bus, "library", "add_book", "The Hobbit", "3").stdout == "None\n"
    done = ask(tmp_path, bench_bus, "library", "get_catalog")
    assert (done.returncode, done.stdout, done.stderr) == (0, "{'The Hobbit': 3}\n", "")
    echoed = ask(tmp_path, bench_bus, "bench", "echo", '[1, 2.5, "µm", null, {"x": [true]}]')
    assert ast.literal_eval(echoed.stdout) == [1, 2.5, "µm", None, {"x": [True]}]


def test_it_says_what_the_service_raised(bench_bus: Process, tmp_path: Path) -> None:
    done = ask(tmp_path, bench_bus, "library", "checkin", "Dune")
    assert done.returncode == 1
    assert done.stderr == "builtins:LookupError: the library has no 'Dune'\n"


def test_it_says_which_name_is_unknown(bench_bus: Process, tmp_path: Path) -> None:
    done = ask(tmp_path, bench_bus, "libary", "get_catalog")
    assert done.returncode == 1
    assert done.stderr.startswith("pyrolab.errors:NamingError: the name service knows no 'libary'")
    assert "did you mean 'library'?" in done.stderr


def test_it_stays_small_and_needs_no_pyrolab() -> None:
    code = SCRIPT.read_text(encoding="utf-8")
    body = ast.parse(code).body[1:]
    assert sum(bool(line.strip()) for line in code.splitlines()[body[0].lineno - 1 :]) <= 50
    nodes = list(ast.walk(ast.parse(code)))
    imported = {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    imported |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    assert imported == {"json", "struct", "sys", "typing", "msgpack", "zmq"}
