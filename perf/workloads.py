"""What a client is made to do in one slice of time, and what is counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter, perf_counter_ns

from perf.figures import Unit
from perf.payloads import MIB, image
from perf.statistics import quantile
from perf.systems.base import Client, Pipeline

#: Calls that are under way at a time in a pipeline.
DEPTH = 100
#: Untimed calls at the beginning of each slice, to have caches and processes awake.
_WARM_UP = 3


@dataclass(frozen=True, slots=True)
class Workload:
    """A call that is repeated and timed."""

    key: str
    title: str
    unit: Unit
    #: Makes the call that is repeated.
    prepare: Callable[[Client], Callable[[], object]]
    #: Bytes of payload in one call, if bytes are what counts.
    size: int = 0


def times_of(act: Callable[[], object], slice_s: float, least: int = 1) -> list[int]:
    """Repeat a call for `slice_s`, at least `least` times; how long each took, in ns."""
    for _ in range(_WARM_UP if least > 1 else 0):
        act()
    times: list[int] = []
    end = perf_counter() + slice_s
    while len(times) < least or perf_counter() < end:
        start = perf_counter_ns()
        act()
        times.append(perf_counter_ns() - start)
    return times


def latency(workload: Workload, client: Client, slice_s: float) -> Callable[[], Mapping[str, float]]:
    """A slice that gives the median and the slowest percent of a call, in µs."""
    act = workload.prepare(client)

    def measure() -> Mapping[str, float]:
        times = times_of(act, slice_s, 10)
        return {workload.key: quantile(times, 0.5) / 1e3, f"{workload.key}_p99": quantile(times, 0.99) / 1e3}

    return measure


def throughput(workload: Workload, client: Client, slice_s: float) -> Callable[[], Mapping[str, float]]:
    """A slice that gives MB/s (10**6 bytes), from the median duration of a call."""
    act = workload.prepare(client)

    def measure() -> Mapping[str, float]:
        return {workload.key: workload.size * 1e3 / quantile(times_of(act, slice_s), 0.5)}

    return measure


def pipelined(pipeline: Pipeline, slice_s: float) -> float:
    """Calls per second, `DEPTH` at a time."""
    calls, start = 0, perf_counter()
    while (elapsed := perf_counter() - start) < slice_s or not calls:
        pipeline(DEPTH)
        calls += DEPTH
    return calls / elapsed


def _fetch(size: int) -> Callable[[Client], Callable[[], object]]:
    return lambda client: lambda: client.fetch(size)


def _store(size: int) -> Callable[[Client], Callable[[], object]]:
    data = image(size)
    return lambda client: lambda: client.store(data)


EMPTY = Workload("empty", "empty call, p50", Unit.MICROSECONDS, lambda client: client.empty)
SMALL = (
    EMPTY,
    Workload("arguments", "10 small arguments, p50", Unit.MICROSECONDS, lambda client: client.ten_arguments),
)


def arrays() -> list[Workload]:
    """Images of 1 MiB and 8 MiB, returned and sent."""
    sizes = (1, 8)
    returned = [
        Workload(f"fetch_{n}", f"{n} MiB returned", Unit.MEGABYTES_PER_SECOND, _fetch(n * MIB), n * MIB)
        for n in sizes
    ]
    sent = [
        Workload(f"store_{n}", f"{n} MiB sent", Unit.MEGABYTES_PER_SECOND, _store(n * MIB), n * MIB)
        for n in sizes
    ]
    return returned + sent
