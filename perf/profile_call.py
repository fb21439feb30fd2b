"""Where the time of one empty brokered call goes: `python -m perf.profile_call`.

Client, broker and worker run in processes of their own, with taps; their moments are then put in one line.
With `--functions`, cProfile says what each process is busy with instead.
"""

from __future__ import annotations

import argparse
from bisect import bisect_left
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise

from rich.console import Console
from rich.table import Table

from perf.children import Child
from perf.statistics import quantile
from perf.systems.base import System
from perf.systems.pyrolab_bus import PyroLabBus
from perf.systems.raw_proxy import RawProxy
from perf.taps import CALL, DONE, SENT, Moment
from perf.workloads import times_of

_ROUNDS, _CALLS = 10, 300
_SLICE_S = 0.15
#: Where a call is known by its moment: (process, what, which of them).
Place = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a call's way, between two moments."""

    who: str
    what: str
    start: Place
    end: Place


def _way() -> tuple[Segment, ...]:
    """The whole way of a call, in order."""
    steps: tuple[tuple[Place, str, str], ...] = (
        (("client", "call", 0), "client", "proxy, encode, number, header"),
        (("client", "send", 0), "hop", "client to broker, with the client's send()"),
        (("broker", "got", 0), "broker", "receive the rest, decide"),
        (("broker", "send", 0), "hop", "broker to worker, until it is awake, with the broker's send()"),
        (("worker", "woke", -1), "worker", "awake, until the first frame is read"),
        (("worker", "got", 0), "worker", "receive the rest, decode, until the method begins"),
        (("worker", "enter", 0), "worker", "the method"),
        (("worker", "leave", 0), "worker", "encode, header"),
        (("worker", "send", 0), "hop", "worker to broker, with the worker's send()"),
        (("broker", "got", 1), "broker", "receive the rest, decide"),
        (("broker", "send", 1), "hop", "broker to client, until it is awake, with the broker's send()"),
        (("client", "woke", -1), "client", "awake, until the first frame is read"),
        (("client", "got", 0), "client", "receive the rest, decode, return"),
        (("client", "done", 0), "", ""),
    )
    return tuple(Segment(who, what, start, end) for (start, who, what), (end, _, _) in pairwise(steps))


WAY = _way()
#: What is within a hop, and runs beside it.
BESIDE = tuple(
    Segment(who, f"in send() to the {whom}", (who, "send", leg), (who, "sent", leg))
    for who, whom, leg in (
        ("client", "broker", 0),
        ("broker", "worker", 0),
        ("worker", "broker", 0),
        ("broker", "client", 1),
    )
)
#: How often each moment comes in one call; another number is another call's, and that call is left out.
_EXPECTED = {
    ("client", "send"): 1,
    ("client", "got"): 1,
    ("broker", "got"): 2,
    ("broker", "send"): 2,
    ("worker", "got"): 1,
    ("worker", "enter"): 1,
    ("worker", "send"): 1,
}

Tapes = dict[str, list[Moment]]


def calls_in(tapes: Tapes) -> list[dict[tuple[str, str], list[int]]]:
    """The moments of each call, by process and kind, of the calls that nothing else fell into."""
    begun = [when for when, what in tapes["client"] if what == CALL]
    ended = [when for when, what in tapes["client"] if what == DONE]
    found = []
    for start, end in zip(begun, ended, strict=True):
        call: dict[tuple[str, str], list[int]] = {}
        for who, moments in tapes.items():
            for when, what in moments[
                bisect_left(moments, (start, "")) : bisect_left(moments, (end + 1, ""))
            ]:
                call.setdefault((who, what), []).append(when)
        if all(len(call.get(place, ())) == number for place, number in _EXPECTED.items()):
            found.append(call)
    return found


def duration(call: dict[tuple[str, str], list[int]], segment: Segment) -> float | None:
    """How long a segment took in one call, in µs; None if one of its moments is missing."""
    start = _moment(call, segment.start)
    end = _moment(call, segment.end, start or 0)
    return None if start is None or end is None else (end - start) / 1e3


def _moment(call: dict[tuple[str, str], list[int]], place: Place, after: int = 0) -> int | None:
    """When a moment was; the end of a sending is the first one after its beginning."""
    who, what, which = place
    whens = [when for when in call.get((who, what), []) if what != SENT or when > after]
    if what == SENT:
        which = 0
    return whens[which] if -len(whens) <= which < len(whens) else None


# -- measuring -------------------------------------------------------------------------------------------


def _children(stack: ExitStack, mode: str) -> dict[str, Child]:
    def start(role: str, *arguments: str) -> Child:
        child = Child("perf.tapped", role, mode, *arguments)
        stack.callback(child.end)
        return child

    broker = start("broker")
    worker = start("worker", broker.facts["nameserver"])
    return {"broker": broker, "worker": worker, "client": start("client", worker.facts["uri"])}


def _tapes(children: dict[str, Child], busy: dict[str, list[float]]) -> Tapes:
    """Have some calls done; their moments, and the processor time that each process spent on one."""
    for who in ("broker", "worker"):
        children[who].ask(clear=True)
    client = children["client"].ask(calls=_CALLS)
    answers = {"client": client, **{who: children[who].ask() for who in ("broker", "worker")}}
    for who, answer in answers.items():
        busy.setdefault(who, []).append(answer["busy_us"] / _CALLS)
    return {who: [(when, what) for when, what in answer["moments"]] for who, answer in answers.items()}


def moments(console: Console) -> None:
    """Measure and print the way of a call, beside untapped calls and the bare proxy."""
    with ExitStack() as stack:
        children = _children(stack, "moments")
        plain: list[System] = [stack.enter_context(RawProxy()), stack.enter_context(PyroLabBus())]
        clients = [system.connect(system.start()) for system in plain]
        for client in clients:
            stack.callback(client.close)
        calls, untapped = [], [[0.0] for _ in clients]
        busy: dict[str, list[float]] = {}
        for _ in range(_ROUNDS):
            calls += calls_in(_tapes(children, busy))
            for times, client in zip(untapped, clients, strict=True):
                times.append(quantile(times_of(client.empty, _SLICE_S, 10), 0.5) / 1e3)
    if not calls:
        raise SystemExit("no call shows the expected moments: the taps no longer fit the code")
    raw, ours = (quantile(times[1:], 0.5) for times in untapped)
    console.print(_table(calls))
    console.print(
        f"{len(calls)} of {_ROUNDS * _CALLS} calls. Untapped, in the same rounds: PyroLab {ours:.0f} µs, "
        f"raw zmq.proxy {raw:.0f} µs; a quarter of the latter is what one hop costs."
    )
    spent = ", ".join(f"{who} {quantile(each, 0.5):.0f} µs" for who, each in busy.items())
    console.print(f"Processor time of a call, all threads, taps included: {spent}.")


def _table(calls: Sequence[dict[tuple[str, str], list[int]]]) -> Table:
    table = Table("", "from … until", title="One empty call, median µs of each stretch", title_justify="left")
    for head in ("p50", "p25", "p75"):
        table.add_column(head, justify="right")
    for segment in WAY:
        table.add_row(segment.who, segment.what, *_quartiles(calls, segment))
    table.add_section()
    for segment in BESIDE:
        table.add_row(segment.who, segment.what, *_quartiles(calls, segment), style="dim")
    table.add_section()
    for who in ("client", "broker", "worker", "hop"):
        table.add_row(who, "together", f"{_together(calls, who):.0f}", style="bold")
    whole = Segment("", "the call", WAY[0].start, WAY[-1].end)
    table.add_row("", "the whole call", *_quartiles(calls, whole), style="bold")
    return table


def _quartiles(calls: Sequence[dict[tuple[str, str], list[int]]], segment: Segment) -> list[str]:
    times = [time for call in calls if (time := duration(call, segment)) is not None]
    return [f"{quantile(times, part):.1f}" if times else "–" for part in (0.5, 0.25, 0.75)]


def _together(calls: Sequence[dict[tuple[str, str], list[int]]], who: str) -> float:
    segments = [segment for segment in WAY if segment.who == who]
    return quantile([sum(duration(call, segment) or 0 for segment in segments) for call in calls], 0.5)


def functions(console: Console, pipelined: bool) -> None:
    """Print where each process spends its time, by function."""
    with ExitStack() as stack:
        children = _children(stack, "functions")
        tables = {"client": children["client"].ask(calls=_CALLS * _ROUNDS, pipelined=pipelined)["table"]}
        for who in ("broker", "worker"):
            tables[who] = children[who].ask()["table"]
    for who, table in tables.items():
        console.rule(who)
        console.print(table, highlight=False, markup=False)


def main(given: Sequence[str] | None = None) -> None:
    """Run it; the arguments of the command line unless others are given."""
    parser = argparse.ArgumentParser(prog="python -m perf.profile_call", description=__doc__)
    parser.add_argument("--functions", action="store_true", help="cProfile instead of moments")
    parser.add_argument("--pipelined", action="store_true", help="with --functions: many calls at a time")
    arguments = parser.parse_args(given)
    console = Console(width=120)
    if arguments.functions:
        functions(console, arguments.pipelined)
    else:
        moments(console)


if __name__ == "__main__":
    main()
