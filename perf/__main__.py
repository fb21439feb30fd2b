"""`python -m perf`: measure, print the table, and write figures.json, figures.md and figures.png."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter

from rich.console import Console

from perf import bench, machine, report
from perf.figures import Run
from perf.systems import SYSTEMS

RESULTS = Path(__file__).parent / "results"


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m perf", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few rounds only: does it all work?")
    parser.add_argument("--only", default=",".join(bench.GROUPS), help="groups: %(default)s")
    parser.add_argument("--systems", default=",".join(SYSTEMS), help="systems: %(default)s")
    parser.add_argument("--into", type=Path, help="where to write; with --quick nowhere, if not given")
    parser.add_argument("--again", type=Path, help="don't measure: report on a figures.json")
    arguments = parser.parse_args(given)
    arguments.only = _chosen(parser, arguments.only, bench.GROUPS)
    arguments.systems = _chosen(parser, arguments.systems, SYSTEMS)
    if arguments.into is None and not arguments.quick:
        arguments.into = RESULTS
    return arguments


def _chosen(parser: argparse.ArgumentParser, text: str, known: Iterable[str]) -> list[str]:
    chosen = [name.strip() for name in text.split(",") if name.strip()]
    for name in chosen:
        if name not in known:
            parser.error(f"there is no {name!r}; there are {', '.join(known)}")
    return chosen


def measure(groups: Sequence[str], systems: Sequence[str], quick: bool, console: Console) -> Run:
    """Measure these groups with these systems."""
    run = Run(machine.facts(), {})
    efforts = bench.QUICK if quick else bench.FULL
    keys = [] if set(groups) <= bench.ALONE else systems
    with ExitStack() as stack, console.status("starting") as status:
        started = bench.start(keys, run, stack, status.update)
        for group in groups:
            bench.GROUPS[group](started, efforts[group])
    return run


def main(given: Sequence[str] | None = None) -> None:
    """Run the harness; the arguments of the command line unless others are given."""
    arguments = _arguments(given)
    console = Console()
    start = perf_counter()
    if arguments.again:
        run = Run.from_json(arguments.again.read_text(encoding="utf-8"))
    else:
        run = measure(arguments.only, arguments.systems, arguments.quick, console)
        run.machine["seconds"] = round(perf_counter() - start)
    if arguments.into is not None:
        report.write(run, arguments.into, console)
    report.show(run, console)


if __name__ == "__main__":
    main()
