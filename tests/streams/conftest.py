"""What the tests of shared memory have in common."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pyrolab.streams import memory
from pyrolab.streams.memory import Segment
from streams.memory_processes import KINDS, PAGE


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind of shared memory that there is here."""
    return str(request.param)


@pytest.fixture
def segment(kind: str) -> Iterator[Segment]:
    """A page of it."""
    made = memory.create(PAGE, kind)
    yield made
    made.close()
