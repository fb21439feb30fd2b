"""A run as tables: for a terminal by rich, and as Markdown."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console
from rich.table import Table

from perf import proxies, streams, trust
from perf.bench import CLIENTS, SERVICES, plural
from perf.figures import Point, Run, Series
from perf.imports import IMPORT, LOADED
from perf.load import PROCESSES
from perf.statistics import ratio_in, summarize
from perf.systems import BASELINE, SYSTEMS
from perf.systems.pyrolab_bus import CREDIT
from perf.targets import OURS, Outcome, Verdict, outcomes
from perf.workloads import DEPTH


@dataclass(frozen=True, slots=True)
class Layout:
    """Which figures stand in one table, a workload in each column."""

    title: str
    columns: dict[str, str]
    note: str


@dataclass(frozen=True, slots=True)
class Grid:
    """A table, filled in."""

    title: str
    note: str
    head: list[str]
    rows: list[list[str]]


#: Between a figure and its ratio.
_RATIO = " · "
_OF_RAW = f"× is against {SYSTEMS[BASELINE].label} in the same rounds"
LAYOUTS = (
    Layout(
        "One call at a time",
        {
            "empty": "empty, p50",
            "empty_p99": "empty, p99",
            "arguments": "10 arguments, p50",
            "arguments_p99": "10 arguments, p99",
        },
        f"One client, sequential. {_OF_RAW}.",
    ),
    Layout(
        "Arrays (uint16)",
        {
            "fetch_1": "1 MiB returned",
            "fetch_8": "8 MiB returned",
            "store_1": "1 MiB sent",
            "store_8": "8 MiB sent",
        },
        f"1 MB is 10⁶ bytes. Bare sockets with copy=False on all ends. {_OF_RAW}.",
    ),
    Layout(
        "Pipelined calls",
        {"pipeline": "calls per second"},
        f"One client, {DEPTH} empty calls under way at a time; Pyro5 also one after the other. {_OF_RAW}.",
    ),
    Layout(
        "Many clients, all together",
        {f"clients_{count}": plural(count, "client") for count in CLIENTS},
        f"Clients are threads of {PROCESSES} processes (one process for one client). {_OF_RAW}.",
    ),
    Layout(
        "Many clients, p50 of one call",
        {f"clients_{count}_p50": plural(count, "client") for count in CLIENTS},
        f"The same runs. {_OF_RAW}.",
    ),
    Layout(
        "Services registered, p50 of an empty call",
        {f"services_{count}": plural(count, "service") for count in SERVICES},
        "× is against the same system with one service in the same rounds.",
    ),
    Layout(
        "What a proxy does, p50",
        {proxies.LATENCY: "", proxies.COLD: "the first call"},
        "Ways to use one bus; × is against an empty call in the same rounds.",
    ),
    Layout(
        f"{proxies.THREADS} threads",
        {proxies.SHARED: "calls/s, all together", proxies.SHARED_EAGER: f"the same, credit {CREDIT}"},
        "× is against a proxy for each thread. A service without credit is the limit itself.",
    ),
    Layout("Items", {proxies.ITEMS: "items per second"}, "× is against a call for each item."),
    Layout(
        f"Interface of {proxies.MEMBERS} members",
        {proxies.LEARN: "until it is known"},
        "From nothing to a connected proxy that knows all signatures and docstrings.",
    ),
    Layout(
        f"{DEPTH} calls in flight",
        {proxies.FLIGHT: "calls per second"},
        "One service that takes many calls at a time; × is against futures of a plain proxy.",
    ),
    Layout(
        "Importing",
        {IMPORT: "time", LOADED: "of zmq, numpy, pydantic, typer loaded"},
        "A fresh interpreter's wall time, less that of one that imports nothing.",
    ),
    Layout(
        "Streams of images (8 MiB, uint16), frames/s",
        {streams.ONE: "1 subscriber", streams.FOUR: "4 subscribers, each"},
        f"× is against {streams.RAW} in the same rounds; of what is relayed, against {streams.RAW_PROXY}.",
    ),
    Layout(
        f"While a subscriber sleeps {streams.DOZE_S:g} s with each frame",
        {streams.BESIDE: f"frames/s of {streams.OTHERS} others, each"},
        "× is against the same without it.",
    ),
    Layout(
        "What a frame costs its publisher",
        {streams.COST: "beyond the work on its pixels, p50"},
        "One subscriber, in shared memory. The same work on an ordinary array is subtracted, frame by frame.",
    ),
    Layout(
        "Recorded to HDF5, uncompressed",
        {streams.RECORD: "frames/s"},
        f"A stream in shared memory; × is against {streams.H5PY}: one process, no stream.",
    ),
    Layout("Small values", {streams.VALUES: "values/s"}, f"A float each. × is against {streams.RAW}."),
    Layout(
        "Memory over many frames, none of which is lost",
        {streams.FIRST: "first half", streams.GROWN: "second half: more by"},
        "Resident sets with what is shared: the most in the second half, beyond the most in the first half.",
    ),
    Layout(
        trust.TITLE,
        {trust.EACH: "median", trust.P99: "p99", trust.WORST: "slowest of all"},
        "Processes are killed, lines cut and services flooded. × is against the same client without a flood.",
    ),
)


def label_of(contender: str) -> str:
    """A contender as people know it: `pyro5 batch` is Pyro5 (batch)."""
    key, _, way = contender.partition(" ")
    if key not in SYSTEMS:
        return contender
    return f"{SYSTEMS[key].label} ({way})" if way else SYSTEMS[key].label


def number(value: float) -> str:
    """Three digits, or all digits before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def cell(run: Run, series: Series | None) -> str:
    """A median with its spread, and its ratio."""
    if series is None:
        return "–"
    summary = summarize(series.rounds)
    text = f"{number(summary.median)} {series.unit.value}"
    if summary.spread:
        text += f" ±{summary.spread:.0%}"
    compared = ratio_in(run, series)
    return text if compared is None else f"{text}{_RATIO}{number(compared.median)}×"


def grids(run: Run) -> list[Grid]:
    """The tables for which this run has figures."""
    return [grid for layout in LAYOUTS if (grid := _grid(run, layout)).rows]


def _grid(run: Run, layout: Layout) -> Grid:
    columns = {workload: title for workload, title in layout.columns.items() if _measured(run, workload)}
    contenders = dict.fromkeys(point.contender for point in run.series if point.workload in columns)
    ordered = sorted(contenders, key=_place)
    rows = [
        [
            label_of(who),
            *(cell(run, run.series.get(Point(workload, who))) for workload in columns),
        ]
        for who in ordered
    ]
    return Grid(layout.title, layout.note, ["", *columns.values()], rows)


def _measured(run: Run, workload: str) -> bool:
    return any(point.workload == workload for point in run.series)


def _place(contender: str) -> int:
    """The order of the systems; what is none of them stays where it is, behind them."""
    keys = list(SYSTEMS)
    key = contender.partition(" ")[0]
    return keys.index(key) if key in keys else len(keys)


def target_grid(run: Run) -> Grid:
    """What was to be reached, and what came of it."""
    rows = [
        [each.target.what, each.target.wanted, _found(each), each.verdict.value]
        for each in outcomes(run)
        if each.verdict is not Verdict.UNKNOWN
    ]
    return Grid(
        "Targets", "Medians of the rounds; quartiles in brackets.", ["", "to reach", "measured", ""], rows
    )


def _found(outcome: Outcome) -> str:
    assert outcome.measured is not None
    median, low, high = (number(value) for value in outcome.measured)
    spread = f" [{low} – {high}]" if low != high else ""
    return f"{median} {outcome.target.unit}{spread}"


def facts_of(run: Run) -> str:
    """The machine in one line."""
    machine = run.machine
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items() if version)
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}, {machine['python']}, "
        f"libzmq {machine['libzmq']}; {versions}; load before the run {machine['load_before']}"
    )


_COLOURS = {Verdict.REACHED.value: "green", Verdict.MISSED.value: "red"}


def show(run: Run, console: Console) -> None:
    """Print all tables."""
    console.print(facts_of(run), style="dim", highlight=False)
    for grid in [*grids(run), target_grid(run)]:
        if not grid.rows:
            continue
        table = Table(title=grid.title, caption=grid.note, title_justify="left", caption_justify="left")
        for index, head in enumerate(grid.head):
            table.add_column(head, justify="right" if index else "left")
        for row in grid.rows:
            cells = [_coloured(text.replace(_RATIO, "\n")) for text in row]
            table.add_row(*cells, style="bold" if _is_ours(row) else "")
        console.print(table)
    for what, reason in run.absent.items():
        console.print(f"{what}: {reason}", style="yellow", highlight=False)


def _is_ours(row: list[str]) -> bool:
    return row[0].startswith(SYSTEMS[OURS].label)


def _coloured(text: str) -> str:
    escaped = text.replace("[", r"\[")
    return f"[{_COLOURS[text]}]{escaped}[/]" if text in _COLOURS else escaped


def markdown(run: Run) -> str:
    """The run as a page."""
    parts = ["# Figures", facts_of(run) + "."]
    for grid in [target_grid(run), *grids(run)]:
        parts += [f"## {grid.title}", grid.note, _markdown_table(grid)]
    if run.absent:
        parts += ["## Not measured", "\n".join(f"- {what}: {why}" for what, why in run.absent.items())]
    parts += [
        "## How each was set up",
        "\n".join(f"- {name}: {text}." for name, text in run.setups.items()),
    ]
    return "\n\n".join(parts) + "\n"


def _markdown_table(grid: Grid) -> str:
    rule = ["---", *["---:"] * (len(grid.head) - 1)]
    rows = [[f"**{text}**" if _is_ours(row) else text for text in row] for row in grid.rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in [grid.head, rule, *rows])


def write(run: Run, folder: Path, console: Console) -> None:
    """Write figures.json, figures.md and, where matplotlib is installed, figures.png."""
    folder.mkdir(parents=True, exist_ok=True)
    run.save(folder / "figures.json")
    (folder / "figures.md").write_text(markdown(run), encoding="utf-8")
    if find_spec("matplotlib") is None:
        console.print("no plot: matplotlib is not installed", style="yellow")
        return
    from perf.plot import draw  # matplotlib is slow to import, and optional

    draw(run, folder / "figures.png")
