"""What all tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from live import Process, bus


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
