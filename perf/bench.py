"""The groups of workloads, each measured with all its contenders side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from perf import imports, proxies, streams, trust
from perf.figures import Point, Run, Series, Unit
from perf.load import Load
from perf.rounds import Effort, Trial, interleave
from perf.systems import BASELINE, SYSTEMS
from perf.systems.base import Client, Pipeline, System
from perf.workloads import EMPTY, SMALL, Workload, arrays, latency, pipelined, throughput

#: How many clients call at once, and how many services are registered.
CLIENTS = SERVICES = (1, 10, 100)

#: Time for each group: thorough, and just enough to see that everything works.
FULL = {
    "empty": Effort(31, 0.08, 25),
    "arrays": Effort(15, 0.05, 14),
    "pipeline": Effort(21, 0.08, 20),
    "clients": Effort(9, 0.25, 18),
    "services": Effort(31, 0.05, 15),
    "proxies": Effort(21, 0.1, 15),
    "imports": Effort(9, 0, 12),
    "streams": Effort(9, 0.4, 80),
    "trust": Effort(100, 1.5, 60),
}
QUICK = {
    "empty": Effort(3, 0.03, 2),
    "arrays": Effort(1, 0.01, 2),
    "pipeline": Effort(2, 0.02, 2),
    "clients": Effort(1, 0.08, 2),
    "services": Effort(2, 0.02, 2),
    "proxies": Effort(1, 0.02, 2),
    "imports": Effort(1, 0, 2),
    "streams": Effort(1, 0.1, 5),
    "trust": Effort(5, 0.5, 5),
}


def plural(count: int, noun: str) -> str:
    """1 client, 10 clients."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


Baseline = Callable[[Point], Point | None]


@dataclass(frozen=True, slots=True)
class Bench:
    """The systems that take part, running, each with one client, and the run that collects the figures."""

    run: Run
    clients: Mapping[str, Client]
    systems: Mapping[str, System]
    say: Callable[[str], None]

    def measure(
        self, title: str, trials: list[Trial], effort: Effort, units: Mapping[str, Unit], baseline: Baseline
    ) -> Iterable[str]:
        """Interleave the trials and note what came of them. Returns the contenders that failed."""
        self.say(title)
        figures, failed = interleave(trials, effort)
        for point, rounds in figures.items():
            self.run.add(Series(point, units[point.workload], tuple(rounds), baseline(point)))
        for contender, reason in failed.items():
            self.run.absent[f"{title}: {contender}"] = reason
        return failed


def of_baseline(point: Point) -> Point:
    """The same workload, done by the system that is the limit of a brokered design."""
    return Point(point.workload, BASELINE)


def start(keys: Sequence[str], run: Run, stack: ExitStack, say: Callable[[str], None]) -> Bench:
    """Start the systems that are installed; `stack` ends them. Those that can't run are noted as absent."""
    clients: dict[str, Client] = {}
    systems: dict[str, System] = {}
    for key in keys:
        entry = SYSTEMS[key]
        if not entry.installed:
            run.absent[entry.label] = "not installed"
            continue
        say(f"starting {entry.label}")
        try:
            clients[key], systems[key] = _start(entry.load(), stack)
        except Exception as error:
            run.absent[entry.label] = f"did not start: {type(error).__name__}: {error}"
        else:
            run.setups[entry.label] = systems[key].setup
    return Bench(run, clients, systems, say)


def _start(kind: type[System], stack: ExitStack, services: int = 1) -> tuple[Client, System]:
    system = stack.enter_context(kind())
    client = kind.connect(system.start(services))
    stack.callback(client.close)
    client.empty()
    return client, system


# -- the groups ------------------------------------------------------------------------------------------


def empty(bench: Bench, effort: Effort) -> None:
    """One call at a time, by one client: without and with arguments."""
    for workload in SMALL:
        units = {workload.key: workload.unit, f"{workload.key}_p99": workload.unit}
        trials = _trials(bench, workload, latency, effort.slice_s)
        bench.measure(workload.title, trials, effort, units, of_baseline)


def images(bench: Bench, effort: Effort) -> None:
    """Arrays, returned and sent."""
    for workload in arrays():
        trials = _trials(bench, workload, throughput, effort.slice_s)
        bench.measure(workload.title, trials, effort, {workload.key: workload.unit}, of_baseline)


Measuring = Callable[[Workload, Client, float], Callable[[], Mapping[str, float]]]


def _trials(bench: Bench, workload: Workload, measuring: Measuring, slice_s: float) -> list[Trial]:
    return [_trial(key, measuring(workload, client, slice_s)) for key, client in bench.clients.items()]


def _trial(contender: str, measure: Callable[[], Mapping[str, float]]) -> Trial:
    """A trial whose slices give figures by the name of the workload."""
    return Trial(
        contender, lambda: {Point(workload, contender): figure for workload, figure in measure().items()}
    )


def pipeline(bench: Bench, effort: Effort) -> None:
    """Many calls of one client under way at once, in each way that a system has for it."""
    trials = [
        _trial(f"{key} {way}".strip(), partial(_pipelined, act, effort.slice_s))
        for key, client in bench.clients.items()
        for way, act in client.pipelines().items()
    ]
    bench.measure("pipelined calls", trials, effort, {"pipeline": Unit.CALLS_PER_SECOND}, of_baseline)


def _pipelined(act: Pipeline, seconds: float) -> Mapping[str, float]:
    return {"pipeline": pipelined(act, seconds)}


def clients(bench: Bench, effort: Effort) -> None:
    """Many clients at once: threads of a few processes, each thread with a client of its own."""
    with ExitStack() as stack:
        loads = {}
        for key, system in bench.systems.items():
            loads[key] = Load(key, system.address)
            stack.callback(loads[key].end)
        for count in CLIENTS:
            units = {f"clients_{count}": Unit.CALLS_PER_SECOND, f"clients_{count}_p50": Unit.MICROSECONDS}
            trials = [_trial(key, partial(_loaded, load, count, effort)) for key, load in loads.items()]
            for key in bench.measure(plural(count, "client"), trials, effort, units, of_baseline):
                del loads[key]  # who fails with few would only take time with many


def _loaded(load: Load, count: int, effort: Effort) -> Mapping[str, float]:
    rate, middle = load.run(count, effort.slice_s)
    return {f"clients_{count}": rate, f"clients_{count}_p50": middle}


def services(bench: Bench, effort: Effort) -> None:
    """An empty call while many services are registered, against the same with one."""
    bench.say("starting many services")
    with ExitStack() as stack:
        trials = []
        for key in [key for key, system in bench.systems.items() if system.many_services]:
            for count in SERVICES:
                client, _ = _start(SYSTEMS[key].load(), stack, count)
                measure = latency(EMPTY, client, effort.slice_s)
                trials.append(_trial(key, partial(_with_services, measure, count)))
        units = {f"services_{count}": Unit.MICROSECONDS for count in SERVICES}
        bench.measure(
            "services registered", trials, effort, units, lambda point: Point("services_1", point.contender)
        )


def _with_services(measure: Callable[[], Mapping[str, float]], count: int) -> Mapping[str, float]:
    return {f"services_{count}": measure()[EMPTY.key]}


def proxying(bench: Bench, effort: Effort) -> None:
    """What a proxy does beyond a plain call, by ways to use one bus."""
    bench.say("starting a bus for proxies")
    with proxies.running() as address:
        for title, trials in proxies.groups(address, effort.slice_s):
            bench.measure(title, trials, effort, proxies.UNITS, proxies.baseline)


def importing(bench: Bench, effort: Effort) -> None:
    """The time until a name can be used, in a fresh interpreter."""
    baseline = next(reversed(imports.STATEMENTS))
    bench.measure(
        "importing", imports.trials(), effort, imports.UNITS, lambda point: Point(point.workload, baseline)
    )


def streaming(bench: Bench, effort: Effort) -> None:
    """Images that are published once, and come to all who have subscribed."""
    streams.measure(bench.run, bench.say, effort)


def trusting(bench: Bench, effort: Effort) -> None:
    """What happens when something fails, and how soon."""
    trust.measure(bench.run, bench.say, effort)


GROUPS: dict[str, Callable[[Bench, Effort], None]] = {
    "empty": empty,
    "arrays": images,
    "pipeline": pipeline,
    "clients": clients,
    "services": services,
    "proxies": proxying,
    "imports": importing,
    "streams": streaming,
    "trust": trusting,
}
#: Groups that need no running system.
ALONE = frozenset({"proxies", "imports", "streams", "trust"})
