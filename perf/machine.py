"""The facts of this machine that make figures comparable; nothing that says whose it is or where."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import zmq

from perf.systems import SYSTEMS


def facts() -> dict[str, Any]:
    """CPU, cores, system, Python and the versions of what is compared."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "libzmq": zmq.zmq_version(),
        "load_before": _load(),
        "versions": {name: _version(name) for name in _distributions()},
    }


def _distributions() -> list[str]:
    return sorted({entry.distribution for entry in SYSTEMS.values()} | {"msgpack", "numpy", "serpent"})


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _cpu() -> str:
    """The model, as the kernel names it where there is /proc."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


def _load() -> float | None:
    """What else the machine was doing: the load of the last minute, where there is such a figure."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
