"""The figures to reach, as data, and whether a run reached them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from perf import proxies, streams, trust
from perf.figures import Point, Run
from perf.imports import IMPORT, LOADED
from perf.statistics import Summary, ratio, summarize
from perf.streams_bus import ROW
from perf.systems.pyrolab_bus import CREDIT
from pyrolab_broker.settings import BrokerSettings


class Bound(Enum):
    """Which way a figure may go."""

    AT_MOST = "≤"
    AT_LEAST = "≥"


class Verdict(Enum):
    """What came of a target."""

    REACHED = "reached"
    MISSED = "missed"
    UNKNOWN = "not measured"


@dataclass(frozen=True, slots=True)
class Target:
    """A figure to reach: of one point against another, or of a point alone."""

    what: str
    point: Point
    against: Point | None
    bound: Bound
    limit: float
    unit: str = "×"

    @property
    def wanted(self) -> str:
        """The bound as text."""
        return f"{self.bound.value} {self.limit:g} {self.unit}".rstrip()


OURS = "pyrolab"
#: How long a broker keeps the reservations of those who have gone, as it comes.
GRACE_S = BrokerSettings().grace_s
#: Pipelining is for software; a service says so with its credit. The default for instruments is measured too.
OUR_PIPELINE = f"{OURS} future, credit {CREDIT}"


def _ours(workload: str) -> Point:
    return Point(workload, OURS)


TARGETS = (
    Target(
        "empty brokered call, p50, against raw zmq.proxy",
        _ours("empty"),
        Point("empty", "raw_proxy"),
        Bound.AT_MOST,
        1.35,
    ),
    Target(
        "empty brokered call, p50, against pyleco",
        _ours("empty"),
        Point("empty", "pyleco"),
        Bound.AT_MOST,
        0.85,
    ),
    Target(
        "pipelined calls of one client (credit 64), against Pyro5's sequential calls",
        Point("pipeline", OUR_PIPELINE),
        Point("pipeline", "pyro5 sequential"),
        Bound.AT_LEAST,
        2.5,
    ),
    Target(
        "8 MiB array returned, MB/s, against raw zmq.proxy with copy=False",
        _ours("fetch_8"),
        Point("fetch_8", "raw_proxy"),
        Bound.AT_LEAST,
        0.9,
    ),
    Target(
        "8 MiB array sent, MB/s, against raw zmq.proxy with copy=False",
        _ours("store_8"),
        Point("store_8", "raw_proxy"),
        Bound.AT_LEAST,
        0.9,
    ),
    Target(
        "8 MiB array returned, MB/s, against Pyro5 with the same bytes",
        _ours("fetch_8"),
        Point("fetch_8", "pyro5"),
        Bound.AT_LEAST,
        12,
    ),
    Target(
        "8 MiB array sent, MB/s, against Pyro5 with the same bytes",
        _ours("store_8"),
        Point("store_8", "pyro5"),
        Bound.AT_LEAST,
        12,
    ),
    Target(
        "p50 with 100 services registered, against 1",
        _ours("services_100"),
        _ours("services_1"),
        Bound.AT_MOST,
        1.1,
    ),
    Target(
        "property read, p50, against an empty call",
        Point(proxies.LATENCY, proxies.PROPERTY),
        Point(proxies.LATENCY, proxies.EMPTY),
        Bound.AT_MOST,
        1.05,
    ),
    Target(
        f"{proxies.THREADS} threads with one proxy, calls/s, against a proxy for each",
        Point(proxies.SHARED, proxies.ONE_PROXY),
        Point(proxies.SHARED, proxies.OWN_PROXIES),
        Bound.AT_LEAST,
        0.9,
    ),
    Target(
        f"the same, with a service of credit {CREDIT}",
        Point(proxies.SHARED_EAGER, proxies.ONE_PROXY),
        Point(proxies.SHARED_EAGER, proxies.OWN_PROXIES),
        Bound.AT_LEAST,
        0.9,
    ),
    Target(
        "items of a generator", Point(proxies.ITEMS, proxies.GENERATOR), None, Bound.AT_LEAST, 5000, "items/s"
    ),
    Target(
        "first call of a new proxy, connection and interface included, against an empty call",
        Point(proxies.COLD, proxies.FIRST_BY_URI),
        Point(proxies.COLD, proxies.EMPTY),
        Bound.AT_MOST,
        6,
    ),
    Target(
        "the same, with the service found by name",
        Point(proxies.COLD, proxies.FIRST_BY_NAME),
        Point(proxies.COLD, proxies.EMPTY),
        Bound.AT_MOST,
        6,
    ),
    Target(
        f"interface of {proxies.MEMBERS} members learned",
        Point(proxies.LEARN, proxies.LEARNING),
        None,
        Bound.AT_MOST,
        30,
        "ms",
    ),
    Target(
        "AsyncProxy with 100 calls in flight, calls/s, against futures",
        Point(proxies.FLIGHT, proxies.ASYNC),
        Point(proxies.FLIGHT, proxies.FUTURES),
        Bound.AT_LEAST,
        0.8,
    ),
    Target("import pyrolab.api", Point(IMPORT, "pyrolab.api"), None, Bound.AT_MOST, 120, "ms"),
    Target(
        "zmq, numpy, pydantic, typer loaded by it",
        Point(LOADED, "pyrolab.api"),
        None,
        Bound.AT_MOST,
        0,
        "of them",
    ),
    Target(
        "stream by TCP, 1 subscriber, against raw PUB/SUB with copy=False",
        Point(streams.ONE, streams.DIRECT),
        Point(streams.ONE, streams.RAW),
        Bound.AT_LEAST,
        0.9,
    ),
    Target(
        "stream on one computer, 1 subscriber, against raw PUB/SUB by TCP",
        Point(streams.ONE, streams.SHARED),
        Point(streams.ONE, streams.RAW),
        Bound.AT_LEAST,
        4,
    ),
    Target(
        "the same, 4 subscribers, each",
        Point(streams.FOUR, streams.SHARED),
        Point(streams.FOUR, streams.RAW),
        Bound.AT_LEAST,
        15,
    ),
    Target(
        "stream on one computer, 1 viewer, against imagezmq",
        Point(streams.ONE, streams.SHARED),
        Point(streams.ONE, streams.IMAGEZMQ),
        Bound.AT_LEAST,
        3,
    ),
    Target(
        "the same, 4 viewers, each",
        Point(streams.FOUR, streams.SHARED),
        Point(streams.FOUR, streams.IMAGEZMQ),
        Bound.AT_LEAST,
        10,
    ),
    Target(
        "a frame filled in place: cost beyond the fill",
        Point(streams.COST, ROW),
        None,
        Bound.AT_MOST,
        60,
        "µs",
    ),
    Target(
        "frames of others while a subscriber sleeps 1 s with each (latest)",
        Point(streams.BESIDE, streams.BESIDE_LATEST),
        Point(streams.BESIDE, streams.ALONE),
        Bound.AT_LEAST,
        0.95,
    ),
    Target(
        "the same (queue)",
        Point(streams.BESIDE, streams.BESIDE_QUEUE),
        Point(streams.BESIDE, streams.ALONE),
        Bound.AT_LEAST,
        0.95,
    ),
    Target(
        "10,000 frames: memory grown by, of whoever grew most",
        Point(streams.GROWN, streams.MOST),
        None,
        Bound.AT_MOST,
        8,
        "MiB",
    ),
    Target(
        "recorded to HDF5, against h5py alone",
        Point(streams.RECORD, streams.RECORDER),
        Point(streams.RECORD, streams.H5PY),
        Bound.AT_LEAST,
        0.8,
    ),
    Target(f"{trust.STOP}: p99 of all runs", Point(trust.P99, trust.STOP), None, Bound.AT_MOST, 200, "ms"),
    Target(
        f"{trust.FLOODED}: p99, against the same beside a polite one",
        Point(trust.P99, trust.FLOODED),
        Point(trust.P99, trust.IDLE),
        Bound.AT_MOST,
        3,
    ),
    Target(
        f"{trust.RESTARTED}, after it listens",
        Point(trust.WORST, trust.RESTARTED),
        None,
        Bound.AT_MOST,
        3,
        "s",
    ),
    Target(trust.KILLED, Point(trust.WORST, trust.KILLED), None, Bound.AT_MOST, 100, "ms"),
    Target(trust.CUT_OFF, Point(trust.WORST, trust.CUT_OFF), None, Bound.AT_MOST, 10, "s"),
    Target(trust.BEREAVED, Point(trust.WORST, trust.BEREAVED), None, Bound.AT_MOST, GRACE_S + 1, "s"),
    Target(trust.MEMORY, Point(trust.EACH, trust.MEMORY), None, Bound.AT_MOST, 120, "MiB"),
    Target(trust.LATE, Point(trust.EACH, trust.LATE), None, Bound.AT_MOST, 0, "calls"),
    Target(trust.FALSE, Point(trust.EACH, trust.FALSE), None, Bound.AT_MOST, 0, "calls"),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A target and what was measured."""

    target: Target
    measured: Summary | None

    @property
    def verdict(self) -> Verdict:
        """Whether the median is within the bound."""
        if self.measured is None:
            return Verdict.UNKNOWN
        target = self.target
        within = (
            self.measured.median <= target.limit
            if target.bound is Bound.AT_MOST
            else self.measured.median >= target.limit
        )
        return Verdict.REACHED if within else Verdict.MISSED

    @property
    def margin(self) -> float | None:
        """How many times better than the bound; below 1 is missed. None where there is no such ratio."""
        if self.measured is None or not self.measured.median or not self.target.limit:
            return None
        part = self.measured.median / self.target.limit
        return part if self.target.bound is Bound.AT_LEAST else 1 / part


def outcomes(run: Run) -> list[Outcome]:
    """Every target, with what the run has for it."""
    return [Outcome(target, _measured(run, target)) for target in TARGETS]


def _measured(run: Run, target: Target) -> Summary | None:
    series = run.series.get(target.point)
    if series is None:
        return None
    if target.against is None:
        return summarize(series.rounds)
    baseline = run.series.get(target.against)
    return ratio(series, baseline) if baseline is not None else None
