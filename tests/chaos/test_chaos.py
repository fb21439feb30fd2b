"""A short storm with every run of the tests; `python tasks.py chaos` is the long one."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path

import pytest

from chaos.run import storm

pytestmark = pytest.mark.skipif(
    not hasattr(signal, "SIGSTOP"), reason="this system cannot stop and continue processes"
)
#: Set to the seed of a run that failed, to have the same faults again.
SEED = "CHAOS_SEED"


@pytest.mark.timeout(180)
def test_nothing_runs_twice_or_gets_lost_and_everything_comes_back(tmp_path: Path) -> None:
    seed = int(os.environ.get(SEED) or random.SystemRandom().randrange(1 << 31))
    print(f"seed {seed}; the same faults again: {SEED}={seed} pytest {__file__}")
    report = storm(tmp_path, seed, kills=20, minutes=2, longest_s=4, small=True)
    assert report.is_good, f"{report.text()}\n{report.stacks}"
