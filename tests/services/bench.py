"""A service that does what tests need: waits, counts, echoes, fails."""

from __future__ import annotations

import os
import threading
import time
from typing import Any, ClassVar

from pyrolab.api import Service, behavior, current_call, expose, oneway, readonly


class ShutterStuck(ValueError):
    """An error that no client knows."""

    def __init__(self, message: str, angle_deg: float) -> None:
        super().__init__(message, angle_deg)
        self.angle_deg = angle_deg


@behavior(instance_mode="single")
@expose
class Bench(Service):
    """One instance for everybody."""

    def __init__(self) -> None:
        self._count = 0
        self._level = 1.5
        self._executions: list[int] = []

    def echo(self, value: Any, *more: Any) -> Any:
        """The value itself."""
        return value

    def sleep(self, seconds: float) -> str:
        """Wait, then say so."""
        time.sleep(seconds)
        return "slept"

    def sleep_until_cancelled(self, seconds: float) -> str:
        """Wait until the caller gives up."""
        call = current_call()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if call.cancelled:
                self._count += 1000
                return "cancelled"
            time.sleep(0.005)
        return "slept"

    def count(self) -> int:
        """One more."""
        self._count += 1
        return self._count

    @readonly
    def counted(self) -> int:
        """How many."""
        return self._count

    @oneway
    def count_later(self) -> None:
        """One more, without an answer."""
        self._count += 1

    @property
    def level(self) -> float:
        """A level."""
        return self._level

    @level.setter
    def level(self, value: float) -> None:
        if value < 0:
            raise ValueError("the level can't be negative")
        self._level = value

    def fail(self) -> None:
        """Raise an error that the client has never seen."""
        raise ShutterStuck("the shutter is stuck", 12.5)

    def leave(self) -> None:
        """Raise SystemExit."""
        raise SystemExit(3)

    def lock_object(self) -> Any:
        """Something that cannot travel."""
        return {"state": [threading.Lock()]}

    def where(self) -> tuple[int, int]:
        """The process and thread in which calls run."""
        return os.getpid(), threading.get_ident()

    def _secret(self) -> str:
        return "secret"


@behavior(instance_mode="session")
@expose
class Session(Service):
    """One instance for each client."""

    closed: ClassVar[list[int]] = []

    def __init__(self) -> None:
        self._mine = 0

    def count(self) -> int:
        """How often this client has called."""
        self._mine += 1
        return self._mine

    def closed_instances(self) -> list[int]:
        """What the instances of clients that have left had counted."""
        return list(self.closed)

    def close(self) -> None:
        """Called when the client has gone."""
        self.closed.append(self._mine)


@behavior(instance_mode="percall")
@expose
class PerCall(Service):
    """A new instance for each call."""

    def __init__(self) -> None:
        self._mine = 0

    def count(self) -> int:
        """Always one."""
        self._mine += 1
        return self._mine
