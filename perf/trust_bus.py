"""A bus whose parts can be killed: a broker in a process of its own, and children that are asked by lines.

Run as `python -m perf.trust_bus PORT SETTINGS`, it is that broker. Times that processes tell each other are
of the monotonic clock, which they share.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from perf.children import Child, end_with_parent, say
from pyrolab.api import locate_ns
from pyrolab.client.nameservice import NameService
from pyrolab_broker.server import Broker
from pyrolab_broker.settings import BrokerSettings

#: Nothing here takes so long, unless it hangs.
PATIENCE_S = 60.0
_LOOK_S = 0.01
#: So many children are started at a time.
_AT_A_TIME = 4


class Bus:
    """A broker with these settings at port `port`, which keeps what must outlive it in a file."""

    def __init__(self, stack: ExitStack, **settings: Any) -> None:
        self._stack = stack
        self._storage = Path(stack.enter_context(TemporaryDirectory())) / "broker.sqlite"
        self._settings = settings
        self.broker = self._start(0)
        self.port: int = self.broker.facts["port"]

    @property
    def nameserver(self) -> str:
        """Where it is, as daemons and proxies want it."""
        return at(self.port)

    def _start(self, port: int) -> Child:
        settings = json.dumps({**self._settings, "storage": str(self._storage)})
        return self.start("perf.trust_bus", str(port), settings)

    def start(self, module: str, *arguments: str) -> Child:
        """A child that ends with the bus."""
        child = Child(module, *arguments)
        self._stack.callback(child.end)
        return child

    def start_many(self, count: int, module: str, *arguments: str) -> list[Child]:
        """So many children; each gets its place among them as its last argument."""
        with ThreadPoolExecutor(_AT_A_TIME) as pool:
            return list(pool.map(lambda place: self.start(module, *arguments, str(place)), range(count)))

    def kill_broker(self) -> None:
        """End the broker as a power cut would."""
        kill(self.broker)

    def restart_broker(self) -> float:
        """Start it again, at its port and with its file; returns when it began to listen."""
        self.broker = self._start(self.port)
        listens: float = self.broker.facts["listens"]
        return listens

    @contextmanager
    def names(self) -> Iterator[NameService]:
        """Its name service."""
        with locate_ns("127.0.0.1", self.port) as names:
            yield names

    def broker_mib(self) -> float:
        """The resident memory of the broker's process, in MiB."""
        rss: int = psutil.Process(self.broker.facts["pid"]).memory_info().rss
        return rss / (1 << 20)


@contextmanager
def running(**settings: Any) -> Iterator[Bus]:
    """A bus, until all that was started for it has ended."""
    with ExitStack() as stack:
        yield Bus(stack, **settings)


def at(port: int) -> str:
    """A broker's address, from its port."""
    return f"127.0.0.1:{port}"


def kill(child: Child) -> float:
    """End a child's process as a power cut would; returns when."""
    process = psutil.Process(child.facts["pid"])
    when = time.monotonic()
    process.kill()
    return when


@contextmanager
def suspended(child: Child) -> Iterator[None]:
    """Take all time from a child's process."""
    process = psutil.Process(child.facts["pid"])
    process.suspend()
    try:
        yield
    finally:
        process.resume()


def until(reached: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
    """Wait for a condition. Raises `RuntimeError` if it takes too long."""
    end = time.monotonic() + patience_s
    while not reached():
        if time.monotonic() > end:
            raise RuntimeError(f"{patience_s:g} s have passed, and still not: {what}")
        time.sleep(_LOOK_S)


def ask_all(children: Sequence[Child], **question: Any) -> list[dict[str, Any]]:
    """The answers of all, which work on them at the same time."""
    for child in children:
        child.tell(**question)
    return [child.answer() for child in children]


def total(children: Sequence[Child], what: str) -> int:
    """The sum of a number that each of them is asked for."""
    return sum(answer[what] for answer in ask_all(children, what=what))


# -- in a child ------------------------------------------------------------------------------------------


def serve_questions(answers: Mapping[str, Callable[..., Any]], **facts: Any) -> None:
    """Say that all is ready, then answer; ends the process with its standard input, whatever still runs.

    A question names one of `answers`, and its other values are keyword arguments. The answer is what comes of
    it, under the same name.
    """
    say(pid=os.getpid(), **facts)
    for line in sys.stdin:
        question = json.loads(line)
        what = question.pop("what")
        say(**{what: answers[what](**question)})
    os._exit(0)


def keep_quiet() -> None:
    """Say nothing of lost connections: here they are lost on purpose."""
    logging.getLogger("pyrolab").setLevel(logging.CRITICAL + 1)


def run_role(roles: Mapping[str, Callable[..., None]]) -> None:
    """In a module's `__main__`: do what the first argument names, with the others."""
    keep_quiet()
    roles[sys.argv[1]](*sys.argv[2:])


def _broker(port: int, settings: dict[str, Any]) -> None:
    storage = Path(settings.pop("storage"))
    with Broker(port=port, settings=BrokerSettings(**settings), storage=storage) as broker:
        say(pid=os.getpid(), port=broker.address.port, listens=time.monotonic())
        broker.serve_forever()


if __name__ == "__main__":
    keep_quiet()
    end_with_parent()
    _broker(int(sys.argv[1]), json.loads(sys.argv[2]))
