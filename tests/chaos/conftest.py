"""A lab for each test of this folder; afterwards its whole history has to be in order."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos.history import check
from chaos.lab import Lab

collect_ignore_glob = [] if os.name == "posix" else ["test_*.py"]  # signals of POSIX are the faults


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A lab with a broker; what is in its logs at the end must be in order."""
    with Lab(tmp_path) as made:
        made.start_broker()
        yield made
        made.end_processes()
        wrong = {name: found for name, found in check(made.history()).items() if found}
        assert not wrong
