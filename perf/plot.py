"""A run as one picture, which says at a glance who is how fast and which targets are reached."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from perf.bench import CLIENTS, SERVICES
from perf.figures import Point, Run
from perf.report import facts_of, label_of, number
from perf.statistics import Summary, ratio_in, summarize
from perf.systems import SYSTEMS
from perf.targets import OURS, TARGETS, Verdict, outcomes

_COLOURS = {
    "pyrolab": "#d1495b",
    "raw_proxy": "#30638e",
    "raw_direct": "#8fb1cc",
    "pyro5": "#7a9e7e",
    "rpyc": "#c9b458",
    "pyleco": "#9c89b8",
}
_INK, _FAINT, _TARGET = "#2b2d33", "#d8dade", "#d1495b"
_STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.edgecolor": _FAINT,
    "axes.labelcolor": _INK,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "text.color": _INK,
    "grid.color": "#eceef1",
    "legend.frameon": False,
}


def draw(run: Run, path: Path) -> None:
    """Save the picture of a run as PNG."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(14, 12.5), dpi=130, layout="constrained")
        axes = figure.subplots(3, 2).ravel()
        for axis, panel in zip(axes, _PANELS, strict=True):
            axis.set_axisbelow(True)
            panel(axis, run)
            axis.tick_params(length=0)
        figure.suptitle("PyroLab among its relatives, side by side in one run", fontsize=15, weight="bold")
        figure.supxlabel(facts_of(run), fontsize=7.5, color="#8a8d94")
        figure.savefig(path)


def _summary(run: Run, workload: str, contender: str) -> Summary | None:
    series = run.series.get(Point(workload, contender))
    return summarize(series.rounds) if series is not None else None


def _colour(contender: str) -> str:
    return _COLOURS.get(contender.partition(" ")[0], "#a0a4ab")


def _bars(axis: Axes, run: Run, workload: str, unit: str) -> list[str]:
    """Horizontal bars of everybody who has a figure, with the quartiles and the ratio to the baseline."""
    contenders = [point.contender for point in run.series if point.workload == workload]
    contenders.sort(key=lambda contender: list(SYSTEMS).index(contender.partition(" ")[0]))
    for place, contender in enumerate(contenders):
        series = run.series[Point(workload, contender)]
        median, low, high = summarize(series.rounds)
        axis.barh(place, median, height=0.62, color=_colour(contender))
        axis.plot([low, high], [place, place], color=_INK, linewidth=1)
        compared = ratio_in(run, series)
        text = f" {number(median)} {unit}" + (f"   {number(compared.median)}×" if compared else "")
        weight = "bold" if contender.startswith(OURS) else "normal"
        axis.text(max(median, high), place, text, va="center", weight=weight)
    axis.set_yticks(range(len(contenders)), [label_of(contender) for contender in contenders])
    axis.invert_yaxis()
    axis.set_xscale("log")
    axis.grid(axis="x")
    if contenders:
        low_end, high_end = axis.get_xlim()
        axis.set_xlim(low_end / 1.5, high_end * 5)
    return contenders


def _mark_targets(axis: Axes, run: Run, workload: str, contenders: list[str]) -> None:
    """A tick at each bound, on the bar of the contender that it is for."""
    for target in TARGETS:
        if target.point.workload != workload or target.point.contender not in contenders:
            continue
        against = _summary(run, workload, target.against.contender) if target.against else None
        if against is None:
            continue
        place, bound = contenders.index(target.point.contender), against.median * target.limit
        axis.plot([bound, bound], [place - 0.44, place + 0.44], color=_INK, linewidth=1.6)
        axis.annotate(
            f"{target.bound.value} {target.limit:g}× {label_of(target.against.contender)}"
            if target.against
            else "",
            (bound, place - 0.44),
            fontsize=7,
            ha="center",
            va="bottom",
        )


def _empty(axis: Axes, run: Run) -> None:
    axis.set_title("Empty call, one client: p50, µs (less is better)")
    _mark_targets(axis, run, "empty", _bars(axis, run, "empty", "µs"))


def _pipeline(axis: Axes, run: Run) -> None:
    axis.set_title("Pipelined empty calls of one client: calls/s (more is better)")
    _mark_targets(axis, run, "pipeline", _bars(axis, run, "pipeline", "/s"))


def _arrays(axis: Axes, run: Run) -> None:
    axis.set_title("uint16 arrays: MB/s (more is better)")
    columns = {
        "fetch_1": "1 MiB returned",
        "fetch_8": "8 MiB returned",
        "store_1": "1 MiB sent",
        "store_8": "8 MiB sent",
    }
    width = 0.8 / len(SYSTEMS)
    for index, key in enumerate(SYSTEMS):
        found = [(place, _summary(run, workload, key)) for place, workload in enumerate(columns)]
        for place, summary in found:
            if summary is not None:
                where = place + (index - len(SYSTEMS) / 2 + 0.5) * width
                axis.bar(where, summary.median, width * 0.92, color=_COLOURS[key])
                axis.text(where, summary.median * 1.08, number(summary.median), ha="center", fontsize=6.5)
    axis.set_xticks(range(len(columns)), list(columns.values()))
    axis.set_yscale("log")
    axis.grid(axis="y")
    _legend(axis, run, "fetch_8")


def _legend(axis: Axes, run: Run, workload: str) -> None:
    present = [key for key in SYSTEMS if Point(workload, key) in run.series]
    handles: list[Any] = [axis.plot([], [], "s", color=_COLOURS[key])[0] for key in present]
    if handles:
        axis.legend(
            handles, [label_of(key) for key in present], ncols=3, fontsize=8, loc="lower center",
            bbox_to_anchor=(0.5, -0.27),
        )  # fmt: skip


def _clients(axis: Axes, run: Run) -> None:
    axis.set_title("Many clients at once: calls/s of all together (more is better)")
    _lines(axis, run, "clients", CLIENTS, list(SYSTEMS))
    axis.set_yscale("log")
    axis.set_xlabel("clients")


def _services(axis: Axes, run: Run) -> None:
    axis.set_title("Services registered: p50 of an empty call, × that with one service")
    for key in SYSTEMS:
        series = [run.series.get(Point(f"services_{count}", key)) for count in SERVICES]
        ratios = [ratio_in(run, each) for each in series if each is not None]
        found = [each for each in ratios if each is not None]
        if len(found) == len(SERVICES):
            _line(axis, key, SERVICES, found)
    limits = [target.limit for target in TARGETS if target.point == Point(f"services_{SERVICES[-1]}", OURS)]
    for limit in limits:
        axis.axhline(limit, color=_TARGET, linewidth=1, linestyle=(0, (5, 3)))
        axis.text(SERVICES[0], limit, f"target: ≤ {limit:g}×", va="bottom", fontsize=8)
    axis.axhline(1, color=_FAINT, linewidth=1)
    low, high = axis.get_ylim()
    axis.set_ylim(min(low, 0.8), max(high, 1.3))
    _count_axis(axis, SERVICES)
    axis.set_xlabel("services")


def _lines(axis: Axes, run: Run, workload: str, counts: tuple[int, ...], keys: list[str]) -> None:
    for key in keys:
        found = [_summary(run, f"{workload}_{count}", key) for count in counts]
        known = [each for each in found if each is not None]
        if len(known) == len(counts):
            _line(axis, key, counts, known)
    _count_axis(axis, counts)


def _line(axis: Axes, key: str, counts: tuple[int, ...], found: list[Summary]) -> None:
    ours = key == OURS
    medians = [each.median for each in found]
    axis.fill_between(
        counts, [each.low for each in found], [each.high for each in found], color=_COLOURS[key], alpha=0.15
    )
    axis.plot(
        counts, medians, "o-", color=_COLOURS[key], linewidth=2.6 if ours else 1.6, zorder=3 if ours else 2
    )
    axis.annotate(
        f"  {label_of(key)}", (counts[-1], medians[-1]), va="center", color=_COLOURS[key],
        weight="bold" if ours else "normal",
    )  # fmt: skip


def _count_axis(axis: Axes, counts: tuple[int, ...]) -> None:
    axis.set_xscale("log")
    axis.set_xticks(counts, [str(count) for count in counts])
    axis.minorticks_off()
    axis.set_xlim(counts[0] * 0.8, counts[-1] * 3)
    axis.grid(axis="y")


def _targets(axis: Axes, run: Run) -> None:
    """How far each figure is on the good side of its bound."""
    axis.set_title("Targets: how many times better than asked (right of the line: reached)")
    known = [(each, each.margin) for each in outcomes(run)]
    shown = [(each, margin) for each, margin in known if margin is not None]
    for place, (outcome, margin) in enumerate(shown):
        reached = outcome.verdict is Verdict.REACHED
        colour = "#3f8f5b" if reached else _TARGET
        axis.plot([1, margin], [place, place], color=colour, linewidth=2)
        axis.plot(margin, place, "o", color=colour, markersize=7)
        assert outcome.measured is not None
        text = f"{number(outcome.measured.median)} {outcome.target.unit}, asked {outcome.target.wanted}"
        axis.annotate(text, (1, place), xytext=(0, 6), textcoords="offset points", fontsize=7.5)
    axis.axvline(1, color=_INK, linewidth=1)
    axis.set_yticks(range(len(shown)), [_wrapped(each.target.what) for each, _ in shown], fontsize=7.5)
    axis.set_ylim(len(shown) - 0.5, -0.7)
    axis.set_xscale("log")
    axis.grid(axis="x")
    low, high = axis.get_xlim()
    axis.set_xlim(min(low, 0.5), max(high, 4))


def _wrapped(text: str) -> str:
    return text.replace(", against", ",\nagainst").replace("MB/s,\n", "MB/s, ")


_PANELS: tuple[Callable[[Axes, Run], None], ...] = (_empty, _pipeline, _arrays, _clients, _services, _targets)
