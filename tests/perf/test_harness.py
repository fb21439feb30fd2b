"""The benchmarks run, and leave what they promise; what they measure is nobody's business here."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
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


@pytest.mark.timeout(300)
def test_a_quick_run_of_what_proxies_do_has_a_figure_for_each_way(tmp_path: Path) -> None:
    command = ["-m", "perf", "--quick", "--only", "proxies", "--into", str(tmp_path)]
    ran = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    run = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert run["absent"] == {}
    measured = Counter(each["point"][0] for each in run["series"] if all(each["rounds"]))
    assert measured == {
        "proxy_latency": 3,
        "proxy_cold": 3,
        "proxy_threads": 2,
        "proxy_threads_eager": 2,
        "proxy_items": 2,
        "proxy_learn": 1,
        "proxy_flight": 2,
    }
