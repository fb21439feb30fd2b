"""An axis that writes down everything that happens to it. Its log, not its answers, is what tests believe."""

from __future__ import annotations

import ctypes
import os
import time
from pathlib import Path
from typing import Any

from chaos.journal import Journal, now_ns
from pyrolab.api import Event, Service, current_call, expose, readonly, urgent


class AxisJammed(ValueError):
    """What the axis raises when it is asked to."""


@expose
class Axis(Service):
    """Each control method takes a number that is used once, and returns it."""

    moved = Event("number", doc="The axis has moved.")

    def __init__(self, name: str, log: Path) -> None:
        self._name = name
        self._journal = Journal(log)
        self._last = 0
        self._done = 0

    # -- control -------------------------------------------------------------------------------------

    def move(self, number: int, seconds: float = 0.0) -> int:
        """Move, for a while."""
        return self._carry_out("move", number, lambda: time.sleep(seconds))

    def stick(self, number: int, seconds: float) -> int:
        """Move as a driver does that keeps Python's lock all the while."""
        return self._carry_out("stick", number, lambda: _sleep_with_the_lock(seconds))

    def jam(self, number: int) -> int:
        """Fail after having moved."""
        self._carry_out("jam", number, lambda: None)
        raise AxisJammed(number)

    def crash(self, number: int) -> int:
        """End the process as a bad driver does."""
        return self._carry_out("crash", number, lambda: ctypes.string_at(0))

    @urgent
    def abort(self, number: int) -> int:
        """Beside whatever is running."""
        return self._carry_out("abort", number, lambda: None)

    def shake(self, number: int, times: int) -> int:
        """Move so often, and say so each time."""

        def act() -> None:
            for _ in range(times):
                self.moved.emit(bytes(1000))

        return self._carry_out("shake", number, act)

    @property
    def target(self) -> int:
        """The number that was set or moved with last."""
        return self._last

    @target.setter
    def target(self, number: int) -> None:
        self._carry_out("target", number, lambda: None)

    # -- reading -------------------------------------------------------------------------------------

    @readonly
    def done(self) -> int:
        """How many moves there have been in this process."""
        return self._done

    @readonly
    def host(self) -> int:
        """The process."""
        return os.getpid()

    @readonly
    def picture(self, size: int) -> bytes:
        """Many bytes."""
        return bytes(size)

    # -- the rest ------------------------------------------------------------------------------------

    def stop(self) -> None:
        """The stop hook."""
        self._journal.write(at="stop", service=self._name, ns=now_ns(), pid=os.getpid())

    def close(self) -> None:
        """Called when the service ends in an orderly way."""
        self._journal.write(at="close", service=self._name, ns=now_ns(), pid=os.getpid())

    def _carry_out(self, what: str, number: int, act: Any) -> int:
        call = current_call()
        about = {"service": self._name, "what": what, "number": number, "call": call.id, "pid": os.getpid()}
        self._journal.write(at="start", ns=now_ns(), user=call.user, session=call.session, **about)
        act()
        self._last = number
        self._done += 1
        self._journal.write(at="end", ns=now_ns(), **about)
        return number


def _sleep_with_the_lock(seconds: float) -> None:
    ctypes.PyDLL(None).usleep(int(seconds * 1e6))
