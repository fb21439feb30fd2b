"""What a client holds: reservations that the broker has granted, and how they outlive a lost connection.

A grant is bound to one session, and lives as long as that shows signs of life. When the session is lost, the
next connection of the same proxy presents the token again, be it for the next call or by a thread that waits
for the broker. Every call of a proxy that holds something carries the token; the broker and the worker refuse
what comes with one that has been overtaken.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import weakref
from collections.abc import Iterable
from typing import Any, Protocol

import msgpack

from pyrolab.client import keeper
from pyrolab.client.calls import Pending
from pyrolab.client.connection import Connection
from pyrolab.errors import (
    CommunicationError,
    ConnectionClosedError,
    LockedError,
    NamingError,
    NotExecuted,
    OutcomeUnknown,
    PyroError,
    ReservationLost,
    SecurityError,
    ServiceGone,
)
from pyrolab.link.backoff import Backoff
from pyrolab.protocol.envelope import Kind

log = logging.getLogger("pyrolab.client")

#: The longest wait before connecting again: several tries within the grace time.
_LONGEST_PAUSE_S = 0.5
#: How long the broker has for its word when something is given back or taken back.
ANSWER_S, _AT_EXIT_S = 5.0, 0.5


class Home(Protocol):
    """The attachment whose session keeps a grant alive."""

    @property
    def connection(self) -> Connection | None:
        """The connection, if it can be used."""
        ...

    def connected(self) -> Connection:
        """The connection; opens one, and takes back what is held, if there is none."""
        ...


class Grant:
    """One reservation, of one service or of several together."""

    def __init__(
        self, home: Home, connection: Connection, token: int, facts: dict[str, Any], mode: str
    ) -> None:
        self.token = token
        self.mode = mode
        self.services = [str(each) for each in facts.get("services") or ()]
        self.user = str(facts.get("user") or "")
        self.since: float | None = facts.get("since")
        self.until: float | None = facts.get("until")
        self.lost = False
        #: How many `Reservation`s have not been released, and how many of these are in their `with` block.
        self.uses = self.entered = 0
        self._home = weakref.ref(home)
        self._connection = connection
        self._pid = os.getpid()
        self._members: weakref.WeakSet[Holdings] = weakref.WeakSet()
        self._over = threading.Event()
        self._taking = threading.Lock()
        self._restoring = False

    def __str__(self) -> str:
        return f"the {self.mode} of {', '.join(self.services)}"  # without the token, which opens the service

    def spread(self, members: Iterable[Holdings]) -> None:
        """From now on, let these send the token along."""
        for each in members:
            self._members.add(each)
            each.add(self)
        keeper.keep(self)
        _in_force.add(self)

    @property
    def connection(self) -> Connection:
        """The connection to which it is bound."""
        return self._connection

    @property
    def home(self) -> Home | None:
        """The attachment whose session keeps it alive; None if that has gone."""
        return self._home()

    @property
    def over(self) -> bool:
        """Whether it has been given back."""
        return self._over.is_set()

    @property
    def closed(self) -> bool:
        """Whether there is nothing more to keep."""
        return self.over or self.lost

    @property
    def bound(self) -> bool:
        """Whether the session is there that keeps it alive, which in a forked child is its parent's."""
        return self._pid != os.getpid() or not self._connection.closed

    # -- losing the connection -----------------------------------------------------------------------

    def tend(self) -> None:
        """If the session has been lost, see that it is replaced; `keeper` calls this."""
        if self.bound or self._restoring:
            return
        self._restoring = True
        try:
            threading.Thread(target=self._restore, name="pyrolab-reservation", daemon=True).start()
        except RuntimeError:  # this program is ending, or has too many threads
            self._restoring = False

    def _restore(self) -> None:
        pauses = Backoff(_LONGEST_PAUSE_S)
        try:
            while not self.closed and not self.bound and self._reconnect():
                self._over.wait(pauses.next_s())
        finally:
            self._restoring = False

    def _reconnect(self) -> bool:
        """Try once; whether it makes sense to go on."""
        home = self._home()
        if home is None:
            self.finish()  # nobody is left whose session it could be bound to
            return False
        try:
            self.take_back(home.connected())
        except (CommunicationError, NamingError) as error:
            log.debug("%s is not taken back yet: %s", self, error)
        return True

    def ensure(self) -> None:
        """Before a call that relies on it: see that it is taken back, if the session has been lost."""
        home = self._home()
        if home is not None and not self.closed and not self.bound:
            try:
                home.connected()
            except (ServiceGone, NamingError) as error:  # the broker is there, and has heard of us
                log.debug("%s waits for one of its services: %s", self, error)

    def take_back(self, connection: Connection) -> None:
        """Say through a new connection of its home: I am here again.

        Raises `ConnectionClosedError` if that is lost as well. Nothing comes of it if the broker cannot
        tell yet.
        """
        if self.closed or self.bound:
            return
        with self._taking:
            if self.bound:
                return
            try:
                pending = connection.start(
                    b"", [self._claim()], kind=Kind.RESERVE, token=self.token, budget_s=ANSWER_S
                )
                connection.wait(pending, ANSWER_S)
            except (ConnectionClosedError, OutcomeUnknown) as error:
                raise ConnectionClosedError(str(error)) from None
            except (ReservationLost, LockedError) as error:
                self.lose(error)
            except (NotExecuted, SecurityError) as error:
                log.debug("%s is not taken back yet: %s", self, error)
            else:
                self._connection = connection
                if self.over:
                    self._tell_released()

    def _claim(self) -> bytes:
        body = {"services": self.services, "user": self.user, "mode": self.mode, "force": False}
        return bytes(msgpack.packb({**body, "for_s": None}))

    def lose(self, error: PyroError) -> None:
        """The broker says that it has ended."""
        if not self.closed:
            self.lost = True
            log.warning("%s has ended: %s", self, error)

    # -- giving back -----------------------------------------------------------------------------------

    def finish(self) -> bool:
        """Nobody here uses it any longer. Returns whether it was not over yet, so that the broker is told."""
        for each in list(self._members):
            each.remove(self)
        if self.over:
            return False
        self._over.set()
        return not self.lost and self._pid == os.getpid() and not self._connection.closed

    def give_back(self, timeout_s: float = ANSWER_S) -> None:
        """Let others have the services, and return when they can."""
        if self.finish() and (pending := self._tell_released()) is not None:
            try:
                self._connection.wait(pending, timeout_s)
            except CommunicationError as error:
                log.debug("%s was given back, without an answer: %s", self, error)

    def drop(self) -> None:
        """The same without waiting."""
        if self.finish():
            self._tell_released()

    def _tell_released(self) -> Pending | None:
        return release(self._connection, self.token)


def release(connection: Connection, token: int) -> Pending | None:
    """Tell the broker that a reservation is not needed; None if there is nobody to be told any more."""
    try:
        return connection.start(b"", kind=Kind.RELEASE, token=token)
    except CommunicationError as error:
        log.debug("a reservation ends with its connection: %s", error)
        return None


#: What is given back when the program ends, so that nobody has to wait until its lease is over.
_in_force: weakref.WeakSet[Grant] = weakref.WeakSet()


@atexit.register
def _give_all_back() -> None:
    for grant in list(_in_force):
        grant.give_back(_AT_EXIT_S)


class Holdings:
    """What one attachment holds, the innermost last. `token` is what its calls carry, 0 for none."""

    def __init__(self) -> None:
        self.token = 0
        #: Whoever wants to reserve something takes this first: one at a time.
        self.turn = threading.Lock()
        self._grants: list[Grant] = []
        self._lock = threading.Lock()

    def add(self, grant: Grant) -> None:
        """Send this one's token along; forget what has been lost and is in no `with` block."""
        with self._lock:
            kept = [each for each in self._grants if not each.lost or each.entered]
            self._hold([*kept, grant])

    def remove(self, grant: Grant) -> None:
        """It has ended."""
        with self._lock:
            self._hold([each for each in self._grants if each is not grant])

    def _hold(self, grants: list[Grant]) -> None:
        self._grants = grants
        self.token = grants[-1].token if grants else 0

    def unlock(self) -> None:
        """In a forked child: another thread of the parent may have had these at the fork."""
        self.turn, self._lock = threading.Lock(), threading.Lock()

    @property
    def innermost(self) -> Grant | None:
        """The grant whose token is sent along; it may be lost."""
        grants = self._grants
        return grants[-1] if grants else None

    @property
    def sound(self) -> bool:
        """Whether there is nothing to `ensure`."""
        grant = self.innermost
        return grant is None or grant.closed or grant.bound

    def ensure(self) -> None:
        """As of `Grant`."""
        grant = self.innermost
        if grant is not None:
            grant.ensure()

    def take_back(self, home: Home, connection: Connection) -> None:
        """There is a new connection: keep alive by it what hung on the last one. As `Grant.take_back`."""
        for grant in self._grants:
            if grant.home is home:
                grant.take_back(connection)

    def lose(self, error: PyroError) -> None:
        """A call was refused because the reservation on which it relied has ended."""
        grant = self.innermost
        if grant is not None:
            grant.lose(error)

    def drop(self) -> None:
        """The proxy is released: everything is for others again."""
        for grant in self._grants:
            grant.drop()

    def forget(self, home: Home) -> None:
        """The proxy has gone without a word, and its connection ends: what hung on that ends, too."""
        for grant in self._grants:
            if grant.home in (None, home):
                grant.finish()
