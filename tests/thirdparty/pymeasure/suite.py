"""Runs PyMeasure's tests with the plug-in, in a pytest of its own, and counts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).resolve().parents[2]
PLUGIN = "thirdparty.pymeasure.plugin"


@dataclass(frozen=True)
class Count:
    """How many tests passed, of those that ran, and which did not."""

    passed: int
    ran: int
    failed: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.passed} of {self.ran}"


@dataclass(frozen=True)
class Result:
    """All tests; those that held a proxy; and functions, of which a parametrized one counts once."""

    all: Count
    with_proxy: Count
    functions: Count
    output: str


def run(source: Path, files: Sequence[str], timeout_s: float = 3000) -> Result:
    """Run these files of a source tree of PyMeasure, with the PyMeasure in it."""
    paths = [str(TESTS), str(TESTS.parent), str(source), *filter(None, [os.environ.get("PYTHONPATH")])]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        command = [sys.executable, "-m", "pytest", "-q", "-p", PLUGIN, "-p", "no:cacheprovider"]
        command += ["--pyrolab-report", str(report), "-o", "timeout=60", *files]
        said = subprocess.run(
            command,
            cwd=source,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        if not report.exists():
            raise RuntimeError(f"PyMeasure's tests did not run:\n{said.stdout}\n{said.stderr}")
        found = json.loads(report.read_text(encoding="utf-8"))
    return Result(
        _count({name: each["outcome"] for name, each in found.items()}),
        _count({name: each["outcome"] for name, each in found.items() if each["proxy"]}),
        _count(_by_function({name: each["outcome"] for name, each in found.items() if each["proxy"]})),
        said.stdout,
    )


def _by_function(outcomes: dict[str, str]) -> dict[str, str]:
    functions: dict[str, str] = {}
    for name, outcome in outcomes.items():
        function = name.partition("[")[0]
        functions[function] = "failed" if "failed" in (outcome, functions.get(function)) else outcome
    return functions


def _count(outcomes: dict[str, str]) -> Count:
    failed = sorted(name for name, outcome in outcomes.items() if outcome == "failed")
    passed = sum(outcome == "passed" for outcome in outcomes.values())
    return Count(passed, passed + len(failed), tuple(failed))
