"""What a proxy does beyond a plain call: properties, generators, threads, asyncio, and its first call.

All contenders of one workload are ways to use one running bus, so each ratio is of PyroLab against itself.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from time import perf_counter, perf_counter_ns

from perf.children import end_with_parent, say
from perf.figures import Point, Unit
from perf.rounds import Trial
from perf.statistics import quantile
from perf.systems.base import Address
from perf.systems.pyrolab_bus import CREDIT, PyroLabBus
from perf.workloads import DEPTH, times_of
from pyrolab.api import AsyncProxy, Daemon, Proxy, behavior, expose, locate_ns

THREADS = 64
MEMBERS = 500
_ITEMS = 5000
#: Under which the service of these workloads is found by name.
_NAME = "members"

#: A thread's slice, in slices of one contender: starting so many takes a while.
_LONGER = 4
#: What a slice has at least, of things that take long.
_LEAST = 5

LATENCY, COLD, SHARED, SHARED_EAGER, ITEMS, LEARN, FLIGHT = (
    f"proxy_{name}" for name in ("latency", "cold", "threads", "threads_eager", "items", "learn", "flight")
)
EMPTY = "empty call"
PROPERTY, SUB_OBJECT = "property", "property of a sub-object"
FIRST_BY_URI, FIRST_BY_NAME = "first call of a new proxy", "the same, by name"
ONE_PROXY, OWN_PROXIES = "one proxy", f"{THREADS} proxies"
GENERATOR, CALLS = "a generator", "a call for each"
LEARNING = "connecting, interface included"
ASYNC, FUTURES = "AsyncProxy", "futures"

UNITS = {
    LATENCY: Unit.MICROSECONDS,
    COLD: Unit.MICROSECONDS,
    SHARED: Unit.CALLS_PER_SECOND,
    SHARED_EAGER: Unit.CALLS_PER_SECOND,
    ITEMS: Unit.ITEMS_PER_SECOND,
    LEARN: Unit.MILLISECONDS,
    FLIGHT: Unit.CALLS_PER_SECOND,
}
BASELINES = {
    LATENCY: EMPTY,
    COLD: EMPTY,
    SHARED: OWN_PROXIES,
    SHARED_EAGER: OWN_PROXIES,
    ITEMS: CALLS,
    FLIGHT: FUTURES,
}


def baseline(point: Point) -> Point | None:
    """What a figure is compared with."""
    against = BASELINES.get(point.workload)
    return None if against is None else Point(point.workload, against)


class ProxyBus(PyroLabBus):
    """The bus of the other workloads, with a second worker for what only proxies are asked for."""

    def start(self, services: int = 1) -> Address:
        """Start broker and workers."""
        address = super().start(services)
        self.address = {**address, **self.spawn(address["nameserver"], module=__name__)}
        return self.address


@contextmanager
def running() -> Iterator[Address]:
    """A bus with everything that is measured here."""
    with ProxyBus() as bus:
        yield bus.start()


def groups(address: Address, slice_s: float) -> Iterator[tuple[str, list[Trial]]]:
    """Titles and trials, workload by workload; what they opened is closed when the next is asked for."""
    for title, make in _GROUPS.items():
        proxies: list[Proxy] = []
        try:
            yield title, make(address, slice_s, proxies)
        finally:
            for proxy in proxies:
                proxy._pyroRelease()


def _open(uri: str, proxies: list[Proxy]) -> Proxy:
    proxy = Proxy(uri)
    proxies.append(proxy)
    proxy._pyroBind()
    return proxy


def _trial(workload: str, contender: str, measure: Callable[[], float]) -> Trial:
    return Trial(contender, lambda: {Point(workload, contender): measure()})


def _middle(act: Callable[[], object], slice_s: float) -> float:
    """The median duration of something, in µs."""
    return quantile(times_of(act, slice_s, 10), 0.5) / 1e3


def _latency(address: Address, slice_s: float, proxies: list[Proxy]) -> list[Trial]:
    proxy = _open(address["members_uri"], proxies)
    acts: Mapping[str, Callable[[], object]] = {
        EMPTY: lambda: proxy.empty(),
        PROPERTY: lambda: proxy.level,
        SUB_OBJECT: lambda: proxy.part.level,
    }
    return [_trial(LATENCY, name, partial(_middle, act, slice_s)) for name, act in acts.items()]


def _cold(address: Address, slice_s: float, proxies: list[Proxy]) -> list[Trial]:
    warm = _open(address["members_uri"], proxies)
    by_name = f"PYRONAME:{_NAME}@{address['nameserver']}"
    return [
        _trial(COLD, EMPTY, lambda: _middle(lambda: warm.empty(), slice_s)),
        _trial(COLD, FIRST_BY_URI, lambda: _typical(partial(_first_call, address["members_uri"]), slice_s)),
        _trial(COLD, FIRST_BY_NAME, lambda: _typical(partial(_first_call, by_name), slice_s)),
    ]


def _first_call(uri: str) -> int:
    """How long a new proxy and its first call take, in ns; releasing it is not timed."""
    start = perf_counter_ns()
    proxy = Proxy(uri)
    proxy.empty()
    taken = perf_counter_ns() - start
    proxy._pyroRelease()
    return taken


def _binding(uri: str) -> int:
    """How long a new proxy takes to connect, in ns."""
    proxy = Proxy(uri)
    start = perf_counter_ns()
    proxy._pyroBind()
    taken = perf_counter_ns() - start
    proxy._pyroRelease()
    return taken


def _typical(once: Callable[[], int], slice_s: float) -> float:
    """The median of what `once` says, in µs, for things that time themselves."""
    times: list[int] = []
    end = perf_counter() + slice_s
    while len(times) < _LEAST or perf_counter() < end:
        times.append(once())
    return quantile(times, 0.5) / 1e3


def _threads(
    workload: str, service: str, address: Address, slice_s: float, proxies: list[Proxy]
) -> list[Trial]:
    own = [_open(address[service], proxies) for _ in range(THREADS)]
    shared = [own[0]] * THREADS
    return [
        _trial(workload, OWN_PROXIES, lambda: _together(own, _LONGER * slice_s)),
        _trial(workload, ONE_PROXY, lambda: _together(shared, _LONGER * slice_s)),
    ]


def _together(proxies: Sequence[Proxy], seconds: float) -> float:
    """Calls per second of so many threads, each with the proxy at its place."""
    counts: list[int] = []

    def call(proxy: Proxy) -> None:
        count, end = 0, perf_counter() + seconds
        while perf_counter() < end:
            proxy.empty()
            count += 1
        counts.append(count)

    threads = [threading.Thread(target=call, args=(proxy,)) for proxy in proxies]
    start = perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (perf_counter() - start)


def _items(address: Address, slice_s: float, proxies: list[Proxy]) -> list[Trial]:
    proxy = _open(address["members_uri"], proxies)
    return [
        _trial(ITEMS, CALLS, lambda: 1e6 / _middle(lambda: proxy.empty(), slice_s)),
        _trial(ITEMS, GENERATOR, lambda: _ITEMS * 1e6 / _middle(lambda: list(proxy.count(_ITEMS)), slice_s)),
    ]


def _learning(address: Address, slice_s: float, proxies: list[Proxy]) -> list[Trial]:
    once = partial(_binding, address["large_uri"])
    return [_trial(LEARN, LEARNING, lambda: _typical(once, slice_s) / 1e3)]


def _in_flight(address: Address, slice_s: float, proxies: list[Proxy]) -> list[Trial]:
    uri = address["eager_uri"]
    proxy = _open(uri, proxies)
    return [
        _trial(FLIGHT, FUTURES, lambda: _rate(partial(_futures, proxy), slice_s)),
        _trial(FLIGHT, ASYNC, lambda: asyncio.run(_tasks(uri, slice_s))),
    ]


def _rate(act: Callable[[], object], slice_s: float) -> float:
    calls, start = 0, perf_counter()
    while perf_counter() - start < slice_s or not calls:
        act()
        calls += DEPTH
    return calls / (perf_counter() - start)


def _futures(proxy: Proxy) -> None:
    for future in [proxy.empty.future() for _ in range(DEPTH)]:
        future.result()


async def _tasks(uri: str, slice_s: float) -> float:
    async with AsyncProxy(uri) as proxy:
        await proxy.empty()
        calls, start = 0, perf_counter()
        while perf_counter() - start < slice_s or not calls:
            await asyncio.gather(*(proxy.empty() for _ in range(DEPTH)))
            calls += DEPTH
        return calls / (perf_counter() - start)


_GROUPS: dict[str, Callable[[Address, float, list[Proxy]], list[Trial]]] = {
    "what a proxy does": _latency,
    "a proxy's first call": _cold,
    f"{THREADS} threads": partial(_threads, SHARED, "members_uri"),
    f"{THREADS} threads, credit {CREDIT}": partial(_threads, SHARED_EAGER, "eager_uri"),
    "items of a generator": _items,
    f"an interface of {MEMBERS} members": _learning,
    f"{DEPTH} calls in flight, credit {CREDIT}": _in_flight,
}


# -- the services ----------------------------------------------------------------------------------------


@expose
class Part:
    """A sub-object."""

    @property
    def level(self) -> float:
        """A number."""
        return 1.5


@behavior(instance_mode="single")
@expose
class Members:
    """What proxies are asked for."""

    def empty(self) -> None:
        """Do nothing."""

    @property
    def level(self) -> float:
        """A number."""
        return 1.5

    @property
    def part(self) -> Part:
        """A sub-object."""
        return Part()

    def count(self, to: int) -> Iterator[int]:
        """Numbers below `to`."""
        yield from range(to)


def _measuring(name: str) -> Callable[..., float]:
    """A method of its own: nothing of its description is shared with another's."""

    def measure(self: object, channel: int = 1, gain: float = 1.5, unit: str = "V") -> float:
        return channel * gain

    measure.__name__ = name
    measure.__qualname__ = f"Large.{name}"
    measure.__doc__ = f"Have {name} measure one channel, as often as it takes.\n\nThe result is in `unit`."
    return measure


def _large() -> type:
    """A class with as many methods as a large instrument has."""
    members = {name: _measuring(name) for name in (f"measure_{number:03}" for number in range(MEMBERS))}
    return behavior(instance_mode="single")(expose(type("Large", (), members)))


def _worker(nameserver: str) -> None:
    host, port = nameserver.rsplit(":", 1)
    with Daemon(nameserver=nameserver) as daemon:
        members_uri = daemon.register(Members)
        with locate_ns(host, int(port)) as names:
            names.register(_NAME, members_uri)
        say(members_uri=str(members_uri), large_uri=str(daemon.register(_large())))
        daemon.requestLoop()


if __name__ == "__main__":
    end_with_parent()
    _worker(sys.argv[1])
