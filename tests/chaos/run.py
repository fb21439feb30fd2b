"""`python -m chaos.run [--seed N] [--kills 300] [--minutes M]`: kill, stop and cut under load, and check all.

It prints its seed first and a report at the end; the exit code is 0 if nothing was wrong.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from chaos.history import check
from chaos.lab import Lab
from chaos.nemesis import Broken, Nemesis, plan
from chaos.report import Report

#: Faults between two rests, in which everything has to work again.
REST_EVERY = 25


def storm(
    directory: Path, seed: int, kills: int, minutes: float, longest_s: float = 8.0, small: bool = False
) -> Report:
    """Kill and cut until there were so many kills or the time is over; then heal, and look what happened."""
    start = time.monotonic()
    report = Report(seed, kills, directory)
    with Lab(directory) as lab:
        _fill(lab, seed, small)
        report.axes_of = lab.axes_of
        nemesis = Nemesis(lab, seed, report.say)
        try:
            faults = plan(seed, list(lab.workers), list(lab.clients), longest_s)
            nemesis.wait_until_all_work()
            nemesis.run(faults, kills, start + 60 * minutes, REST_EVERY)
            nemesis.finish()
        except (Broken, AssertionError) as error:
            report.broken = str(error)
            report.stacks = lab.stacks()
        finally:
            report.seconds = time.monotonic() - start
            report.faults, report.restarts = nemesis.done, nemesis.restarts
        lab.end_processes()
        report.history = lab.history()
    report.violations = check(report.history)
    return report


def _fill(lab: Lab, seed: int, small: bool) -> None:
    """A few workers, and clients of all roles."""
    lab.start_broker()
    lab.add_worker("w1", "alpha", wait=False)
    lab.add_worker("w2", "beta", "gamma", by_name=True, wait=False)
    lab.add_worker("w3", "pool", pool=True, wait=False)
    lab.add_worker("w4", "pool", pool=True, wait=False)
    for worker in lab.workers.values():
        worker.process.wait_until_ready()
    roles = ["moves", "deadlines", "futures", "owner", "owner", "reader"]
    if not small:
        roles += ["moves", "deadlines", "owner"]
    for number, role in enumerate(roles, 1):
        lab.add_client(f"c{number}", role, seed=seed + 1000 * number)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Kill, stop and cut under load, and check all of it.")
    parser.add_argument("--seed", type=int, help="the same faults as another run; default: a new one")
    parser.add_argument("--kills", type=int, default=300, help="how many; default 300")
    parser.add_argument("--minutes", type=float, default=20, help="for how long at most; default 20")
    parser.add_argument("--report", type=Path, help="directory for report and logs; default: a new one")
    options = parser.parse_args(arguments)
    seed = random.SystemRandom().randrange(1 << 31) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    directory = options.report or Path(tempfile.mkdtemp(prefix="pyrolab-chaos-"))
    directory.mkdir(parents=True, exist_ok=True)
    report = storm(directory, seed, options.kills, options.minutes)
    report.write()
    print(report.text())
    return 0 if report.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
