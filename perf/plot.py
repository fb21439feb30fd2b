"""A run as one picture, which says at a glance who is how fast and which targets are reached."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from perf import streams
from perf.bench import CLIENTS, SERVICES
from perf.figures import Point, Run
from perf.report import facts_of, label_of, number
from perf.statistics import Summary, ratio_in, summarize
from perf.systems import BASELINE, SYSTEMS
from perf.targets import OURS, TARGETS, Verdict, outcomes

_COLOURS = {
    "pyrolab": "#d1495b",
    "raw_proxy": "#30638e",
    "raw_direct": "#8fb1cc",
    "pyro5": "#7a9e7e",
    "rpyc": "#c9b458",
    "pyleco": "#9c89b8",
}
_INK, _FAINT, _GOOD, _BAD = "#2b2d33", "#d8dade", "#3f8f5b", "#d1495b"
#: Between two names beside their lines, as a part of the axis.
_LINE_GAP = 0.05
#: Behind text that crosses lines.
_PAPER = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
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


#: How high the rows of panels are, against each other; the last one holds the targets, a line each.
_ROWS = (3, 3, 3.4, 8)


def draw(run: Run, path: Path) -> None:
    """Save the picture of a run as PNG."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(14, 24), dpi=130, layout="constrained")
        places = figure.add_gridspec(len(_ROWS), 2, height_ratios=_ROWS)
        axes = [figure.add_subplot(places[row, column]) for row in range(len(_ROWS) - 1) for column in (0, 1)]
        axes.append(figure.add_subplot(places[-1, :]))
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


def _dots(axis: Axes, run: Run, workload: str, unit: str) -> list[str]:
    """A row for everybody who has a figure: median, quartiles, and the ratio to the baseline's line."""
    contenders = [point.contender for point in run.series if point.workload == workload]
    contenders.sort(key=lambda contender: list(SYSTEMS).index(contender.partition(" ")[0]))
    baseline = _summary(run, workload, BASELINE)
    if baseline is not None:
        axis.axvline(baseline.median, color=_COLOURS[BASELINE], linewidth=1, linestyle=(0, (2, 3)))
    for place, contender in enumerate(contenders):
        series = run.series[Point(workload, contender)]
        median, low, high = summarize(series.rounds)
        ours = contender.startswith(OURS)
        if baseline is not None:
            axis.plot(
                [baseline.median, median], [place, place], color=_colour(contender), alpha=0.35, linewidth=5
            )
        axis.plot([low, high], [place, place], color=_colour(contender), linewidth=2)
        axis.plot(median, place, "o", color=_colour(contender), markersize=11 if ours else 8)
        compared = ratio_in(run, series)
        text = f"{number(median)} {unit}" + (f"  ·  {number(compared.median)}×" if compared else "")
        axis.text(
            1.0, place, text, transform=axis.get_yaxis_transform(), va="center", ha="right",
            weight="bold" if ours else "normal",
        )  # fmt: skip
    axis.set_yticks(range(len(contenders)), [label_of(contender) for contender in contenders])
    axis.set_ylim(len(contenders) - 0.4, -0.8)
    _log_ticks(axis.xaxis, axis.set_xscale)
    axis.grid(axis="x")
    return contenders


def _mark_targets(axis: Axes, run: Run, workload: str, contenders: list[str]) -> None:
    """A tick at each bound, in the row of the contender that it is for."""
    above = True
    for target in TARGETS:
        if target.point.workload != workload or target.point.contender not in contenders:
            continue
        against = _summary(run, workload, target.against.contender) if target.against else None
        if against is None or target.against is None:
            continue
        place, bound = contenders.index(target.point.contender), against.median * target.limit
        axis.plot([bound, bound], [place - 0.3, place + 0.3], color=_INK, linewidth=1.6)
        text = f"{target.bound.value} {target.limit:g}× {label_of(target.against.contender)}"
        where = place - 0.34 if above else place + 0.34
        axis.text(bound, where, text, fontsize=7, ha="center", va="bottom" if above else "top")
        above = not above


def _room_for_text(axis: Axes) -> None:
    """Leave the right third of a logarithmic axis free."""
    low, high = axis.get_xlim()
    axis.set_xlim(low, high * (high / low) ** 0.55)


def _empty(axis: Axes, run: Run) -> None:
    axis.set_title("Empty call, one client: p50, µs (less is better)")
    _mark_targets(axis, run, "empty", _dots(axis, run, "empty", "µs"))
    _room_for_text(axis)


def _pipeline(axis: Axes, run: Run) -> None:
    axis.set_title("Pipelined empty calls: calls/s (more is better)")
    _mark_targets(axis, run, "pipeline", _dots(axis, run, "pipeline", "/s"))
    _room_for_text(axis)


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
    _log_ticks(axis.yaxis, axis.set_yscale)
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
    axis.set_title("Many clients: calls/s together (more is better)")
    _lines(axis, run, "clients", CLIENTS, list(SYSTEMS))
    axis.set_xlabel("clients")


def _services(axis: Axes, run: Run) -> None:
    axis.set_title("Services registered: p50, × that with one")
    ends = {}
    for key in SYSTEMS:
        series = [run.series.get(Point(f"services_{count}", key)) for count in SERVICES]
        ratios = [ratio_in(run, each) for each in series if each is not None]
        found = [each for each in ratios if each is not None]
        if len(found) == len(SERVICES):
            _line(axis, key, SERVICES, found)
            ends[key] = found[-1].median
    limits = [target.limit for target in TARGETS if target.point == Point(f"services_{SERVICES[-1]}", OURS)]
    for limit in limits:
        axis.axhline(limit, color=_BAD, linewidth=1, linestyle=(0, (5, 3)))
        axis.text(SERVICES[0], limit, f"target: ≤ {limit:g}×", va="bottom", fontsize=8)
    axis.axhline(1, color=_FAINT, linewidth=1)
    low, high = axis.get_ylim()
    axis.set_ylim(min(low, 0.8), max(high, 1.3))
    _name_lines(axis, ends)
    _count_axis(axis, SERVICES)
    axis.set_xlabel("services")


def _lines(axis: Axes, run: Run, workload: str, counts: tuple[int, ...], keys: list[str]) -> None:
    ends = {}
    for key in keys:
        found = [_summary(run, f"{workload}_{count}", key) for count in counts]
        known = [each for each in found if each is not None]
        if len(known) == len(counts):
            _line(axis, key, counts, known)
            ends[key] = known[-1].median
    _log_ticks(axis.yaxis, axis.set_yscale)
    _name_lines(axis, ends)
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


def _name_lines(axis: Axes, ends: dict[str, float]) -> None:
    """The name of each line at its right end, apart from the others."""
    scale = math.log if axis.get_yscale() == "log" else float
    low, high = (scale(limit) for limit in axis.get_ylim())
    place = -_LINE_GAP
    for key, end in sorted(ends.items(), key=lambda item: item[1]):
        place = max((scale(end) - low) / (high - low), place + _LINE_GAP)
        weight = "bold" if key == OURS else "normal"
        axis.text(
            0.83,
            place,
            label_of(key),
            transform=axis.transAxes,
            color=_COLOURS[key],
            va="center",
            weight=weight,
        )


def _count_axis(axis: Axes, counts: tuple[int, ...]) -> None:
    axis.set_xscale("log")
    axis.set_xticks(counts, [str(count) for count in counts])
    axis.minorticks_off()
    axis.set_xlim(counts[0] * 0.8, counts[-1] * 3)
    axis.grid(axis="y")


def _streams(axis: Axes, run: Run) -> None:
    """A row for each way in which images come: frames per second, with one subscriber and with four."""
    axis.set_title("Streams of 8 MiB images: frames/s for each (more is better)")
    contenders = list(dict.fromkeys(point.contender for point in run.series if point.workload in _CROWDS))
    for place, contender in enumerate(contenders):
        for workload, (marker, up) in _CROWDS.items():
            found = _summary(run, workload, contender)
            if found is None:
                continue
            colour = _STREAM_COLOURS.get(contender, _colour(contender))
            axis.plot([found.low, found.high], [place - up] * 2, color=colour, linewidth=2)
            axis.plot(found.median, place - up, marker, color=colour, markersize=7)
            axis.text(found.median * 1.15, place - up, number(found.median), fontsize=7, va="center")
    axis.set_yticks(range(len(contenders)), [label_of(contender) for contender in contenders])
    axis.set_ylim(len(contenders) - 0.4, -0.6)
    _log_ticks(axis.xaxis, axis.set_xscale)
    axis.grid(axis="x")
    handles: list[Any] = [axis.plot([], [], marker, color=_INK)[0] for marker, _ in _CROWDS.values()]
    axis.legend(
        handles,
        ["1 subscriber", "4 subscribers"],
        ncols=2,
        fontsize=8,
        loc="lower center",
        bbox_to_anchor=(0.5, -0.2),
    )


#: The markers of one and of four subscribers, and how far above its row each is.
_CROWDS = {streams.ONE: ("o", 0.18), streams.FOUR: ("s", -0.18)}
_STREAM_COLOURS = {
    streams.RAW: _COLOURS["raw_proxy"],
    streams.RAW_PROXY: _COLOURS["raw_direct"],
    streams.IMAGEZMQ: _COLOURS["pyleco"],
}


def _targets(axis: Axes, run: Run) -> None:
    """How far each figure is on the good side of its bound."""
    axis.set_title("Targets: how many times better than asked")
    known = [(each, each.margin) for each in outcomes(run)]
    shown = [(each, margin) for each, margin in known if margin is not None]
    for place, (outcome, margin) in enumerate(shown):
        assert outcome.measured is not None
        colour = _GOOD if outcome.verdict is Verdict.REACHED else _BAD
        axis.plot([1, margin], [place, place], color=colour, linewidth=2.5, solid_capstyle="round")
        axis.plot(margin, place, "o", color=colour, markersize=8)
        target = outcome.target
        text = f"{target.what}: {number(outcome.measured.median)} {target.unit} (asked {target.wanted})"
        axis.text(0.01, place - 0.28, text, transform=axis.get_yaxis_transform(), fontsize=8, bbox=_PAPER)
    axis.axvline(1, color=_INK, linewidth=1)
    axis.set_yticks([])
    axis.set_ylim(len(shown) - 0.5, -0.7)
    _log_ticks(axis.xaxis, axis.set_xscale)
    margins = [margin for _, margin in shown]
    axis.set_xlim(min([0.5, *margins]) / 1.2, max([4.0, *margins]) * 1.2)
    axis.set_xlabel("missed  ←   1×   →  reached")
    axis.grid(axis="x")


def _log_ticks(axis: Any, scale: Callable[[str], None]) -> None:
    """A logarithmic axis whose ticks read 100, 200, 500 rather than powers of ten."""
    scale("log")
    axis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=12))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axis.set_minor_formatter(NullFormatter())


_PANELS: tuple[Callable[[Axes, Run], None], ...] = (
    _empty,
    _pipeline,
    _arrays,
    _clients,
    _services,
    _streams,
    _targets,
)
