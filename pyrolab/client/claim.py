"""Asking the broker for services for oneself alone: on which terms, and what to do if it does not answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgpack

from pyrolab.client.attachment import Attachment
from pyrolab.client.calls import Pending
from pyrolab.client.connection import Connection
from pyrolab.client.grants import ANSWER_S, Grant
from pyrolab.client.retries import Retries
from pyrolab.errors import (
    CallTimedOut,
    CommunicationError,
    NotSent,
    ProtocolError,
    ServiceGone,
    TimeoutError,
)
from pyrolab.link.clock import clock_s
from pyrolab.link.link import login_name
from pyrolab.protocol import codec
from pyrolab.protocol.envelope import Envelope, Flag, Kind

#: How long to wait for a reservation if neither the caller nor a deadline says it.
WAIT_S = 10.0


@dataclass(frozen=True)
class Terms:
    """What somebody wants: for whom, how long to wait in the queue, and how."""

    user: str = ""
    wait_s: float | None = None
    force: bool = False
    for_s: float | None = None
    mode: str = "reservation"

    def __post_init__(self) -> None:
        if self.wait_s is not None and self.wait_s < 0:
            raise ValueError(f"wait={self.wait_s!r} is no time; give seconds, or 0 not to wait")
        if self.for_s is not None and self.for_s <= 0:
            raise ValueError(
                f"for_s={self.for_s!r} is no time; give seconds, or None for as long as it takes"
            )

    def patience_s(self, deadline_s: float | None) -> float:
        """How long to wait, if calls here and now have this deadline."""
        if self.wait_s is not None:
            return self.wait_s
        return WAIT_S if deadline_s is None else deadline_s

    def body(self, services: Sequence[str]) -> bytes:
        """As it stands in a RESERVE."""
        wanted = {"services": list(services), "user": self.user or login_name(), "mode": self.mode}
        return bytes(msgpack.packb({**wanted, "force": self.force, "for_s": self.for_s}))


class Claim:
    """What attachments that hold nothing want."""

    def __init__(self, attachments: Sequence[Attachment], terms: Terms, patience_s: float) -> None:
        self.attachments = attachments
        self.home = attachments[0]
        self.patience_s = patience_s
        self._terms = terms

    def check_brokers(self, connections: Sequence[Connection]) -> None:
        """Raise `ValueError` unless one broker can grant them all.

        Raises `NotSent` if some connections are still to the broker from before its restart.
        """
        if len({each.broker for each in connections}) > 1:
            if len({each.location for each in connections}) == 1:
                for each in self.attachments:
                    each.hang_up()
                raise NotSent("the broker has been restarted meanwhile; the next try connects again")
            where = ", ".join(sorted({str(each.location) for each in connections}))
            raise ValueError(
                f"these services are at different brokers ({where}), and each broker knows its own only; "
                "reserve them one after the other, everywhere in the same order: "
                "`with a.reserve(), b.reserve():`"
            )

    def start(self, connection: Connection, on_done: Callable[[Pending], None] | None = None) -> Pending:
        """Ask the broker."""
        services = [each.target.decode("utf-8", "replace") for each in self.attachments]
        pending = connection.start(
            b"", [self._terms.body(services)], kind=Kind.RESERVE, budget_s=self.patience_s, on_done=on_done
        )
        pending.flags = Flag.READ  # if its connection is lost, so is what it was granted: ask again
        return pending

    def granted(self, connection: Connection, envelope: Envelope, frames: list[Any]) -> None:
        """The broker has granted it."""
        facts = codec.decode_plain(frames[0], frames[1:])
        if type(facts) is not dict or not envelope.token:
            raise ProtocolError("the broker granted a reservation without saying which")
        grant = Grant(self.home, connection, envelope.token, facts, self._terms.mode)
        grant.spread(each.holdings for each in self.attachments)

    @property
    def longest_s(self) -> float:
        """After so long without an answer, something is wrong."""
        return self.patience_s + ANSWER_S

    def unanswered(self) -> TimeoutError:
        """The error for that."""
        return TimeoutError(f"the broker has not answered within {self.longest_s:g} s; nothing is reserved")

    def renew(self, error: CommunicationError) -> None:
        """Before another try: look all names up again, if a service has gone."""
        if isinstance(error, ServiceGone):
            for each in self.attachments[1:]:
                each.may_renew(error)


def obtain(claim: Claim) -> None:
    """Ask until it is granted or refused; again where it is safe, as with any call."""
    retries = Retries(claim.home, Flag.READ, 0, clock_s())  # it moves nothing, so it may be late
    while True:
        try:
            return _ask(claim)
        except CommunicationError as error:
            if not retries.allowed_after(error):
                raise
            claim.renew(error)


def _ask(claim: Claim) -> None:
    now = clock_s()
    connections = [each.ready(now, Flag.READ) for each in claim.attachments]
    claim.check_brokers(connections)
    pending = claim.start(connections[0])
    try:
        answer = connections[0].wait(pending, claim.longest_s)
    except CallTimedOut:
        raise claim.unanswered() from None
    claim.granted(connections[0], *answer)
