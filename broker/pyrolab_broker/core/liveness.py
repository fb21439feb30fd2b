"""Who lives: the computer can be reached, the process is there, its Python answers. Three facts, kept apart.

A connection that closes, or whose other end ZeroMQ does not hear, is gone: that is the transport's word. A
worker whose connection stands, but whose Python has not said anything for a while, is *hung*: shown as such,
and left alone. What its computer's watch says of it is shown, too.
"""

from __future__ import annotations

import logging
from typing import Any

from pyrolab.protocol.envelope import Envelope
from pyrolab_broker.core.bodies import read_map
from pyrolab_broker.core.events import Frame
from pyrolab_broker.core.news import News
from pyrolab_broker.core.peers import Peer
from pyrolab_broker.core.state import State

#: Heartbeats that a worker may miss before it counts as hung.
HUNG_AFTER = 2.5
_REPORTS = frozenset({"responsive", "hung", "ended"})


class Liveness:
    """Tells hung workers from living ones, and shows all of them."""

    def __init__(self, state: State, news: News) -> None:
        self._state = state
        self._news = news

    def check(self) -> None:
        """Look at all workers; called at every tick."""
        state = self._state
        patience = HUNG_AFTER * state.settings.heartbeat_s
        for worker in state.workers.values():
            silent = self.silent_s(worker)
            if worker.responsive and silent > patience:
                worker.responsive = False
                self._note(logging.WARNING, worker, f"hung: not a word of its Python for {silent:.1f} s")
            elif not worker.responsive and silent <= patience:
                worker.responsive = True
                self._note(logging.INFO, worker, "responsive again")

    def silent_s(self, worker: Peer) -> float:
        """For how long nothing was heard of a worker's Python, over any of its connections."""
        heard = worker.heard if worker.line is None else max(worker.heard, worker.line.heard)
        return self._state.now - heard

    def _note(self, level: int, worker: Peer, what: str) -> None:
        self._state.note(level, "%s is %s", str(worker), what)
        self.tell(worker, what.partition(":")[0])

    def tell(self, worker: Peer, state: str) -> None:
        """Something has changed about a worker."""
        services = list(map(self._state.called, worker.services))
        self._state.record("worker", worker=str(worker), state=state, services=", ".join(services))
        self._news.tell("liveness", str(worker), state, services)

    def report(self, watch: Peer, envelope: Envelope, frames: list[Frame]) -> None:
        """The watch of a computer says how a process there is doing."""
        try:
            said = read_map(frames[0])
        except ValueError:
            return
        pid, state = said.get("pid"), said.get("state")
        if not isinstance(pid, int) or not isinstance(state, str) or state not in _REPORTS:
            return
        for worker in self._state.workers.values():
            about = worker.about
            if about.get("host") == watch.about.get("host") and about.get("pid") == str(pid):
                worker.report = {"state": state, "at": self._state.now}

    def shown(self, worker: Peer) -> dict[str, Any]:
        """The three facts of one worker."""
        silent = self.silent_s(worker)
        reported = worker.report.get("state")
        watched = any(
            watch.about.get("host") == worker.about.get("host") for watch in self._state.watches.values()
        )
        reachable = worker.suspected_until <= self._state.now or watched
        return {
            "name": worker.about.get("name", ""),
            "host": worker.about.get("host", ""),
            "pid": worker.about.get("pid", ""),
            "computer": "reachable" if reachable else "unreachable",
            "process": "gone" if reported == "ended" else "alive",
            "driver": "responsive" if worker.responsive and reported != "hung" else "hung",
            "silent_s": round(silent, 3),
        }
