"""What all tests share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

from live import Process, bus
from pyrolab.api import Proxy

# No test fails for being slow: these machines are noisy.
settings.register_profile("pyrolab", deadline=None)
settings.load_profile("pyrolab")


@pytest.fixture(autouse=True)
def _no_other_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests find only the brokers that they start."""
    monkeypatch.delenv("PYROLAB_NAMESERVER", raising=False)


@pytest.fixture(scope="module")
def bench_bus() -> Iterator[Process]:
    """A broker and a worker that hosts `bench`, `session`, `percall` and `library`; `ready` is the port."""
    with bus(
        "services.bench:Bench=bench",
        "services.bench:Session=session",
        "services.bench:PerCall=percall",
        "services.library:Library=library",
    ) as broker:
        yield broker


@pytest.fixture(scope="module")
def station_bus() -> Iterator[Process]:
    """A broker and a worker that hosts `station`, `plain`, `open` and `percall`; `ready` is the port."""
    with bus(
        "services.station:Station=station",
        "services.station:Plain=plain",
        "services.station:Open=open",
        "services.station:Disposable=percall",
    ) as broker:
        yield broker


@pytest.fixture
def station(station_bus: Process) -> Iterator[Any]:
    """A proxy of `station`."""
    with Proxy(f"PYRONAME:station@localhost:{station_bus.ready}") as proxy:
        yield proxy
