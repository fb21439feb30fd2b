"""How long importing takes: wall time of a fresh interpreter, less that of one that imports nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from time import perf_counter

from perf.figures import Point, Unit
from perf.rounds import Trial

#: Modules that cost time and that nobody needs before the first proxy.
HEAVY = ("zmq", "numpy", "pydantic", "typer")
IMPORT, LOADED = "import", "loaded"
UNITS = {IMPORT: Unit.MILLISECONDS, LOADED: Unit.MODULES}
#: What is imported, by the name of the row; the last is the baseline.
STATEMENTS = {
    "pyrolab.api": "import pyrolab.api",
    "its Proxy": "from pyrolab.api import Proxy",
    "Pyro5.api": "import Pyro5.api",
    "zmq and numpy": "import zmq, numpy",
}
_ROOT = Path(__file__).resolve().parents[1]


def _run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=_ROOT)
    if done.returncode:
        raise ImportError(done.stderr.strip().splitlines()[-1])
    return done.stdout


def _seconds(code: str) -> float:
    start = perf_counter()
    _run(code)
    return perf_counter() - start


def heavy_after(statement: str) -> list[str]:
    """Which of the heavy modules are loaded after a statement in a fresh interpreter."""
    return _run(f"{statement}\nimport sys\nprint(*{{*{HEAVY}}} & {{*sys.modules}})").split()


def trials() -> list[Trial]:
    """One for each statement."""
    return [Trial(name, partial(_slice, name)) for name in STATEMENTS]


def _slice(name: str) -> Mapping[Point, float]:
    bare = _seconds("pass")
    whole = _seconds(STATEMENTS[name])
    return {
        Point(IMPORT, name): max(whole - bare, 0.0) * 1e3,
        Point(LOADED, name): float(len(heavy_after(STATEMENTS[name]))),
    }
