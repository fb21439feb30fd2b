"""A bus that can be trusted: what happens when processes are killed, lines are cut, or somebody is careless.

Each part has a bus of its own. What it measures stands in one table, a row each; a part that fails is noted
as not measured, with its reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from perf import trust_bus
from perf.figures import Point, Run, Series, Unit
from perf.rounds import Effort, Trial, interleave
from perf.statistics import quantile
from perf.trust_cut import CLIENTS as CUT_CLIENTS
from perf.trust_cut import CUT_S, Cutting
from perf.trust_ends import bereaved, cut_off, killed
from perf.trust_flood import PAUSE_S, TIMES, WORK_S, Flooding
from perf.trust_memory import CLIENTS, MAX_CLIENTS, SERVICES, filled
from perf.trust_restart import AWAY_S, PROXIES, WORKERS, Restarting
from perf.trust_stop import IMAGE_MIB, VIEWERS, Stopping
from perf.trust_stop import SERVICES as STOPPED

TITLE = "A bus that can be trusted"
#: The columns: everything that was measured, and what only some have.
EACH, P99, WORST = "trust", "trust_p99", "trust_worst"

STOP = f"emergency stop: {STOPPED} busy services, the last stop hook begun"
IMAGES = f"  {IMAGE_MIB} MiB images that {VIEWERS} clients fetched meanwhile"
IDLE = "a polite client, beside another one"
FLOODED = "a polite client, beside a flood"
FLOOD, REFUSED = "  the flood: calls sent, × its share", "  the flood: part that was refused"
RESTARTED = f"broker killed and restarted: {WORKERS} workers, {PROXIES} proxies served again"
KILLED = "worker killed: its callers know"
CUT_OFF = "worker's line cut silently: its callers know"
BEREAVED = "owner of a reservation killed: the next in line has it"
MEMORY_ALONE = "broker's memory, alone"
MEMORY = f"broker's memory, {CLIENTS} clients and {SERVICES} services"
SENT = f"{CUT_S:g} s cut: moves that {CUT_CLIENTS} clients asked for in it"
EXECUTED = "  of them carried out, all in all"
LATE = f"{CUT_S:g} s cut: late executions"
FRESH, FALSE = "fresh calls", "fresh calls: refused"

_SETUPS = {
    "Emergency stop": "each run is one stop of all services; the time is from the call of `emergency_stop` "
    "in a client's process to the first line of the last stop hook",
    "Flood": f"an instrument that takes one call of {WORK_S * 1e3:g} ms at a time, and two clients of it. A "
    f"polite one waits for its answer, and then for {PAUSE_S * 1e3:g} ms. Idle: both are polite. Flood: the "
    f"other one sends calls that nobody waits for, {TIMES} times as many as half of what the instrument does",
    "Broker restarted": f"killed, away for {AWAY_S:g} s, then at the same port with the same file; the time "
    "of each proxy is from when the broker listens to the first call that is answered",
    "Cuts": "a process that carries the connections is suspended: nobody is told, and what is on its way "
    "arrives when it is resumed. Late is what runs more than 5 s after it was asked for, or after its caller "
    "was told that it had failed; what runs twice, or was refused, counts as well",
}


@dataclass(frozen=True, slots=True)
class Extent:
    """How often each thing is done."""

    stops: int
    kills: int
    #: Of what takes seconds each time.
    slow: int
    fresh_calls: int
    flood: Effort

    @classmethod
    def of(cls, effort: Effort) -> Extent:
        """As often as the issue asks for, in a hundred rounds; else less."""
        rounds = effort.rounds
        flood = Effort(max(rounds // 8, 1), effort.slice_s, effort.budget_s)
        return cls(rounds, max(rounds // 5, 2), max(rounds // 30, 1), rounds * 100, flood)


def measure(run: Run, say: Callable[[str], None], effort: Effort) -> None:
    """Do all parts."""
    extent = Extent.of(effort)
    run.setups.update(_SETUPS)
    for title, part in _PARTS.items():
        say(title)
        try:
            part(run, extent)
        except Exception as error:
            run.absent[title] = f"{type(error).__name__}: {error}"


def _note(run: Run, what: str, unit: Unit, figures: Sequence[float]) -> None:
    """All figures of a row and, where there is more than one, the worst."""
    run.add(Series(Point(EACH, what), unit, tuple(figures)))
    if len(figures) > 1:
        run.add(Series(Point(WORST, what), unit, (max(figures),)))


# -- the parts -------------------------------------------------------------------------------------------


def _stop(run: Run, extent: Extent) -> None:
    with trust_bus.running() as bus:
        stopping = Stopping(bus)
        times, rate = stopping.run(extent.stops)
        stopping.close()
    _note(run, STOP, Unit.MILLISECONDS, times)
    run.add(Series(Point(P99, STOP), Unit.MILLISECONDS, (quantile(times, 0.99),)))
    _note(run, IMAGES, Unit.MEGABYTES_PER_SECOND, [rate])


def _flood(run: Run, extent: Extent) -> None:
    seconds = extent.flood.slice_s
    with trust_bus.running() as bus:
        flooding = Flooding(bus)
        trials = [
            Trial(IDLE, lambda: _calm(flooding.idle(seconds))),
            Trial(FLOODED, lambda: _stormy(flooding.flooded(seconds))),
        ]
        figures, failed = interleave(trials, extent.flood)
    for point, rounds in figures.items():
        unit = {FLOOD: Unit.TIMES, REFUSED: Unit.PERCENT}.get(point.contender, Unit.MILLISECONDS)
        against = Point(point.workload, IDLE) if point.contender in (IDLE, FLOODED) else None
        run.add(Series(point, unit, tuple(rounds), against))
    run.absent.update(failed)


def _calm(found: tuple[float, float]) -> Mapping[Point, float]:
    return {Point(EACH, IDLE): found[0], Point(P99, IDLE): found[1]}


def _stormy(found: tuple[float, float, float, float]) -> Mapping[Point, float]:
    middle, slow, times, refused = found
    return {
        Point(EACH, FLOODED): middle,
        Point(P99, FLOODED): slow,
        Point(EACH, FLOOD): times,
        Point(EACH, REFUSED): refused * 100,
    }


def _restart(run: Run, extent: Extent) -> None:
    with trust_bus.running() as bus:
        restarting = Restarting(bus)
        times = [each for _ in range(extent.slow) for each in restarting.run()]
    _note(run, RESTARTED, Unit.SECONDS, times)


def _ends(run: Run, extent: Extent) -> None:
    with trust_bus.running() as bus:
        _note(run, KILLED, Unit.MILLISECONDS, [t for _ in range(extent.kills) for t in killed(bus)])
        _note(run, CUT_OFF, Unit.SECONDS, [t for _ in range(extent.slow) for t in cut_off(bus)])
        _note(run, BEREAVED, Unit.SECONDS, [t for _ in range(extent.slow) for t in bereaved(bus)])


def _memory(run: Run, extent: Extent) -> None:
    with trust_bus.running(max_clients=MAX_CLIENTS) as bus:
        alone, full = filled(bus)
    _note(run, MEMORY_ALONE, Unit.MEBIBYTES, [alone])
    _note(run, MEMORY, Unit.MEBIBYTES, [full])


def _cut(run: Run, extent: Extent) -> None:
    with trust_bus.running() as bus:
        cutting = Cutting(bus)
        refused = cutting.false_refusals(extent.fresh_calls)
        found = cutting.cut()
    figures = {SENT: found.moves, EXECUTED: found.executed, LATE: found.late}
    for what, figure in {**figures, FRESH: extent.fresh_calls, FALSE: refused}.items():
        _note(run, what, Unit.CALLS, [figure])


_PARTS: dict[str, Callable[[Run, Extent], None]] = {
    "emergency stop": _stop,
    "a flood": _flood,
    "the broker restarted": _restart,
    "workers and owners killed": _ends,
    "memory of the broker": _memory,
    "a silent cut": _cut,
}
