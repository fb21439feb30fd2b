"""Reservations for asyncio: `async with stage.reserve(): ...`, `await stage.lock()`."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Generator, Sequence
from functools import partial
from typing import Any

from typing_extensions import Self

from pyrolab.client import reservation
from pyrolab.client.async_side import AsyncSide
from pyrolab.client.calls import Pending
from pyrolab.client.claim import Claim, Terms
from pyrolab.client.connection import Connection
from pyrolab.client.grants import ANSWER_S, Grant
from pyrolab.client.reservation import Reservation
from pyrolab.client.retries import Retries
from pyrolab.errors import CommunicationError, TimeoutError
from pyrolab.link.clock import clock_s
from pyrolab.protocol.envelope import Flag, Kind


class AsyncReservation:
    """As `Reservation`; `release` is awaited."""

    def __init__(self, held: Reservation, sides: Sequence[AsyncSide]) -> None:
        self._held = held
        self._sides = sides

    @property
    def plain(self) -> Reservation:
        """The same for threads."""
        return self._held

    @property
    def token(self) -> int:
        """The fencing token that calls carry."""
        return self._held.token

    @property
    def user(self) -> str:
        """For whom it is."""
        return self._held.user

    @property
    def since(self) -> float | None:
        """When it began, as Unix time in s."""
        return self._held.since

    @property
    def until(self) -> float | None:
        """When it would have ended if the connection had fallen silent at once, as Unix time in s."""
        return self._held.until

    @property
    def services(self) -> list[str]:
        """The object ids of what is reserved."""
        return self._held.services

    @property
    def lost(self) -> bool:
        """Whether it is known to have ended too early."""
        return self._held.lost

    async def release(self) -> None:
        """Let others use the services again; they can, when this returns. Calling it twice is all right."""
        for grant in self._held.finish():
            await _give_back(self._sides, grant)

    async def __aenter__(self) -> Self:
        self._held.enter()
        return self

    async def __aexit__(self, *reason: object) -> None:
        self._held.enter(-1)
        await self.release()

    def __repr__(self) -> str:
        return repr(self._held)


async def _give_back(sides: Sequence[AsyncSide], grant: Grant) -> None:
    side = next((each for each in sides if each.attachment is grant.home), None)
    if side is None:
        grant.drop()
    elif grant.finish():
        with contextlib.suppress(CommunicationError):  # it ends with its connection
            await side.answered(side.reader_of(grant.connection), partial(_ask_back, grant), ANSWER_S)


def _ask_back(grant: Grant, on_done: Callable[[Pending], None]) -> Pending:
    return grant.connection.start(b"", kind=Kind.RELEASE, token=grant.token, on_done=on_done)


async def reserve(sides: Sequence[AsyncSide], terms: Terms) -> AsyncReservation:
    """What these sides hold from now on. Cancelling the task takes it out of the queue."""
    attachments = [each.attachment for each in sides]
    patience_s = terms.patience_s(attachments[0].deadline_s)
    async with _turns(sides, patience_s):
        lacking = [each for each in sides if reservation.held_by(each.attachment) is None]
        if lacking:
            await _persist(lacking, Claim([each.attachment for each in lacking], terms, patience_s))
        return AsyncReservation(reservation.of(attachments), sides)


@contextlib.asynccontextmanager
async def _turns(sides: Sequence[AsyncSide], patience_s: float) -> AsyncIterator[None]:
    """One task at a time reserves something for a proxy."""
    end = time.monotonic() + patience_s + ANSWER_S
    async with contextlib.AsyncExitStack() as taken:
        for each in sorted(sides, key=id):
            lock = each.turn()
            try:
                await asyncio.wait_for(lock.acquire(), max(end - time.monotonic(), 0))
            except asyncio.TimeoutError:
                text = "another task still waits for what this one wants to reserve"
                raise TimeoutError(text) from None
            taken.callback(lock.release)
        yield


async def _persist(sides: Sequence[AsyncSide], claim: Claim) -> None:
    retries = Retries(claim.home, Flag.READ, 0, clock_s())
    while True:
        try:
            return await _ask(sides, claim)
        except CommunicationError as error:
            if not await asyncio.to_thread(retries.allowed_after, error):
                raise
            await asyncio.to_thread(claim.renew, error)


async def _ask(sides: Sequence[AsyncSide], claim: Claim) -> None:
    connections: list[Connection] = [await each.ready(clock_s(), Flag.READ) for each in sides]
    claim.check_brokers(connections)
    first = connections[0]
    reader = sides[0].reader_of(first)
    pending = await sides[0].answered(reader, partial(claim.start, first), claim.longest_s)
    if not pending.settled:
        raise claim.unanswered()
    claim.granted(first, *first.answer_of(pending))


class Reserving:
    """What will be reserved, when this is awaited or entered."""

    def __init__(self, sides: Sequence[AsyncSide], terms: Terms) -> None:
        self._sides = list(dict.fromkeys(sides))
        self._terms = terms
        self._reservation: AsyncReservation | None = None

    def __await__(self) -> Generator[Any, None, AsyncReservation]:
        return reserve(self._sides, self._terms).__await__()

    async def __aenter__(self) -> AsyncReservation:
        self._reservation = await self
        return await self._reservation.__aenter__()

    async def __aexit__(self, *reason: object) -> None:
        assert self._reservation is not None
        await self._reservation.__aexit__(*reason)
