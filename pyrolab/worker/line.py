"""The line: a daemon's second connection, which carries nothing large, so that a stop is never behind bulk.

It belongs to a session of the first one: it is opened after that, opened again when it alone is lost, and
ends with it. A thread of its own reads it, whatever the services are doing.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

from pyrolab.errors import CommunicationError, ConnectionClosedError
from pyrolab.link.backoff import LONGEST_S, Backoff
from pyrolab.link.clock import clock_ms
from pyrolab.link.link import CONNECT_TIMEOUT_S, Link
from pyrolab.protocol.envelope import Envelope, Kind, pack
from pyrolab.protocol.names import Location

log = logging.getLogger("pyrolab.worker")

#: Takes an answer back; whether there was a connection.
Post: TypeAlias = "Callable[[Sequence[Any]], bool]"


class Line:
    """Tells `hear(envelope, frames, post)` of each message, and `lost()` of its end, in its own thread."""

    def __init__(
        self,
        location: Location,
        name: str,
        key: bytes,
        hear: Callable[[Envelope, list[Any], Post], None],
        lost: Callable[[], None],
    ) -> None:
        self._location = location
        self._name = name
        self._key = key
        self._hear = hear
        self._lost = lost
        self._changed = threading.Condition()
        #: The session of the first connection; 0 while there is none.
        self._session = 0
        self._ending = False
        self._link: Link | None = None
        self._thread: threading.Thread | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is one now."""
        return self._link is not None

    def follow(self, session: int) -> None:
        """The first connection has this session now; 0: it is lost, and the line ends with it."""
        with self._changed:
            self._session = session
            if session and self._thread is None:
                self._thread = threading.Thread(target=self._run, name="pyrolab-line", daemon=True)
                self._thread.start()
            self._changed.notify_all()
        self._hang_up(polite=False)

    def report(self, number: int, target: bytes, body: bytes) -> bool:
        """Say what became of an object in the stop of this number; whether there is a line."""
        link = self._link
        if link is None:
            return False
        header = pack(Kind.STOPPED, session=link.session, stamp=clock_ms(), number=number, target=target)
        return _send(link, [header, body])

    def close(self) -> None:
        """End it for good."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        self._hang_up(polite=True)
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(CONNECT_TIMEOUT_S + 1)

    def _hang_up(self, polite: bool) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.close(polite)

    # -- its thread ----------------------------------------------------------------------------------

    def _run(self) -> None:
        while (session := self._wait_for_session()) is not None:
            self._keep_open(session)

    def _keep_open(self, session: int) -> None:
        """Have a line for as long as the first connection has this session."""
        pauses = Backoff()
        while self._session == session and not self._ending:
            began = time.monotonic()
            try:
                self._read(self._open(session), session)
            except Exception as error:  # noqa: BLE001 - whatever it is, the next attempt may succeed
                level = logging.WARNING if pauses.is_first and self._session == session else logging.DEBUG
                log.log(level, "no line for emergency stops (%s); it is opened again", error)
            if time.monotonic() - began > LONGEST_S:
                pauses.reset()
            self._wait(session, pauses.next_s())

    def _wait_for_session(self) -> int | None:
        """The session of the first connection, when there is one; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._session or self._ending)
            return None if self._ending else self._session

    def _wait(self, session: int, timeout_s: float) -> None:
        """Wait, unless there is something new."""
        with self._changed:
            self._changed.wait_for(lambda: self._ending or self._session != session, timeout_s)

    def _open(self, session: int) -> Link:
        about = {"worker": session, "key": self._key}
        return Link(self._location, "line", self._name, about=about)

    def _read(self, link: Link, session: int) -> None:
        """See to what comes until this line, or what it belongs to, is lost."""
        with self._changed:
            if self._ending or self._session != session:
                link.close()
                return
            self._link = link
        post = partial(_send, link)  # what came through this line can be answered through it alone
        try:
            while True:
                link.wait(1.0)
                while (message := link.receive()) is not None:
                    self._see_to(*message, post)
        except CommunicationError as error:
            log.debug("the line for emergency stops is lost: %s", error)
            if self._link is link:
                self._link = None
            link.close(polite=False)
            self._lost()

    def _see_to(self, envelope: Envelope, frames: list[Any], post: Post) -> None:
        if envelope.kind == Kind.BYE:
            raise ConnectionClosedError(f"the broker at {self._location} has ended the line")
        try:
            self._hear(envelope, frames, post)
        except Exception:  # the next message may be a stop, so this thread must go on
            log.exception("a message of kind %d could not be seen to", envelope.kind)


def _send(link: Link, frames: Sequence[Any]) -> bool:
    try:
        link.send(frames)
    except ConnectionClosedError:
        return False  # its thread finds out as well
    return True
