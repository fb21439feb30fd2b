"""The benchmarks run, and leave what they promise; what they measure is nobody's business here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(300)
def test_a_quick_run_writes_figures_of_the_bus_and_of_its_baseline(tmp_path: Path) -> None:
    command = ["-m", "perf", "--quick", "--only", "empty", "--systems", "raw_proxy,pyrolab"]
    ran = subprocess.run(
        [sys.executable, *command, "--into", tmp_path], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert "PyroLab" in ran.stdout
    assert "raw zmq.proxy" in (tmp_path / "figures.md").read_text(encoding="utf-8")
    assert (tmp_path / "figures.png").read_bytes().startswith(b"\x89PNG")
    figures = json.dumps(json.loads((tmp_path / "figures.json").read_text(encoding="utf-8")))
    assert "pyrolab" in figures
    assert "raw_proxy" in figures
