"""A property of a class of PyMeasure on pyvisa-sim: read through a proxy, and read locally.

    python -m perf.hosted [--rounds 9] [--slice 0.5]

Broker and worker are processes of their own; the class is hosted as it is. In each round the same property
is read locally and remotely, and an empty call is made, each for a slice of time; medians. Printed: by how
many empty calls the remote reading took longer than the local one; medians and quartiles over the rounds.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

from pymeasure.instruments import Instrument

from perf.statistics import quantile, summarize
from perf.trust_bus import run_role, running, serve_questions
from perf.workloads import times_of
from pyrolab.api import Daemon, Proxy, behavior

#: A device that pyvisa-sim brings along.
ADDRESS = "GPIB::8::INSTR"
TARGET = 1.3
_MODULE = "perf.hosted"


class Generator(Instrument):  # type: ignore[misc]  # pymeasure is not typed
    """The function generator of pyvisa-sim, as a PyMeasure user writes it."""

    frequency = Instrument.control("?FREQ", "!FREQ %.2f", """Frequency in Hz.""")

    def __init__(self, adapter: str, name: str = "generator of pyvisa-sim", **kwargs: Any) -> None:
        super().__init__(adapter, name, includeSCPI=False, **kwargs)

    def nothing(self) -> None:
        """An empty call."""


def _made(cls: Callable[..., Any]) -> Any:
    return cls(ADDRESS, visa_library="@sim", read_termination="\n", write_termination="\n")


def _worker(nameserver: str) -> None:
    hosted = type(Generator.__name__, (Generator,), {})
    how = behavior("single", _made, exposure="public", at_start=True)
    serve_questions({}, uri=str(Daemon(nameserver=nameserver).register(how(hosted))))


def measure(rounds: int, slice_s: float) -> list[tuple[float, float, float]]:
    """For each round, medians in µs: local reading, remote reading, empty call."""
    local = _made(Generator)
    found = []
    with running() as bus:
        uri = bus.start(_MODULE, "worker", bus.nameserver).facts["uri"]
        with Proxy(uri) as proxy:
            acts: list[Callable[[], object]] = [
                lambda: local.frequency,
                lambda: proxy.frequency,
                lambda: proxy.nothing(),
            ]
            if acts[0]() != acts[1]():
                raise ValueError("the two do not read the same")
            for number in range(rounds):
                order = (0, 1, 2) if number % 2 == 0 else (2, 1, 0)
                medians = {each: quantile(times_of(acts[each], slice_s, 20), 0.5) / 1e3 for each in order}
                found.append((medians[0], medians[1], medians[2]))
    return found


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m perf.hosted", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--slice", type=float, default=0.5, help="seconds")
    arguments = parser.parse_args()
    rounds = measure(arguments.rounds, arguments.slice)
    names = ("read locally", "read through a proxy", "empty call")
    for name, values in zip(names, zip(*rounds, strict=True), strict=True):
        print(f"{name}: {summarize(values).median:.0f} µs")
    more = summarize([(remote - local) / empty for local, remote, empty in rounds])
    verdict = "reached" if more.median <= TARGET else "missed"
    print(
        f"beyond local: {more.median:.2f} [{more.low:.2f} – {more.high:.2f}] empty calls "
        f"(at most {TARGET}: {verdict})"
    )


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] == "worker":
        run_role({"worker": _worker})
    else:
        main()
