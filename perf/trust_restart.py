"""The broker is killed and started again: after it listens, how soon every proxy is served as before.

The proxies are spread over all workers and look for them by name, and each goes on calling all the while.
"""

from __future__ import annotations

import time
from threading import Thread

from perf.trust_bus import PATIENCE_S, Bus, ask_all, run_role, serve_questions, until
from pyrolab.api import Daemon, Proxy, expose, locate_ns
from pyrolab.errors import PyroError

WORKERS, PROXIES, PROCESSES = 20, 50, 2
#: How long it is away: so long that everybody has got tired of looking for it often.
AWAY_S = 3.0
_PAUSE_S = 0.05


class Restarting:
    """Workers, and clients of all of them."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._workers = bus.start_many(WORKERS, __name__, "worker", bus.nameserver)
        self._clients = bus.start_many(PROCESSES, __name__, "clients", bus.nameserver)
        self._wait_for_all(time.monotonic())

    def run(self) -> list[float]:
        """Once: after how many s each proxy has been served."""
        sessions = self._sessions()
        self._bus.kill_broker()
        time.sleep(AWAY_S)
        listens = self._bus.restart_broker()
        found = self._wait_for_all(listens)
        if sessions & self._sessions():
            raise RuntimeError("a worker still has a session of the broker that was killed")
        return [when - listens for when in found]

    def _sessions(self) -> set[int]:
        return {answer["session"] for answer in ask_all(self._workers, what="session")}

    def _wait_for_all(self, since: float) -> list[float]:
        found: list[float] = []

        def all_served() -> bool:
            answers = ask_all(self._clients, what="served", since=since)
            found[:] = [when for answer in answers for when in answer["served"]]
            return len(found) == PROXIES

        until(all_served, "every proxy is served", PATIENCE_S)
        return found


# -- workers and clients ---------------------------------------------------------------------------------


@expose
class Stage:
    """Does not move."""

    def position(self) -> float:
        """Where it is."""
        return 1.5


def _worker(nameserver: str, place: str) -> None:
    daemon = Daemon(nameserver=nameserver)
    uri = daemon.register(Stage())
    with locate_ns(nameserver) as names:
        names.register(f"stage{place}", uri)
    serve_questions({"session": lambda: daemon.session})


class _Caller(Thread):
    """Calls one stage again and again, whatever happens."""

    def __init__(self, uri: str) -> None:
        super().__init__(daemon=True)
        self._proxy = Proxy(uri)
        #: When a call has been answered.
        self.served: list[float] = []

    def run(self) -> None:
        while True:
            try:
                self._proxy.position()
            except PyroError:
                pass
            else:
                self.served.append(time.monotonic())
            time.sleep(_PAUSE_S)


def _clients(nameserver: str, place: str) -> None:
    numbers = range(int(place), PROXIES, PROCESSES)
    callers = [_Caller(f"PYRONAME:stage{number % WORKERS}@{nameserver}") for number in numbers]
    for caller in callers:
        caller.start()

    def served(since: float) -> list[float]:
        firsts = (next((when for when in caller.served if when > since), None) for caller in callers)
        return [when for when in firsts if when is not None]

    serve_questions({"served": served})


if __name__ == "__main__":
    run_role({"worker": _worker, "clients": _clients})
