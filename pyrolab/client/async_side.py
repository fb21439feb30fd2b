"""How asyncio programs call through an attachment: sending and reading in the loop, connecting beside it."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Sequence
from typing import Any

from pyrolab.client.attachment import Attachment, Message, Retries
from pyrolab.client.calls import Pending
from pyrolab.client.connection import GRACE_S, NO_WORD, Connection
from pyrolab.client.deadlines import deadline_here
from pyrolab.client.loop_reader import LoopReader
from pyrolab.errors import CallTimedOut, CommunicationError
from pyrolab.protocol.call_body import Step
from pyrolab.protocol.envelope import Flag


class AsyncSide:
    """Calls of one attachment, from any number of tasks."""

    def __init__(self, attachment: Attachment) -> None:
        self.attachment = attachment
        self._reader: LoopReader | None = None

    def __del__(self) -> None:
        reader = self.__dict__.get("_reader")
        if reader is not None and not reader.loop.is_closed():
            reader.loop.call_soon_threadsafe(reader.close)

    async def connected(self) -> Connection:
        """The connection; opens one, beside the loop, if there is none."""
        found = self.attachment.connection
        return found if found is not None else await asyncio.to_thread(self.attachment.connected)

    async def release(self) -> None:
        """Give the place in the broker's pool back."""
        reader, self._reader = self._reader, None
        if reader is not None and reader.loop is asyncio.get_running_loop():
            reader.close()
        await asyncio.to_thread(self.attachment.release)

    async def invoke(
        self,
        steps: Sequence[Step],
        verb: str,
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
        flags: int = Flag.NONE,
        session: int = 0,
    ) -> Any:
        """One call; raises what the service raised. Cancelling the task cancels the call."""
        args, kwargs = _callable_from_threads(args, kwargs or {})
        message = self.attachment.packed(steps, verb, args, kwargs, waits=True)
        retries = None
        while True:
            try:
                pending = await self._attempt(message, flags, session)
                break
            except CommunicationError as error:
                retries = retries or Retries(self.attachment, flags, session)
                if not await asyncio.to_thread(retries.allowed_after, error):
                    raise
        return None if pending is None else self.attachment.value_of(*Connection.answer_of(pending))

    async def _attempt(self, message: Message, flags: int, session: int) -> Pending | None:
        connection = await self.connected()
        self.attachment.check_session(connection, session)
        reader = self._reader_of(connection)
        if flags & Flag.ONEWAY:
            self.attachment.start(connection, message, flags)
            return None
        async with reader.room:
            pending = await self._answer(reader, message, flags)
        if pending.error is not None:
            raise pending.error
        return pending

    async def _answer(self, reader: LoopReader, message: Message, flags: int) -> Pending:
        answered = reader.loop.create_future()
        pending = self.attachment.start(reader.connection, message, flags, _settler(reader, answered))
        reader.expect()
        seconds = deadline_here(self.attachment.timeout_s)
        try:
            if seconds is None:
                await answered
            else:
                await asyncio.wait_for(answered, seconds + GRACE_S)
        except asyncio.TimeoutError:
            reader.connection.cancel(pending)
            raise CallTimedOut(NO_WORD, call=pending.number) from None
        except asyncio.CancelledError:
            reader.connection.cancel(pending)
            raise
        return pending

    def _reader_of(self, connection: Connection) -> LoopReader:
        reader, loop = self._reader, asyncio.get_running_loop()
        if reader is None or reader.connection is not connection or reader.loop is not loop:
            if reader is not None and reader.loop is loop:
                reader.close()
            reader = self._reader = LoopReader(connection, loop)
        return reader


def _settler(reader: LoopReader, answered: asyncio.Future[None]) -> Callable[[Pending], None]:
    """What tells a task of its answer, from whichever thread has read it."""

    def settle(pending: Pending) -> None:
        if threading.get_ident() == reader.thread:
            _set(answered)
        elif not reader.loop.is_closed():
            reader.loop.call_soon_threadsafe(_set, answered)

    return settle


def _set(answered: asyncio.Future[None]) -> None:
    if not answered.done():
        answered.set_result(None)


def _callable_from_threads(
    args: Sequence[Any], kwargs: dict[str, Any]
) -> tuple[Sequence[Any], dict[str, Any]]:
    """The arguments, with coroutine functions as functions that run them in this loop."""
    if not any(map(inspect.iscoroutinefunction, [*args, *kwargs.values()])):
        return args, kwargs
    loop = asyncio.get_running_loop()
    return [_in_loop(each, loop) for each in args], {n: _in_loop(each, loop) for n, each in kwargs.items()}


def _in_loop(value: Any, loop: asyncio.AbstractEventLoop) -> Any:
    if not inspect.iscoroutinefunction(value):
        return value
    return lambda *args, **kwargs: asyncio.run_coroutine_threadsafe(value(*args, **kwargs), loop).result()
