"""A link that any number of threads use at once, and none of them is its reader.

Whoever waits for an answer reads for all (the leader); the others sleep until their answer is there or until
the leader goes and one of them takes its place. So a single thread never pays for a hand-over.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any

from pyrolab.client.calls import Pending
from pyrolab.client.followers import FOREVER_S, Followers
from pyrolab.errors import CommunicationError
from pyrolab.link.link import Link
from pyrolab.protocol.envelope import Envelope


class SharedLink:
    """Reading, and waiting for what is read; it is for `_take_in`, which may raise what ends the link."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._reading = threading.RLock()  # again and again: a callback of the reader's may call, too
        self._turns = Followers()

    def _take_in(self, envelope: Envelope, frames: list[Any]) -> None:
        raise NotImplementedError

    def _lost(self, error: CommunicationError) -> None:
        raise NotImplementedError

    def _tidy(self) -> None:
        """Some time has passed."""

    def read_until(self, pending: Pending, timeout_s: float | None = None) -> None:
        """Read, or wait while another thread reads, until this call is done or the time is over."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        self._wait_for(pending, deadline, greedy=True)

    def copy_descriptor(self) -> int:
        """What becomes readable when something may have arrived, to be closed by whoever asks for it."""
        return self._link.copy_descriptor()

    def watch(self, look: Callable[[], object]) -> None:
        """Have `look()` called, in any thread, whenever the descriptor alone does not tell to `drain`.

        That is after each sending, when another thread stops reading, and at the end. It must not block.
        """
        self._link.watchers.append(look)

    def unwatch(self, look: Callable[[], object]) -> None:
        """Call it no more."""
        with contextlib.suppress(ValueError):
            self._link.watchers.remove(look)

    def drain(self) -> None:
        """Take in what has arrived, without ever waiting; another thread that is at it does it for us."""
        self._glance()

    def tend(self) -> None:
        """Look after a connection that nobody reads just now; `keeper` calls it."""
        self._glance(self._link.tend, self._tidy)

    def _wait_for(self, pending: Pending, deadline: float | None, greedy: bool = False) -> None:
        """Return when the call is done, or when its deadline has passed.

        A greedy reader takes in everything that has arrived, for calls that come in bursts; the other one
        does not look again once its own answer is there.
        """
        turns = self._turns
        try:
            while not pending.done:
                if self._reading.acquire(False):
                    outermost, turns.is_read = not turns.is_read, True
                    try:
                        self._lead(pending, deadline, greedy)
                    finally:
                        turns.is_read = not outermost
                        self._reading.release()
                else:
                    turns.follow(pending, deadline)
                if deadline is not None and time.monotonic() >= deadline:
                    return
        finally:
            if turns.gates:
                turns.promote()
            if self._link.watchers:
                self._link.tell_watchers()

    def _lead(self, pending: Pending, deadline: float | None, greedy: bool) -> None:
        """Read for everybody until our own answer is there."""
        link = self._link
        try:
            while not pending.done:
                remaining = FOREVER_S if deadline is None else deadline - time.monotonic()
                if remaining <= 0:
                    return
                link.wait(remaining)
                while (greedy or not pending.done) and (message := link.receive()) is not None:
                    self._take_in(*message)  # what is left is not forgotten: `wait` looks before it sleeps
        except CommunicationError as error:
            self._lost(error)

    def _glance(self, *also: Callable[[], None]) -> None:
        """Take in what has arrived, and do something else while nobody can come between; never wait."""
        if not self._reading.acquire(blocking=False):
            return
        turns = self._turns
        outermost, turns.is_read = not turns.is_read, True
        try:
            while (message := self._link.receive()) is not None:
                self._take_in(*message)
            for act in also:
                act()
        except CommunicationError as error:
            self._lost(error)
        finally:
            turns.is_read = not outermost
            self._reading.release()
            turns.promote()
