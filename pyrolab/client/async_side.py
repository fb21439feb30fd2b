"""How asyncio programs call through an attachment: sending and reading in the loop, connecting beside it."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import threading
import weakref
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from types import FunctionType, MethodType
from typing import Any

from pyrolab.client.attachment import Attachment, Message
from pyrolab.client.calls import Pending
from pyrolab.client.connection import GRACE_S, Connection
from pyrolab.client.deadlines import deadline_here
from pyrolab.client.loop_reader import LoopReader
from pyrolab.client.retries import Retries, refuse_late
from pyrolab.errors import CommunicationError
from pyrolab.link import context, waiting
from pyrolab.link.clock import clock_s
from pyrolab.protocol.call_body import Step
from pyrolab.protocol.codec import Codec, Encoder
from pyrolab.protocol.envelope import Envelope, Flag


class AsyncSide:
    """Calls of one attachment, from any number of tasks."""

    def __init__(self, attachment: Attachment) -> None:
        self.attachment = attachment
        self._readers: dict[asyncio.AbstractEventLoop, LoopReader] = {}
        self._opening: dict[asyncio.AbstractEventLoop, asyncio.Future[Connection]] = {}
        self._turns: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = (
            weakref.WeakKeyDictionary()
        )
        for kind in (FunctionType, MethodType, partial):
            attachment.codec.prefer(kind, _in_loop(attachment.codec))

    def __del__(self) -> None:
        for loop, reader in self.__dict__.get("_readers", {}).items():
            with contextlib.suppress(RuntimeError):  # the loop has ended, and its reader with it
                loop.call_soon_threadsafe(reader.close)

    async def connected(self) -> Connection:
        """The connection; opens one, beside the loop, if there is none."""
        found = self.attachment.connection
        return found if found is not None else await self._connect()

    async def _connect(self) -> Connection:
        """All tasks that come meanwhile share one attempt; cancelling some of them leaves it to the rest."""
        loop = asyncio.get_running_loop()
        opening = self._opening.get(loop)
        if opening is None:
            opening = asyncio.ensure_future(asyncio.to_thread(self.attachment.connected))
            self._opening[loop] = opening
            opening.add_done_callback(lambda _: self._opening.pop(loop, None))
        try:
            return await asyncio.shield(opening)
        except Exception as error:  # noqa: BLE001 - it is raised again
            # It is everybody's: do not pile up their tracebacks.
            raise error.with_traceback(None) from error.__cause__

    async def release(self) -> None:
        """Give the place in the broker's pool back."""
        reader = self._readers.pop(asyncio.get_running_loop(), None)
        if reader is not None:
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
        message = self.attachment.packed(steps, verb, args, kwargs, waits=not flags & Flag.ONEWAY)
        retries = connection = None
        asked = clock_s()
        while True:
            try:
                with nullcontext() if retries is None else retries.remaining():
                    connection = await self.ready(clock_s(), flags, asked)
                    answer = await self._attempt(connection, message, flags, session)
                break
            except CommunicationError as error:
                retries = retries or Retries(self.attachment, flags, session, asked)
                if not await asyncio.to_thread(retries.allowed_after, error, connection):
                    raise
        return None if answer is None else self.attachment.value_of(*answer)

    async def ready(self, now: float, flags: int, asked: float | None = None) -> Connection:
        """The connection, fit for a call that is sent `now`; as `Attachment.ready`."""
        connection = await self.connected()
        attachment = self.attachment
        if connection.doubtful(now) or not attachment.holdings.sound or attachment.has_gone:
            return await asyncio.to_thread(attachment.ready, now, flags, asked)
        refuse_late(now if asked is None else asked, flags)
        return connection

    def turn(self) -> asyncio.Lock:
        """Whichever task wants to reserve something takes this first: one at a time."""
        return self._turns.setdefault(asyncio.get_running_loop(), asyncio.Lock())

    async def _attempt(
        self, connection: Connection, message: Message, flags: int, session: int
    ) -> tuple[Envelope, list[Any]] | None:
        connection.check_session(session)
        if flags & Flag.ONEWAY:
            self.attachment.start(connection, message, flags)
            context.incoming_response(None)
            return None
        if not flags & Flag.URGENT:
            waiting.check(self.attachment.target, self.attachment.uri.object)
        seconds = deadline_here(self.attachment.timeout_s)
        patience_s = None if seconds is None else seconds + GRACE_S
        start = partial(self.attachment.start, connection, message, flags)
        reader = self.reader_of(connection)
        async with reader.room:
            pending = await self.answered(reader, start, patience_s)
        if not pending.settled:
            raise connection.timed_out(pending)
        return self.attachment.answer_of(connection, pending)

    async def answered(
        self,
        reader: LoopReader,
        start: Callable[[Callable[[Pending], None]], Pending],
        timeout_s: float | None,
    ) -> Pending:
        """What `start` has begun, when it is settled; or given up, after `timeout_s`."""
        answered = reader.loop.create_future()
        pending = start(_settler(reader, answered))
        timer = None if timeout_s is None else reader.loop.call_later(timeout_s, _set, answered)
        reader.out.add(answered)
        in_time = False
        try:
            await answered
            in_time = pending.done
        finally:
            reader.out.discard(answered)
            if timer is not None:
                timer.cancel()
            if not in_time:
                reader.connection.cancel(pending)
        return pending

    def reader_of(self, connection: Connection) -> LoopReader:
        """What reads this connection in the loop that runs."""
        loop = asyncio.get_running_loop()
        reader = self._readers.get(loop)
        if reader is None or reader.connection is not connection:
            for each in [each for each in tuple(self._readers) if each is loop or each.is_closed()]:
                if (old := self._readers.pop(each, None)) is not None:
                    old.close()
            reader = self._readers[loop] = LoopReader(connection, loop)
        return reader


def _settler(reader: LoopReader, answered: asyncio.Future[None]) -> Callable[[Pending], None]:
    """What tells a task of its answer, from whichever thread has read it."""

    def settle(pending: Pending) -> None:
        if threading.get_ident() == reader.thread and not reader.loop.is_closed():
            _set(answered)
            return
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits any more
            reader.loop.call_soon_threadsafe(_set, answered)

    return settle


def _set(answered: asyncio.Future[None]) -> None:
    if not answered.done():
        answered.set_result(None)


def _in_loop(codec: Codec) -> Callable[[Encoder, Any], Any]:
    """Writes coroutine functions as functions that run them in the loop in which they were passed on."""

    def write(encoder: Encoder, value: Any) -> Any:
        if not inspect.iscoroutinefunction(value):
            return None
        loop = asyncio.get_running_loop()

        def run(*args: Any, **kwargs: Any) -> Any:
            coroutine = value(*args, **kwargs)
            try:
                return asyncio.run_coroutine_threadsafe(coroutine, loop).result()
            finally:
                coroutine.close()  # if the loop has ended, it never began

        run.__name__ = getattr(value, "__name__", repr(value))
        return codec.packing_of(FunctionType)(encoder, run)

    return write
