"""The daemon's connection: it is opened again whenever it breaks, and always read by somebody.

The reader is, by preference, the thread of the service that is called most: a call then runs in the thread
that received it. Only while that thread is busy with a call for longer than a moment does the attendant, a
thread of the connection's own, read in its place: for cancels, heartbeats and the calls of other services.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from pyrolab.errors import CommunicationError, ConnectionClosedError, PoolFull
from pyrolab.link.backoff import Backoff
from pyrolab.link.link import CONNECT_TIMEOUT_S, Link
from pyrolab.protocol.envelope import Envelope
from pyrolab.worker.asking import Question
from pyrolab.worker.execution import Executor
from pyrolab.worker.job import Job

log = logging.getLogger("pyrolab.worker")

#: How long the connection may be without a reader before the attendant takes over.
_MOMENT_S = 0.002
#: Quiet moments after which the attendant sleeps until the next call.
_QUIET_MOMENTS = 25
_LONGEST_DOZE_S = 1.0
#: After so many calls in a row to one other service, its thread becomes the reader.
_PASS_ON_AFTER = 2


class Connection:
    """A link to the broker, and a new one when it is lost.

    `connect` makes one; `opened` is told when it is in use, `lost` when it is gone; `see_to` gets what comes.
    """

    def __init__(
        self,
        connect: Callable[[], Link],
        see_to: Callable[[Envelope, list[Any]], None],
        opened: Callable[[Link], None],
        lost: Callable[[], None],
    ) -> None:
        self._connect = connect
        self._see_to = see_to
        self._opened = opened
        self._gone = lost
        self.link: Link | None = None
        self._loss = threading.Lock()
        self._losing = False
        self._reading = threading.Lock()
        self._resign = False
        self._activity = 0
        self._awake = threading.Event()
        self._dozing = False
        self._ending = threading.Event()
        self._flushed = threading.Event()
        #: The number of the ping that follows all that was sent.
        self._last_ping = 0
        self._standing_in = False
        self._in_a_row: tuple[Executor | None, int] = (None, 0)
        #: The service whose thread reads when it has nothing else to do; None: whichever comes first.
        self.preferred: Executor | None = None
        self._attendant = threading.Thread(target=self._attend, name="pyrolab-attendant", daemon=True)

    def open(self) -> None:
        """Connect, or keep trying in the background after saying so once."""
        try:
            self._use(self._connect())
        except PoolFull:
            raise
        except CommunicationError as error:
            log.warning("%s; this daemon goes on trying to connect", error)
        self._attendant.start()

    def _use(self, link: Link) -> None:
        self.link = link
        self._opened(link)

    def wake(self) -> None:
        """Make the reader look around."""
        link = self.link
        if link is not None:
            link.wake()

    def rouse(self) -> None:
        """Have the attendant see whether anybody reads."""
        self._awake.set()

    # -- sending -------------------------------------------------------------------------------------

    def send(self, frames: Sequence[Any]) -> bool:
        """Send a message if there is a connection; whether there is."""
        link = self.link
        if link is None:
            return False
        try:
            link.send(frames)
        except ConnectionClosedError as error:
            self._lost(link, error)
            return False
        return True

    def flush(self, timeout_s: float) -> None:
        """Wait until the broker has read all that was sent, as far as it says so in time."""
        link = self.link
        if link is None:
            return
        self._flushed.clear()
        try:
            self._last_ping = link.ping()
        except ConnectionClosedError:
            return
        self._flushed.wait(timeout_s)

    def heard_back(self, number: int) -> None:
        """The broker has answered a ping."""
        if number >= self._last_ping:
            self._flushed.set()

    # -- reading -------------------------------------------------------------------------------------

    def read_for(self, executor: Executor) -> Job | Callable[[], object] | None:
        """Read the connection for everybody, until there is something for this executor.

        Returns None when somebody else reads, or had better read from now on.
        """
        preferred = self.preferred
        if (preferred is not None and preferred is not executor) or not self._become_reader():
            return None
        try:
            while not executor.ending and (link := self.link) is not None:
                if executor.jobs:
                    return executor.next_job()
                preferred = self.preferred
                if preferred is not None and preferred is not executor:
                    return None
                self._read(link, 1.0, executor)
            return None
        finally:
            self._reading.release()
            self._activity += 1
            if self._dozing:
                self._awake.set()

    def read_until(self, question: Question, timeout_s: float) -> None:
        """Read for everybody until a question of the service in this thread is answered, or a while has
        passed.
        """
        link = self.link
        if link is None or not self._reading.acquire(False):
            question.answered.wait(timeout_s)
            return
        try:
            self._read(link, timeout_s, until=question)
        finally:
            self._reading.release()
            self._activity += 1
            if self._dozing:
                self._awake.set()

    def note_demand(self, executor: Executor) -> None:
        """Let the thread of a service that is called several times in a row read for itself."""
        other, times = self._in_a_row
        times = times + 1 if other is executor else 1
        self._in_a_row = (executor, times)
        if times >= _PASS_ON_AFTER:
            self.preferred = executor

    def forget(self, executor: Executor) -> None:
        """This one's thread reads no longer."""
        if self.preferred is executor:
            self.preferred = None

    def _become_reader(self) -> bool:
        if self.link is None:
            return False
        if self._reading.acquire(False):
            return True
        if not self._standing_in:
            return False
        self._resign = True
        self.wake()
        return self._reading.acquire(timeout=_MOMENT_S)

    def _read(
        self, link: Link, timeout_s: float, reader: Executor | None = None, until: Question | None = None
    ) -> None:
        """Wait for messages and see to them, until there is one for the reader's own service or question."""
        try:
            link.wait(timeout_s)
            while (message := link.receive()) is not None:
                self._see_to(*message)
                if until is not None and until.answered.is_set():
                    return
                if reader is not None and reader.jobs and reader.takes_one:
                    return  # what is left is not forgotten: `wait` looks before it sleeps
        except CommunicationError as error:
            self._lost(link, error)

    # -- the attendant -------------------------------------------------------------------------------

    def _attend(self) -> None:
        while not self._ending.is_set():
            if self.link is None:
                self._reconnect()
            elif not self._wait_while_read():
                self._stand_in()

    def _wait_while_read(self) -> bool:
        """Watch that somebody reads; returns False when nobody has for a moment."""
        quiet = 0
        while not self._ending.is_set() and self.link is not None:
            before = self._activity
            if quiet > _QUIET_MOMENTS and self._reading.locked():
                self._awake.clear()
                self._dozing = True
                if self._activity == before:
                    self._awake.wait(_LONGEST_DOZE_S)
                self._dozing = False
                quiet = 0
            time.sleep(_MOMENT_S)
            if self._activity != before:
                quiet = 0
            elif self._reading.locked():
                quiet += 1
            else:
                return False
        return True

    def _stand_in(self) -> None:
        """Read until a service's thread wants to."""
        if not self._reading.acquire(blocking=False):
            return
        self._standing_in = True
        try:
            while not self._resign and not self._ending.is_set() and (link := self.link) is not None:
                self._read(link, 1.0)
        finally:
            self._standing_in = self._resign = False
            self._reading.release()
            self._activity += 1

    def _reconnect(self) -> None:
        pauses = Backoff()
        while not self._ending.is_set():
            try:
                self._use(self._connect())
            except Exception as error:  # noqa: BLE001 - whatever it is, the next attempt may succeed
                log.debug("not connected yet: %s", error)
                self._ending.wait(pauses.next_s())
            else:
                log.info("connected to the broker at %s", self.link.location if self.link else "?")
                return

    def _lost(self, link: Link, error: CommunicationError) -> None:
        """The connection broke: what runs goes on, and the attendant connects again."""
        with self._loss:
            if self.link is not link or self._losing:
                return
            self._losing = True
        link.close(polite=False)
        if not self._ending.is_set():
            log.warning("%s", error)
        try:
            self._gone()
        finally:  # only now may the attendant open the next one: nothing of this one is left
            self._losing = False
            self.link = None
        self._awake.set()

    def close(self) -> None:
        """Leave the broker."""
        self._ending.set()
        self._awake.set()
        self._hang_up()
        if self._attendant.is_alive() and self._attendant is not threading.current_thread():
            self._attendant.join(CONNECT_TIMEOUT_S + 1)
        self._hang_up()  # the attendant may just have connected again

    def _hang_up(self) -> None:
        link, self.link = self.link, None
        if link is not None:
            link.close()
