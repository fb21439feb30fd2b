"""A bus that the tests of this folder attack; an honest client calls all the while."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from live import Process, bus
from security.peers import HonestClient, undisturbed


@pytest.fixture(scope="module")
def attacked() -> Iterator[Process]:
    """A broker, and a worker that hosts `bench`, `witness` and `library`; `ready` is the port."""
    with bus(
        "services.bench:Bench=bench",
        "services.witness:Witness=witness",
        "services.library:Library=library",
    ) as broker:
        yield broker


@pytest.fixture
def honest(attacked: Process) -> Iterator[HonestClient]:
    """A client that must not notice what happens in the test."""
    with undisturbed(attacked) as client:
        yield client
