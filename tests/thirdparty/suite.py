"""Runs the tests of another library with one of our plug-ins, in a pytest of its own, and counts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]


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

    def show(self) -> None:
        """Print the counts and every failure."""
        for name in self.all.failed:
            print("failed:", name)
        print(f"passed: {self.all} tests")
        print(f"of those that held a proxy: {self.with_proxy}; of their functions: {self.functions}")


def run(
    plugin: str,
    source: Path,
    files: Sequence[str],
    *,
    imports: Sequence[Path] = (),
    options: Sequence[str] = (),
    timeout_s: float = 3000,
) -> Result:
    """Run these files of a source tree, with the library in it; `imports` are found before ours."""
    paths = [*map(str, imports), str(TESTS), str(TESTS.parent), str(source)]
    paths += filter(None, [os.environ.get("PYTHONPATH")])
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        command = [sys.executable, "-m", "pytest", "-q", "-p", plugin, "-p", "no:cacheprovider"]
        command += ["--pyrolab-report", str(report), "-o", "timeout=60", *options, *files]
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
            raise RuntimeError(f"the tests in {source} did not run:\n{said.stdout}\n{said.stderr}")
        found = json.loads(report.read_text(encoding="utf-8"))
    held = {name: each["outcome"] for name, each in found.items() if each["proxy"]}
    outcomes = {name: each["outcome"] for name, each in found.items()}
    return Result(_count(outcomes), _count(held), _count(_by_function(held)), said.stdout)


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
