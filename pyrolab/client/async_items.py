"""What comes to asyncio programs bit by bit: the items of a generator, the messages of an event."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from typing_extensions import Self

from pyrolab.client.async_side import AsyncSide
from pyrolab.client.iteration import RemoteIterator
from pyrolab.client.node import HeldProxy
from pyrolab.client.subscriptions import Subscription
from pyrolab.protocol.envelope import Flag


class AsyncItems:
    """The items of an iterator or generator of a service, each as `seen` makes it."""

    def __init__(self, side: AsyncSide, iterator: RemoteIterator, seen: Callable[[Any], Any]) -> None:
        self._side = side
        self._iterator = iterator
        self._seen = seen

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        iterator = self._iterator
        while not iterator.has_items:
            held = iterator.held
            if held is None:
                raise StopAsyncIteration
            iterator.take(await self._fetch(held, iterator.due()))
        return self._seen(iterator.pop())

    async def _fetch(self, held: HeldProxy, count: int) -> Any:
        try:
            return await self._side.invoke(held._steps, "next", (count,), None, Flag.NONE, held._session)
        except Exception:
            self._iterator.close()
            raise

    async def aclose(self) -> None:
        """Close it at the service as well; no items come any more."""
        self._iterator.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *reason: object) -> None:
        await self.aclose()


class AsyncSubscription:
    """Messages of an event, or changes of a property: `async for`, from the first step on or from `async
    with` on.
    """

    def __init__(self, subscribe: Callable[[], Subscription]) -> None:
        self._subscribe = subscribe
        self._subscription: Subscription | None = None
        self._arrived = asyncio.Event()

    @property
    def missed(self) -> int:
        """Messages that are known to be lost."""
        return 0 if self._subscription is None else self._subscription.missed

    @property
    def interruptions(self) -> int:
        """How often nobody could know whether any were lost."""
        return 0 if self._subscription is None else self._subscription.interruptions

    async def __aenter__(self) -> Self:
        await self._started()
        return self

    async def __aexit__(self, *reason: object) -> None:
        await self.aclose()

    async def _started(self) -> Subscription:
        if self._subscription is None:
            subscription = self._subscription = await asyncio.to_thread(self._subscribe)
            subscription.on_arrival = _Bell(asyncio.get_running_loop(), self._arrived).ring
        return self._subscription

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        subscription = await self._started()
        while True:
            self._arrived.clear()
            try:
                return subscription.get(timeout=0)
            except TimeoutError:
                await self._arrived.wait()
            except StopIteration:
                raise StopAsyncIteration from None

    async def aclose(self) -> None:
        """End it."""
        if self._subscription is not None:
            await asyncio.to_thread(self._subscription.close)


class _Bell:
    """Sets an event in its loop, from other threads; one ring at a time is on its way, whatever comes."""

    def __init__(self, loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
        self._loop = loop
        self._event = event
        self._rings = False

    def ring(self) -> None:
        if self._rings:
            return
        self._rings = True
        try:
            self._loop.call_soon_threadsafe(self._heard)
        except RuntimeError:
            pass  # the loop has ended: nobody listens there any more

    def _heard(self) -> None:
        self._rings = False
        self._event.set()
