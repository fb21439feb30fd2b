"""A broker, workers and clients in processes of their own, each behind a relay: what a nemesis works on."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from chaos import clients, worker
from chaos.children import Child
from chaos.history import History, Interval, read_calls, read_executions
from chaos.journal import Tail
from chaos.ports import HeldPort
from chaos.relay import Relay
from pyrolab.api import Proxy

#: Everything is noticed and given up sooner than in a real lab, so that tests are done sooner.
QUICK = {"heartbeat_s": 0.25, "silence_s": 2.0, "grace_s": 2.0}


class Place:
    """What one process fills, and its successor after it; `start` makes the n-th of them."""

    def __init__(self, name: str, make: Callable[[int], Child], relay: Relay | None = None) -> None:
        self.name = name
        self.relay = relay
        self.generation = 0
        self.started = 0.0
        self._make = make
        self.child: Child | None = None

    @property
    def process(self) -> Child:
        assert self.child is not None, f"{self.name} was never started"
        return self.child

    def start(self) -> Child:
        """Start the next process; does not wait for it."""
        self.generation += 1
        self.started = time.monotonic()
        self.child = self._make(self.generation)
        return self.child

    def end(self) -> None:
        if self.child is not None and self.child.is_alive:
            self.child.kill()


class Lab:
    """Everything that is there; all files are in `directory`."""

    def __init__(self, directory: Path, **settings: Any) -> None:
        self.directory = directory
        self._settings = QUICK | {"storage": str(directory / "broker.sqlite")} | settings
        self._port = HeldPort()
        self._slots = 0
        self.broker = Place("broker", self._make_broker)
        self.workers: dict[str, Place] = {}
        self.clients: dict[str, Place] = {}
        self.axes_of: dict[str, list[str]] = {}
        self._uris: dict[str, str] = {}
        self.finish = directory / "finish"
        self.stops: list[Interval] = []
        self.pauses: dict[str, list[Interval]] = defaultdict(list)
        self._pools: set[str] = set()
        self._relays: list[Relay] = []
        self._proxies: list[Proxy] = []

    @property
    def axes(self) -> list[str]:
        """The axes of all workers."""
        return list(dict.fromkeys(axis for axes in self.axes_of.values() for axis in axes))

    # -- what is there -------------------------------------------------------------------------------

    @property
    def port(self) -> int:
        """The broker's own port, at which nothing is ever cut."""
        return self._port.number

    def _make_broker(self, generation: int) -> Child:
        return Child(
            f"broker.{generation}", self.directory, "processes.broker", str(self.port), repr(self._settings)
        )

    def start_broker(self) -> Child:
        """Start the broker; returns when it listens."""
        child = self.broker.start()
        child.wait_until_ready()
        return child

    def new_relay(self) -> Relay:
        """A line of its own to the broker."""
        self._relays.append(Relay(self.port))
        return self._relays[-1]

    def add_worker(
        self,
        name: str,
        *axes: str,
        by_name: bool = False,
        pool: bool = False,
        audit: str = "",
        wait: bool = True,
    ) -> Place:
        """A worker with these axes; its log survives it, and goes on with its successor."""
        relay = self.new_relay()

        def make(generation: int) -> Child:
            plan: worker.Plan = {
                "broker": f"localhost:{relay.port}",
                "axes": list(axes),
                "log": str(self.directory / f"{name}.log"),
                "by_name": by_name,
                "pool": pool,
                "audit": audit,
            }
            return Child(f"{name}.{generation}", self.directory, "chaos.worker", json.dumps(plan))

        self.axes_of[name] = list(axes)
        self._pools |= set(axes) if pool else set()
        self._uris |= {axis: f"{'PYRONAME' if by_name else 'PYRO'}:{axis}" for axis in axes}
        place = self.workers[name] = Place(name, make, relay)
        place.start()
        if wait:
            place.process.wait_until_ready()
        return place

    def add_client(self, name: str, role: str, axes: Sequence[str] = (), seed: int = 0) -> Place:
        """A client; each of its processes has a log of its own, and its own numbers."""
        relay = self.new_relay()
        self._slots += 1
        first = self._slots * 1000 * clients.NUMBERS_EACH

        def make(generation: int) -> Child:
            each = f"{name}.{generation}"
            plan: clients.Plan = {
                "name": each,
                "role": role,
                "base": first + generation * clients.NUMBERS_EACH,
                "broker": f"localhost:{relay.port}",
                "axes": {axis: self._uris[axis] for axis in axes or self.axes},
                "log": str(self.client_log(each)),
                "finish": str(self.finish),
                "seed": seed + generation,
            }
            return Child(each, self.directory, "chaos.clients", json.dumps(plan))

        place = self.clients[name] = Place(name, make, relay)
        place.start()
        return place

    def client_log(self, name: str) -> Path:
        """Where a client process writes, by its name with its generation."""
        return self.directory / f"{name}.calls"

    def proxy(self, axis: str, relay: Relay | None = None) -> Any:
        """A proxy in this process, at the broker itself or behind a relay."""
        where = f"localhost:{relay.port if relay is not None else self.port}"
        self._proxies.append(Proxy(f"{self._uris[axis]}@{where}"))
        return self._proxies[-1]

    def kill_broker(self) -> None:
        """Kill it; as long as it is away, connections are refused, as they would be without relays."""
        self.broker.process.kill()
        for relay in self._relays:
            relay.refuse()

    def restart_broker(self) -> Child:
        """Start it again at its port; returns when it listens."""
        child = self.start_broker()
        for relay in self._relays:
            relay.accept()
        return child

    @property
    def places(self) -> list[Place]:
        return [self.broker, *self.workers.values(), *self.clients.values()]

    # -- what has happened ---------------------------------------------------------------------------

    def history(self) -> History:
        """Everything that was written down up to now."""
        lines = [line for name in self.workers for line in Tail(self.directory / f"{name}.log").read()]
        found = History(read_executions(lines), {}, self.stops, self._pools, self.pauses)
        for path in self.directory.glob("*.calls"):
            found.calls |= {call.number: call for call in read_calls(path.stem, Tail(path).read())}
        return found

    def starts(self, axis: str) -> list[int]:
        """The numbers that an axis has begun to carry out, in order."""
        return [each.number for each in self.history().executions if each.service == axis]

    def stacks(self) -> str:
        """What every process is doing."""
        return "\n".join(place.child.stacks() for place in self.places if place.child is not None)

    # -- the end -------------------------------------------------------------------------------------

    def end_processes(self) -> None:
        """Kill every process that was started here; from now on, nothing more is written down."""
        for place in (*self.clients.values(), *self.workers.values(), self.broker):
            place.end()

    def close(self) -> None:
        for proxy in self._proxies:
            proxy._pyroRelease()
        self.end_processes()
        for relay in self._relays:
            relay.close()
        self._port.close()

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *reason: object) -> None:
        self.close()
