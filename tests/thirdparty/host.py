"""Hosts objects of other libraries, as they are, while those libraries' own tests run.

The broker is a process of its own; the worker is a thread of this one, because many tests define their
classes on the spot. All calls go over TCP.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from live import start_broker
from pyrolab.api import Daemon, Proxy
from pyrolab.protocol.envelope import Flag
from pyrolab.worker.exposure import behavior


class Host:
    """The bus, started with the first object; and the tests that have held a proxy."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._daemon: Daemon | None = None
        self.held: set[str] = set()

    @property
    def daemon(self) -> Daemon:
        """Where objects are hosted."""
        if self._daemon is None:
            broker = self._stack.enter_context(start_broker())
            self._daemon = self._stack.enter_context(Daemon(nameserver=f"localhost:{broker.ready}"))
        return self._daemon

    @contextlib.contextmanager
    def hosting(self, cls: type, make: Callable[[type], Any]) -> Iterator[Any]:
        """A proxy of what `make` makes of a subclass of `cls`, in its own thread. Raises what it raises."""
        self.held.add(os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" (")[0])
        hosted = type(cls.__name__, (cls,), {"__module__": cls.__module__, "__doc__": cls.__doc__})
        if not getattr(cls, "__abstractmethods__", True):  # a test may have said that none is
            hosted.__abstractmethods__ = frozenset()  # type: ignore[attr-defined]
        uri = self.daemon.register(behavior("single", make, exposure="public")(hosted))
        try:
            with Proxy(uri) as proxy:
                proxy._invoke([], "describe", flags=Flag.READ)  # makes the instrument
                yield proxy
        finally:
            self.daemon.unregister(uri.object)

    def close(self) -> None:
        """End the bus."""
        self._stack.close()


class Report:
    """A plug-in of pytest: writes what became of each test, and whether it held a proxy, to a file."""

    def __init__(self, host: Host, file: Path) -> None:
        self._host = host
        self._file = file
        self._outcomes: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            before = self._outcomes.get(report.nodeid)
            self._outcomes[report.nodeid] = "failed" if before == "failed" else report.outcome

    def pytest_sessionfinish(self) -> None:
        held = self._host.held
        found = {name: {"outcome": each, "proxy": name in held} for name, each in self._outcomes.items()}
        self._file.write_text(json.dumps(found), encoding="utf-8")


def add_option(parser: pytest.Parser) -> None:
    """`--pyrolab-report FILE`: says which tests have held a proxy."""
    parser.addoption("--pyrolab-report", type=Path, help="a file for which tests held a proxy, as JSON")


def report_of(host: Host, config: pytest.Config) -> None:
    """Have the report written, if one is asked for."""
    file = config.getoption("--pyrolab-report")
    if file is not None:
        config.pluginmanager.register(Report(host, file))
