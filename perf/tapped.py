"""A broker, a worker or a client whose moments are noted, or that is profiled: a child of `profile_call`.

Run as `python -m perf.tapped ROLE MODE [ADDRESS]`, where the mode is `moments` or `functions`.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from time import process_time_ns

from perf.children import say
from perf.systems.pyrolab_bus import Service
from perf.taps import CALL, DONE, ENTER, LEAVE, WOKE, Profiles, Tape, tap_after, tap_sockets
from perf.workloads import DEPTH
from pyrolab.api import Daemon, Proxy
from pyrolab.link.readiness import Readiness
from pyrolab_broker.server import Broker
from pyrolab_broker.settings import BrokerSettings

#: Rare, so that few calls have a sign of life among their moments and are left out.
_HEARTBEAT_S = 2.0
_LINES = 30


class Witness:
    """What this process tells about itself."""

    def __init__(self, mode: str) -> None:
        self.tape = Tape()
        self._busy_ns = 0
        self.profiles = Profiles() if mode == "functions" else None
        if self.profiles is None:
            tap_sockets(self.tape)
            tap_after(Readiness, "wait", self.tape, WOKE)

    def clear(self) -> None:
        """Forget what was."""
        self.tape.moments.clear()
        self._busy_ns = process_time_ns()

    def report(self) -> None:
        """Say what was noted."""
        if self.profiles is not None:
            say(table=self.profiles.table(_LINES))
        else:
            say(moments=self.tape.moments, busy_us=(process_time_ns() - self._busy_ns) / 1e3)

    def listen(self) -> None:
        """Answer the harness, beside the main thread; end when it goes."""
        threading.Thread(target=self._listen, name="questions", daemon=True).start()

    def _listen(self) -> None:
        for line in sys.stdin:
            if "clear" in json.loads(line):
                self.clear()
                say()
            else:
                self.report()
        os._exit(0)


def _broker(witness: Witness) -> None:
    with Broker(port=0, settings=BrokerSettings(heartbeat_s=_HEARTBEAT_S)) as broker:
        say(nameserver=str(broker.address))
        witness.listen()
        if witness.profiles is not None:
            witness.profiles.begin()
        broker.serve_forever()


def _worker(witness: Witness, nameserver: str) -> None:
    if witness.profiles is None:
        tap_after(Service, "empty", witness.tape, LEAVE, ENTER)
    with Daemon(nameserver=nameserver) as daemon:
        say(uri=str(daemon.register(Service)))
        witness.listen()
        daemon.requestLoop()


def _client(witness: Witness, uri: str) -> None:
    """Do as many calls as it is asked for, in lines of JSON; the calls before are forgotten."""
    with Proxy(uri) as proxy:
        proxy.empty()
        say()
        if witness.profiles is not None:
            witness.profiles.begin()
        for line in sys.stdin:
            asked = json.loads(line)
            witness.clear()
            (_pipelined if asked.get("pipelined") else _one_by_one)(proxy, asked["calls"], witness.tape)
            witness.report()


def _one_by_one(proxy: Proxy, calls: int, tape: Tape) -> None:
    for _ in range(calls):
        tape.mark(CALL)
        proxy.empty()
        tape.mark(DONE)


def _pipelined(proxy: Proxy, calls: int, tape: Tape) -> None:
    for _ in range(calls // DEPTH):
        tape.mark(CALL)
        for future in [proxy.empty.future() for _ in range(DEPTH)]:
            future.result()
        tape.mark(DONE)


_ROLES: dict[str, Callable[..., None]] = {"broker": _broker, "worker": _worker, "client": _client}

if __name__ == "__main__":
    _ROLES[sys.argv[1]](Witness(sys.argv[2]), *sys.argv[3:])
