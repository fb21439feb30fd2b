"""A daemon at a stand-in broker, in this process, so that tests can look at its services."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pyrolab.api import Daemon
from pyrolab.protocol.envelope import Kind
from stand_in_broker import StandInBroker


@pytest.fixture
def broker() -> Iterator[StandInBroker]:
    with StandInBroker() as made:
        yield made


@pytest.fixture
def daemon(broker: StandInBroker) -> Iterator[Daemon]:
    """Its line is open."""
    with Daemon(nameserver=broker.location, name="bench") as made:
        broker.hear(Kind.HELLO, "worker")
        broker.hear(Kind.HELLO, "line")
        yield made
