"""A polite client beside a flood, against the same client beside another polite one.

The service is an instrument: one call at a time, `WORK_S` each. Two clients use it, so the share of each is
half of what it does. The polite ones wait for each answer, and then for a while. The flood sends calls
without waiting for answers, `TIMES` as many as its share would be if nothing but the work took time.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from threading import Event, Thread
from typing import Any

from perf.statistics import quantile
from perf.trust_bus import Bus, run_role, serve_questions, until
from pyrolab.api import Daemon, Proxy, expose, oneway

WORK_S = 0.002
PAUSE_S = 2 * WORK_S
TIMES = 10
#: Of a service that takes no time but for its work.
SHARE = 1 / WORK_S / 2
_NAME = "instrument"
#: The flood has filled the queue by then.
_LEAD_S = 0.5
_BEAT_S = 0.002


class Flooding:
    """The service, two polite clients, and one that is not."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._worker = bus.start(__name__, "worker", bus.nameserver)
        uri = self._worker.facts["uri"]
        self._polite, self._other = bus.start_many(2, __name__, "polite", uri)
        self._flood = bus.start(__name__, "flood", uri)

    def idle(self, seconds: float) -> tuple[float, float]:
        """p50 and p99 of the polite client, in ms, beside another one."""
        self._other.tell(what="call", seconds=seconds)
        found = self._measure(seconds)
        self._other.answer()
        return found

    def flooded(self, seconds: float) -> tuple[float, float, float, float]:
        """The same beside the flood; and how many times its share that sent, and the part that was refused.

        Raises `RuntimeError` if it was no flood.
        """
        self._flood.ask(what="begin")
        time.sleep(_LEAD_S)
        done, refused = self._done(), self._load()["refused"]
        sent, start = self._flood.ask(what="sent")["sent"], time.monotonic()
        found = self._measure(seconds)
        sent, took = self._flood.ask(what="sent")["sent"] - sent, time.monotonic() - start
        done, refused = self._done() - done, self._load()["refused"] - refused
        self._flood.ask(what="end")
        until(lambda: not self._load()["queued"], "the calls of a client that has left are gone")
        share = done / took / 2
        if sent / took < TIMES * share or not refused:
            raise RuntimeError(f"no flood: {sent} calls in {took:.2f} s, {done} done, {refused} refused")
        return (*found, sent / took / share, refused / sent)

    def _measure(self, seconds: float) -> tuple[float, float]:
        times = self._polite.ask(what="call", seconds=seconds)["call"]
        return quantile(times, 0.5) * 1e3, quantile(times, 0.99) * 1e3

    def _done(self) -> int:
        done: int = self._worker.ask(what="done")["done"]
        return done

    def _load(self) -> Mapping[str, Any]:
        with self._bus.names() as names:
            found: Mapping[str, Any] = names.load()["services"][_NAME]
            return found


# -- the service and its clients -------------------------------------------------------------------------


@expose
class Instrument:
    """Takes its time."""

    def __init__(self) -> None:
        self.done = 0

    def work(self) -> None:
        """Do something, and be waited for."""
        self._take_time()

    @oneway
    def work_on(self) -> None:
        """Do something, for nobody who waits."""
        self._take_time()

    def _take_time(self) -> None:
        time.sleep(WORK_S)
        self.done += 1


def _worker(nameserver: str) -> None:
    instrument = Instrument()
    daemon = Daemon(nameserver=nameserver)
    uri = str(daemon.register(instrument, _NAME))
    serve_questions({"done": lambda: instrument.done}, uri=uri)


def _polite(uri: str, place: str) -> None:
    proxy = Proxy(uri)

    def call(seconds: float) -> list[float]:
        times = []
        end = time.monotonic() + seconds
        while (start := time.monotonic()) < end:
            proxy.work()
            times.append(time.monotonic() - start)
            time.sleep(PAUSE_S)
        return times

    serve_questions({"call": call})


def _flood(uri: str) -> None:
    proxy = Proxy(uri)
    sent = [0]
    ended = Event()
    threads: list[Thread] = []

    def pour() -> None:
        start, before = time.monotonic(), sent[0]
        while not ended.wait(_BEAT_S):
            due = before + int((time.monotonic() - start) * TIMES * SHARE)
            while sent[0] < due and not ended.is_set():
                proxy.work_on()
                sent[0] += 1

    def begin() -> None:
        ended.clear()
        threads.append(Thread(target=pour))
        threads[-1].start()

    def end() -> None:
        ended.set()
        threads.pop().join()
        proxy._pyroRelease()  # with its session, all that it has queued is gone

    serve_questions({"begin": begin, "sent": lambda: sent[0], "end": end})


if __name__ == "__main__":
    run_role({"worker": _worker, "polite": _polite, "flood": _flood})
