"""Somebody ends without a word: how soon those know who wait for them.

A worker's process is killed, or its line is cut silently, while one of its callers is served and others wait
their turn. Or the owner of reservations is killed, and somebody waits for each of them.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from functools import partial
from threading import Event, Thread
from typing import Any, NamedTuple

from perf.children import Child
from perf.trust_bus import Bus, kill, run_role, serve_questions, suspended, until
from pyrolab.api import Daemon, Proxy, expose
from pyrolab.errors import CommunicationError

#: Services of a worker, and callers of each: one is served, the others wait.
SERVICES, CALLERS_EACH = 5, 2
CALLERS = SERVICES * CALLERS_EACH
RESERVED = 10
#: Failures come at a random place between two heartbeats.
_HEARTBEAT_S = 2.0
#: Who waits for a reservation has asked for it by then.
_ASKED_S = 0.5


class Ended(NamedTuple):
    """How a call ended: when, and with which error; the name is empty if it was none."""

    when: float
    error: str


def killed(bus: Bus) -> list[float]:
    """A worker is killed: after how many ms each of its callers knows."""
    worker, callers = _called(bus, bus.nameserver)
    return _known(callers, kill(worker))


def cut_off(bus: Bus) -> list[float]:
    """The line of a worker is cut silently: after how many s each of its callers knows."""
    relay = bus.start("perf.trust_relay", str(bus.port))
    worker, callers = _called(bus, f"127.0.0.1:{relay.facts['port']}")
    time.sleep(random.uniform(0, _HEARTBEAT_S))
    start = time.monotonic()
    with suspended(relay):
        found = [each / 1e3 for each in _known(callers, start)]
    worker.end()
    return found


def _called(bus: Bus, nameserver: str) -> tuple[Child, Child]:
    """A worker whose services are all busy, and have more to do; and its callers."""
    worker = bus.start(__name__, "worker", nameserver, str(SERVICES))
    callers = bus.start(__name__, "callers", *_direct(bus, worker))
    until(lambda: _waiting(bus, worker) == (SERVICES, CALLERS - SERVICES), "some calls run, the others wait")
    return worker, callers


def _direct(bus: Bus, worker: Child) -> list[str]:
    """The URIs of a worker's services, at the broker itself: callers have a line of their own."""
    return [f"{uri.partition('@')[0]}@{bus.nameserver}" for uri in worker.facts["uris"]]


def _waiting(bus: Bus, worker: Child) -> tuple[int, int]:
    """How many calls a worker's services are busy with, and how many wait for them."""
    with bus.names() as names:
        found = names.load()["services"]
    loads = [found[uri.partition(":")[2].partition("@")[0]] for uri in worker.facts["uris"]]
    return sum(each["in_flight"] for each in loads), sum(each["queued"] for each in loads)


def _known(callers: Child, start: float) -> list[float]:
    """After how many ms each of the callers knew. Raises `RuntimeError` if one was told something else."""
    ended = [Ended(*each) for each in callers.ask(what="ended")["ended"]]
    callers.end()
    errors = sorted(each.error for each in ended)
    if errors.count("OutcomeUnknown") != SERVICES or errors.count("ServiceGone") != CALLERS - SERVICES:
        raise RuntimeError(f"the callers were told: {', '.join(error or 'all is well' for error in errors)}")
    return [(each.when - start) * 1e3 for each in ended]


def bereaved(bus: Bus) -> list[float]:
    """The owner of reservations is killed: after how many s each next in line has one."""
    worker = bus.start(__name__, "worker", bus.nameserver, str(RESERVED))
    owner = bus.start(__name__, "owner", *worker.facts["uris"])
    waiting = bus.start(__name__, "next", *worker.facts["uris"])
    time.sleep(_ASKED_S + random.uniform(0, _HEARTBEAT_S))
    start = kill(owner)
    granted: list[float] = waiting.ask(what="granted")["granted"]
    waiting.end()
    worker.end()
    if min(granted) < start:
        raise RuntimeError("somebody was granted what another one had reserved")
    return [when - start for when in granted]


# -- workers and callers ---------------------------------------------------------------------------------


@expose
class Patient:
    """Is busy for as long as anybody could wait."""

    def hold(self) -> None:
        """Take for ever."""
        Event().wait()


def _worker(nameserver: str, count: str) -> None:
    daemon = Daemon(nameserver=nameserver)
    uris = [str(daemon.register(Patient())) for _ in range(int(count))]
    serve_questions({}, uris=uris)


def _in_threads(acts: Sequence[Callable[[], Any]]) -> Callable[[], list[Any]]:
    """Begin all of these; returns what waits for what they return."""
    found: list[Any] = []
    threads = [Thread(target=lambda act: found.append(act()), args=(act,), daemon=True) for act in acts]
    for thread in threads:
        thread.start()

    def results() -> list[Any]:
        for thread in threads:
            thread.join()
        return found

    return results


def _hold(proxy: Proxy) -> Ended:
    try:
        proxy.hold()
    except CommunicationError as error:
        return Ended(time.monotonic(), type(error).__name__)
    return Ended(time.monotonic(), "")


def _callers(*uris: str) -> None:
    acts = [partial(_hold, Proxy(uri)) for uri in uris for _ in range(CALLERS_EACH)]
    serve_questions({"ended": _in_threads(acts)})


def _owner(*uris: str) -> None:
    reservations = [Proxy(uri).reserve(user="owner", wait=0) for uri in uris]
    serve_questions({"reserved": lambda: len(reservations)})


def _reserve(proxy: Proxy) -> float:
    proxy.reserve(user="next", wait=60)
    return time.monotonic()


def _next(*uris: str) -> None:
    proxies = [Proxy(uri) for uri in uris]
    serve_questions({"granted": _in_threads([partial(_reserve, proxy) for proxy in proxies])})


if __name__ == "__main__":
    run_role({"worker": _worker, "callers": _callers, "owner": _owner, "next": _next})
