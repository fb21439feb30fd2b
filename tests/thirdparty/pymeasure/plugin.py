"""A plug-in of pytest: PyMeasure's own tests get proxies, over a real broker and worker, for instruments.

`expected_protocol` is where PyMeasure's tests get an instrument that speaks to recorded exchanges. Here it
hosts that instrument, as it is, with a worker, and yields a proxy. The broker is a process of its own; the
worker is a thread of this one, because many tests define their classes on the spot. All calls go over TCP.

`-p thirdparty.pymeasure.plugin`; with `--pyrolab-report FILE`, says which tests have held a proxy.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pymeasure.test
import pytest
from pymeasure.adapters.protocol import ProtocolAdapter

from live import start_broker
from pyrolab.api import Daemon, Proxy
from pyrolab.protocol.envelope import Flag
from pyrolab.worker.exposure import behavior


class Host:
    """The bus, started with the first instrument; and the tests that have held a proxy."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._daemon: Daemon | None = None
        self.held: set[str] = set()

    @property
    def daemon(self) -> Daemon:
        """Where instruments are hosted."""
        if self._daemon is None:
            broker = self._stack.enter_context(start_broker())
            self._daemon = self._stack.enter_context(Daemon(nameserver=f"localhost:{broker.ready}"))
        return self._daemon

    @contextlib.contextmanager
    def hosting(self, cls: type, adapter: Any, kwargs: dict[str, Any]) -> Iterator[Any]:
        """A proxy of an instrument, which is made in its own thread. Raises what its constructor raises."""
        self.held.add(os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" (")[0])
        hosted = type(cls.__name__, (cls,), {"__module__": cls.__module__, "__doc__": cls.__doc__})
        make = partial(_make, adapter=adapter, kwargs=kwargs)
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


def _make(cls: type, adapter: Any, kwargs: dict[str, Any]) -> Any:
    return cls(adapter, **kwargs)


HOST = Host()


@contextlib.contextmanager
def expected_protocol(
    instrument_cls: type,
    comm_pairs: Sequence[tuple[Any, Any]],
    connection_attributes: dict[str, Any] | None = None,
    connection_methods: dict[str, Any] | None = None,
    **kwargs: Any,
) -> Iterator[Any]:
    """In place of PyMeasure's: the same exchanges, with a proxy of the instrument."""
    protocol = ProtocolAdapter(
        comm_pairs, connection_attributes=connection_attributes, connection_methods=connection_methods
    )
    with HOST.hosting(instrument_cls, protocol, kwargs) as proxy:
        yield proxy
        left = comm_pairs[protocol._index :]
        assert not left, f"these exchanges have not taken place: {left}"
        assert protocol._write_buffer is None, f"not a whole command: {protocol._write_buffer!r}"
        assert protocol._read_buffer is None, f"nobody has read {protocol._read_buffer!r}"


pymeasure.test.expected_protocol = expected_protocol


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pyrolab-report", type=Path, help="a file for which tests held a proxy, as JSON")


class Outcomes:
    """What became of each test, and whether it held a proxy."""

    def __init__(self, report: Path) -> None:
        self._report = report
        self._outcomes: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            before = self._outcomes.get(report.nodeid)
            self._outcomes[report.nodeid] = "failed" if before == "failed" else report.outcome

    def pytest_sessionfinish(self) -> None:
        found = {
            name: {"outcome": outcome, "proxy": name in HOST.held} for name, outcome in self._outcomes.items()
        }
        self._report.write_text(json.dumps(found), encoding="utf-8")


def pytest_configure(config: pytest.Config) -> None:
    report = config.getoption("--pyrolab-report")
    if report is not None:
        config.pluginmanager.register(Outcomes(report))


def pytest_unconfigure() -> None:
    HOST.close()
