"""Streams for asyncio programs: the frames are waited for in a thread, one for each subscription."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from typing_extensions import Self

from pyrolab.client.stream_subscription import StreamSubscription
from pyrolab.streams.received import Frame

Outcome = TypeVar("Outcome")


class AsyncStreamSubscription:
    """Frames of a stream: `async for`, within `async with`. What it counts is as of `StreamSubscription`."""

    def __init__(self, subscribe: Callable[[], StreamSubscription]) -> None:
        self._subscribe = subscribe
        self._made: StreamSubscription | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pyrolab-frames")

    def __getattr__(self, name: str) -> Any:
        """`delivered`, `dropped`, `rate`, `path` and the like."""
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        if self._made is None:
            raise RuntimeError(f"{name} is known when it has begun: `async with ….subscribe() as frames`")
        return getattr(self._made, name)

    async def __aenter__(self) -> Self:
        await self._started()
        return self

    async def __aexit__(self, *reason: object) -> None:
        await self.aclose()

    async def _started(self) -> StreamSubscription:
        made = self._made
        if made is None:
            made = self._made = await self._aside(self._subscribe)
        return made

    async def _aside(self, act: Callable[..., Outcome], *args: Any) -> Outcome:
        return await asyncio.get_running_loop().run_in_executor(self._thread, act, *args)

    async def get(self, timeout: float | None = None) -> Frame:
        """The next frame. Raises what `StreamSubscription.get` raises, but `StopAsyncIteration` at the end.

        A frame that has come for a task which was cancelled is the next one's.
        """
        subscription = await self._started()
        frame: Frame | None = await self._aside(_next_of, subscription, timeout)
        if frame is None:
            raise StopAsyncIteration
        return frame

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Frame:
        return await self.get()

    async def aclose(self) -> None:
        """End it."""
        made = self._made
        if made is not None:
            await asyncio.to_thread(made.close)
        self._thread.shutdown(wait=False)


def _next_of(subscription: StreamSubscription, timeout: float | None) -> Frame | None:
    """A frame, or None at the end: `StopIteration` cannot pass through a future."""
    try:
        return subscription.get(timeout)
    except StopIteration:
        return None
