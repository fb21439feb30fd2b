"""Which failures of a call may be followed by another try, by itself."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from pyrolab.client.connection import Connection
from pyrolab.client.deadlines import timeout
from pyrolab.errors import (
    CommunicationError,
    ConnectionClosedError,
    EmergencyStopped,
    LockedError,
    ReservationLost,
    ServiceGone,
    StaleCall,
)
from pyrolab.link.clock import clock_s
from pyrolab.protocol.envelope import Flag

#: A call that was refused as stale is sent again if no more than this has passed since it was sent: then what
#: the client had heard of the broker's clock was old, and not the call.
FRESH_S = 5.0
#: What would be refused again, until a person has done something about it.
_FINAL = (LockedError, ReservationLost, EmergencyStopped)


def is_late(asked: float, flags: int) -> bool:
    """Whether a call that was asked for then had better not be sent any more: it may move something."""
    return not flags & Flag.READ and clock_s() - asked > FRESH_S


def refuse_late(asked: float, flags: int) -> None:
    """Raise `StaleCall` for such a call."""
    if is_late(asked, flags):
        waited_s = clock_s() - asked
        raise StaleCall(
            f"the broker was silent for {waited_s:.1f} s when this was to be sent. What moves must not move "
            "late, so it was not sent; call again",
            waited_s=waited_s,
        )


class Renewed(Protocol):
    """What is attached to a service, as far as trying again is concerned."""

    max_retries: int

    @property
    def connection(self) -> Connection | None:
        """The connection, if it can be used."""
        ...

    @property
    def deadline_s(self) -> float | None:
        """Seconds that a call may take that is made here and now."""
        ...

    def may_renew(self, error: CommunicationError, used: Connection | None = None) -> bool:
        """Whether a new connection, or looking the name up again, may help."""
        ...


class Retries:
    """Of one call: once, what certainly did not run, on a new connection or with a new stamp; as often as the
    proxy allows, what only reads.
    """

    def __init__(self, attachment: Renewed, flags: int, session: int, asked: float) -> None:
        self._attachment = attachment
        self._flags, self._asked = flags, asked
        self._ends = None if attachment.deadline_s is None else asked + attachment.deadline_s
        self._left = attachment.max_retries if flags & Flag.READ else 0
        self._bound = bool(session)
        self._renewed = self._refreshed = False

    def allowed_after(self, error: CommunicationError, used: Connection | None = None) -> bool:
        """Whether to try again after this error, of a call through the connection `used`. May wait for a
        moment.
        """
        if isinstance(error, _FINAL) or is_late(self._asked, self._flags) or self._is_over():
            return False
        if isinstance(error, StaleCall) and not self._refreshed:
            self._refreshed = True
            return self._may_be_resent(used)
        lost = isinstance(error, (ConnectionClosedError, ServiceGone))
        if lost and self._bound:
            return False
        if lost and not self._renewed and self._attachment.may_renew(error, used):
            self._renewed = True
            return True
        self._left -= 1
        return self._left >= 0

    def remaining(self) -> AbstractContextManager[None]:
        """Another try has what is left of the time of the call."""
        return nullcontext() if self._ends is None else timeout(max(self._ends - clock_s(), 0.0))

    def _is_over(self) -> bool:
        return self._ends is not None and clock_s() >= self._ends

    def _may_be_resent(self, used: Connection | None) -> bool:
        """Hear what time it is at the broker, unless it was the call that came late."""
        connection = used or self._attachment.connection
        if connection is None or clock_s() - self._asked > FRESH_S:
            return False
        try:
            connection.refresh(self._attachment.deadline_s)
        except CommunicationError as lost:
            return self.allowed_after(lost, used)
        return True
