"""Many clients at once: a process whose threads each hold a client and call in a closed loop.

Run as `python -m perf.load SYSTEM ADDRESS`; it is asked in lines of JSON for so many clients and seconds, and
answers with the number of calls and how long each took. Clients stay connected from one question to the next.
"""

from __future__ import annotations

import json
import sys
import threading
from queue import SimpleQueue
from time import perf_counter, perf_counter_ns

from perf.children import Child, say
from perf.statistics import quantile
from perf.systems import SYSTEMS
from perf.systems.base import Address, Client, System

#: Clients are spread over so many processes, so that Python's lock in the load is not what is measured.
PROCESSES = 2


class Caller(threading.Thread):
    """A client in a thread of its own, which it keeps for its whole life."""

    def __init__(self, system: type[System], address: Address) -> None:
        super().__init__(daemon=True)
        self._system, self._address = system, address
        #: The seconds of each run that is asked for.
        self.asked: SimpleQueue[float] = SimpleQueue()
        #: The times of all calls of a run, in ns, or what went wrong.
        self.told: SimpleQueue[list[int] | Exception] = SimpleQueue()

    def run(self) -> None:
        """Connect, then call whenever it is asked for."""
        try:
            client = self._system.connect(self._address)
            client.empty()
            self.told.put([])
            while True:
                self.told.put(_closed_loop(client, self.asked.get()))
        except Exception as error:
            self.told.put(error)

    def result(self) -> list[int]:
        """What the last run gave. Raises what went wrong."""
        told = self.told.get()
        if isinstance(told, Exception):
            raise told
        return told


def _closed_loop(client: Client, seconds: float) -> list[int]:
    times = []
    end = perf_counter() + seconds
    while perf_counter() < end:
        start = perf_counter_ns()
        client.empty()
        times.append(perf_counter_ns() - start)
    return times


class Load:
    """The processes that load one system, seen from the harness."""

    def __init__(self, key: str, address: Address) -> None:
        self._children = []
        try:
            for _ in range(PROCESSES):
                self._children.append(Child("perf.load", key, json.dumps(address)))
        except BaseException:
            self.end()
            raise

    def run(self, clients: int, seconds: float) -> tuple[float, float]:
        """Have so many clients call for so long: calls per second of all together, and p50 in µs.

        Raises `RuntimeError` if one of them failed.
        """
        busy = self._children[: min(clients, PROCESSES)]
        for index, child in enumerate(busy):
            child.tell(clients=clients // len(busy) + (index < clients % len(busy)), seconds=seconds)
        answers = [child.answer() for child in busy]
        for answer in answers:
            if "error" in answer:
                raise RuntimeError(answer["error"])
        rate = sum(len(answer["times"]) / answer["seconds"] for answer in answers)
        return rate, quantile([time for answer in answers for time in answer["times"]], 0.5) / 1e3

    def end(self) -> None:
        """End the processes."""
        while self._children:
            self._children.pop().end()


def _answer(callers: list[Caller], seconds: float) -> None:
    start = perf_counter()
    for caller in callers:
        caller.asked.put(seconds)
    times = [time for caller in callers for time in caller.result()]
    say(times=times, seconds=perf_counter() - start)


def _main(key: str, address: Address) -> None:
    system = SYSTEMS[key].load()
    callers: list[Caller] = []
    say()
    for line in sys.stdin:
        question = json.loads(line)
        try:
            while len(callers) < question["clients"]:
                callers.append(Caller(system, address))
                callers[-1].start()
                callers[-1].result()
            _answer(callers[: question["clients"]], question["seconds"])
        except Exception as error:
            say(error=f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    _main(sys.argv[1], json.loads(sys.argv[2]))
