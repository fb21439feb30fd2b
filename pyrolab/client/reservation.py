"""Reservations: services for oneself alone, as `with stage.reserve(): ...`, and PyroLab's `lock`.

A reservation belongs to the proxies through which it was made, in whichever thread they are used. It is a
lease that their connection renews by living; `pyrolab.client.grants` keeps it over a lost one.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol, overload

from typing_extensions import Self

from pyrolab.client.attachment import Attachment
from pyrolab.client.claim import Claim, Terms, obtain
from pyrolab.client.grants import ANSWER_S, Grant, Holdings
from pyrolab.client.reached import Reached
from pyrolab.errors import (
    LockedError,
    ReservationLost,
    TimeoutError,
)
from pyrolab.link.clock import clock_s
from pyrolab.protocol.envelope import Flag
from pyrolab.protocol.moments import time_of_day
from pyrolab.protocol.names import NAME_SERVICE

if TYPE_CHECKING:
    from pyrolab.client.async_reservation import Reserving
    from pyrolab.client.async_side import AsyncSide

_counting = threading.Lock()


class Reservation:
    """Services that are reserved until `release`, or the end of `with`.

    `user` is for whom, `since` and `until` are Unix times in s: `until` is when it ends if the connection
    falls silent now. `services` are object ids. `lost` says that it has ended too early: because somebody has
    taken it over, or the connection was away for too long. What relies on it then raises `ReservationLost`.
    """

    def __init__(self, attachments: Sequence[Attachment], grants: Sequence[Grant]) -> None:
        #: What holds it must be there as long as it is.
        self._attachments: Sequence[Attachment] = attachments
        self._grants = grants
        self._released = False
        with _counting:
            for each in grants:
                each.uses += 1

    @property
    def token(self) -> int:
        """The fencing token that calls carry."""
        return self._grants[-1].token

    @property
    def user(self) -> str:
        """For whom it is."""
        return self._grants[-1].user

    @property
    def since(self) -> float | None:
        """When it began."""
        return self._grants[-1].since

    @property
    def until(self) -> float | None:
        """When it would have ended if the connection had fallen silent at once; None if the broker said
        nothing.
        """
        return self._grants[-1].until

    @property
    def services(self) -> list[str]:
        """The object ids of what is reserved."""
        return list(dict.fromkeys(name for grant in self._grants for name in grant.services))

    @property
    def lost(self) -> bool:
        """Whether it is known to have ended too early."""
        return any(each.lost for each in self._grants)

    @property
    def in_force(self) -> bool:
        """Whether it has neither ended nor been released, as far as is known here."""
        return not self._released and not any(each.closed for each in self._grants)

    def of_its_proxy(self) -> Self:
        """Itself, kept by the attachment that holds it, and not the other way round."""
        self._attachments = ()
        return self

    def release(self) -> None:
        """Let others use the services again; they can, when this returns. Calling it twice is all right."""
        for grant in self.finish():
            grant.give_back()

    def finish(self) -> list[Grant]:
        """It is needed no longer. Returns what nobody here needs any more, to be given back."""
        with _counting:
            if self._released:
                return []
            self._released = True
            for each in self._grants:
                each.uses -= 1
            return [each for each in self._grants if not each.uses]

    def enter(self, blocks: int = 1) -> None:
        """A `with` block begins, or, with -1, ends."""
        with _counting:
            for each in self._grants:
                each.entered += blocks

    def __enter__(self) -> Self:
        self.enter()
        return self

    def __exit__(self, *reason: object) -> None:
        self.enter(-1)
        self.release()

    def __repr__(self) -> str:
        state = "lost" if self.lost else self._grants[-1].mode if self.in_force else "released"
        since = "" if self.since is None else f" since {time_of_day(self.since)}"
        return f"<Reservation of {', '.join(self.services)} for {self.user or 'somebody'}{since}, {state}>"


class AsyncReached(Protocol):
    """An asyncio proxy."""

    _side: AsyncSide


@overload
def reserve(
    *proxies: Reached,
    user: str = "",
    wait: float | None = None,
    force: bool = False,
    for_s: float | None = None,
) -> Reservation: ...
@overload
def reserve(
    *proxies: AsyncReached,
    user: str = "",
    wait: float | None = None,
    force: bool = False,
    for_s: float | None = None,
) -> Reserving: ...
def reserve(
    *proxies: Any,
    user: str = "",
    wait: float | None = None,
    force: bool = False,
    for_s: float | None = None,
) -> Reservation | Reserving:
    """Have these services for yourself: `with reserve(stage, laser): ...`. Others can read meanwhile.

    All of them are granted together, so two programs never wait for each other. `user` is for whom, by
    default whoever is logged in. Waits in a fair queue for `wait` s; 0: not at all; None: as long as a call
    may take here, or 10 s if there is no deadline. `force` takes them from whoever has them, which is logged.
    `for_s` ends it after so many s in any case. What these proxies hold already, they go on holding after it.
    With asyncio proxies it is `async with reserve(stage, laser): ...`.

    Raises `LockedError`, a `ConnectionRefusedError`, if somebody else has one of them, and `ValueError` for
    services of different brokers.
    """
    if not proxies:
        raise ValueError("reserve what? Give at least one proxy: reserve(stage, laser)")
    terms = Terms(user, wait, force, for_s)
    kinds = {hasattr(type(each), "__aenter__") for each in proxies}
    if len(kinds) > 1:
        raise TypeError("reserve plain proxies or asyncio proxies, not both together")
    if kinds == {True}:
        from pyrolab.client.async_reservation import Reserving

        return Reserving([each._side for each in proxies], terms)
    return reserved(list(dict.fromkeys(each._attachment for each in proxies)), terms)


def reserved(attachments: Sequence[Attachment], terms: Terms) -> Reservation:
    """What these attachments hold from now on."""
    patience_s = terms.patience_s(attachments[0].deadline_s)
    with _turns([each.holdings for each in attachments], patience_s):
        lacking = [each for each in attachments if held_by(each) is None]
        if lacking:
            obtain(Claim(lacking, terms, patience_s))
        return of(attachments)


def held_by(attachment: Attachment) -> Grant | None:
    """What it holds now."""
    grant = attachment.holdings.innermost
    return None if grant is None or grant.closed else grant


def of(attachments: Sequence[Attachment]) -> Reservation:
    """One more reservation of what these hold."""
    found = dict.fromkeys(attachment.holdings.innermost for attachment in attachments)
    grants = [each for each in found if each is not None]
    if len(grants) < len(found):
        raise ReservationLost("the proxy was released in another thread while it reserved its service")
    return Reservation(list(attachments), grants)


@contextlib.contextmanager
def _turns(holdings: Sequence[Holdings], patience_s: float) -> Iterator[None]:
    """One thread at a time reserves something for a proxy, so that the next one finds it reserved."""
    deadline = time.monotonic() + patience_s + ANSWER_S
    with contextlib.ExitStack() as taken:
        for each in sorted(holdings, key=id):
            if not each.turn.acquire(timeout=max(deadline - time.monotonic(), 0)):
                raise TimeoutError("another thread still waits for what this one wants to reserve")
            taken.callback(each.turn.release)
        yield


# -- PyroLab's lock --------------------------------------------------------------------------------------


def lock(attachment: Attachment, user: str = "") -> bool:
    """Reserve a service until `unlock`, or until its proxy is released. Raises `LockedError`."""
    held = attachment.locked
    if held is None or not held.in_force:
        attachment.locked = reserved([attachment], Terms(user, wait_s=0)).of_its_proxy()
    return True


def unlock(attachment: Attachment) -> bool:
    """Let others use it again. Raises `LockedError` if it is somebody else who has it."""
    held, attachment.locked = attachment.locked, None
    if held is not None:
        held.release()
        return True
    if held_by(attachment) is None and (theirs := _locked_by(attachment, _reservations(attachment))):
        raise theirs
    return True


def is_locked(attachment: Attachment) -> bool:
    """Whether anybody, be it this proxy, has the service for themselves."""
    grant = held_by(attachment)
    if grant is not None and grant.mode == "reservation":
        return True
    return _locked_by(attachment, _reservations(attachment)) is not None


def _reservations(attachment: Attachment) -> Any:
    """All that the broker has granted."""
    message = attachment.packed(["reservations"], "call", (), None)
    connection = attachment.ready(clock_s(), Flag.READ)
    pending = connection.start(
        NAME_SERVICE.encode(), message, flags=Flag.READ, budget_s=attachment.deadline_s
    )
    return attachment.value_of(*connection.wait(pending, attachment.deadline_s))


def _locked_by(attachment: Attachment, listed: Any) -> LockedError | None:
    """The error that says who has reserved this service, if anybody has."""
    name = attachment.target.decode("utf-8", "replace")
    for each in listed:
        if name in each["services"] and each["mode"] == "reservation":
            since = time_of_day(each["since"])
            return LockedError(
                f"{name} is reserved by {each['user'] or 'somebody'} ({each['holder']}) since {since}",
                user=each["user"],
                since=each["since"],
                until=each["until"],
            )
    return None
