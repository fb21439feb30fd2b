"""What tests wait for and look at in a lab."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from chaos.callers import Caller
from chaos.journal import Tail, now_ns
from chaos.lab import Lab, Place
from chaos.relay import Relay
from live import PATIENCE_S
from pyrolab.api import locate_ns


def wait_for(condition: Callable[[], Any], lab: Lab | None = None) -> Any:
    """The condition's value, as soon as it is true."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited too long\n{lab.stacks() if lab is not None else ''}"
        time.sleep(0.01)
    return found


def has_started(lab: Lab, caller: Caller) -> Callable[[], bool]:
    """Whether the caller's last call has."""
    return lambda: caller.number in lab.starts(caller.axis)


def notes_of(lab: Lab, client: Place, what: str) -> list[dict[str, Any]]:
    """What a client process has noted."""
    lines = Tail(lab.client_log(client.process.name)).read()
    return [line for line in lines if line.get("what") == what]


def ends_of(lab: Lab, client: Place) -> list[dict[str, Any]]:
    """How the calls of a client process have ended."""
    lines = Tail(lab.client_log(client.process.name)).read()
    return [line for line in lines if line["at"] == "end"]


def moves_on(lab: Lab, client: Place) -> None:
    """Wait until a client process has had another call answered."""
    since_ns = now_ns()
    wait_for(lambda: any(e["outcome"] == "ok" and e["end_ns"] > since_ns for e in ends_of(lab, client)), lab)


def load_of(lab: Lab, axis: str) -> dict[str, Any]:
    """What the broker says of a service."""
    with locate_ns(f"localhost:{lab.port}") as names:
        found: dict[str, Any] = names.load()["services"][axis]
        return found


def line_of(place: Place) -> Relay:
    """The relay between a process and the broker."""
    assert place.relay is not None
    return place.relay
