"""`AsyncProxy`: the client-side stand-in of a service, for asyncio.

Whatever goes to the service is awaited: `await laser.move(3)`, `await laser.wavelength`,
`await laser.wavelength.set(1550)`, `await smu.ch_1.voltage`, `async for point in laser.sweep()`. Nothing is
sent before.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from typing import Any

from typing_extensions import Self

from pyrolab.client.async_side import AsyncSide
from pyrolab.client.attachment import Attachment
from pyrolab.client.iteration import RemoteIterator
from pyrolab.client.node import HeldProxy, Node, SubProxy
from pyrolab.client.proxy import Proxy
from pyrolab.client.references import codec_for
from pyrolab.client.shape import Shape
from pyrolab.client.subscriptions import Subscription, Watch
from pyrolab.protocol.call_body import Step, path_text
from pyrolab.protocol.envelope import Flag
from pyrolab.protocol.interface import Method
from pyrolab.protocol.names import URI


class _Reachable:
    """Something of a service from which steps lead on."""

    _side: AsyncSide
    _steps: tuple[Step, ...]
    _session = 0

    def __getattr__(self, name: str) -> AsyncMember:
        if name.startswith("_") and not (name.startswith("__") and self._has_method(name)):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return AsyncMember(self._side, (*self._steps, name), self._session)

    def __getitem__(self, key: Any) -> AsyncMember:
        return AsyncMember(self._side, (*self._steps, [key]), self._session)

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_"):
            raise AttributeError(f"setting takes time; write `await ….{name}.set({value!r})`")
        object.__setattr__(self, name, value)

    def _has_method(self, name: str) -> bool:
        shape = self._side.attachment.shape
        return not self._steps and shape is not None and name in shape.methods

    def watch(self, name: str, every: float | None = None) -> AsyncSubscription:
        """The changes of a property: `async for change in laser.watch("wavelength")`; see `Proxy.watch`."""
        owner = Node(self._side.attachment, self._steps, None)
        return AsyncSubscription(lambda: Watch(owner, name, every))

    def __aiter__(self) -> AsyncIterator[Any]:
        return AsyncCall(self._side, (*self._steps, "__iter__"), "call", self._session).__aiter__()


class AsyncProxy(_Reachable):
    """A service, as if it were here, for asyncio; see `Proxy` for `uri`.

    Any number of tasks may use one at once. Cancelling a task cancels its call. `with timeout(5):` and
    `_pyroTimeout` give deadlines. Arguments are checked before anything is sent.
    """

    def __init__(self, uri: str | URI) -> None:
        attachment = Attachment(URI(uri))
        attachment.codec = codec_for(attachment)
        self._side = AsyncSide(attachment)
        self._steps = ()

    @property
    def _pyroUri(self) -> URI:
        """The URI, with the broker's address."""
        return self._side.attachment.uri

    @property
    def _pyroTimeout(self) -> float | None:
        """Seconds that each call may take, or None."""
        return self._side.attachment.timeout_s

    @_pyroTimeout.setter
    def _pyroTimeout(self, seconds: float | None) -> None:
        self._side.attachment.timeout_s = seconds

    @property
    def _pyroMaxRetries(self) -> int:
        """How often what only reads is tried again after a failure."""
        return self._side.attachment.max_retries

    @_pyroMaxRetries.setter
    def _pyroMaxRetries(self, retries: int) -> None:
        self._side.attachment.max_retries = retries

    @property
    def _pyroConnected(self) -> bool:
        """Whether this proxy holds a place in the broker's pool now."""
        return self._side.attachment.connection is not None

    async def _pyroBind(self) -> bool:
        """Connect now. Returns whether there was no connection before."""
        was_connected = self._pyroConnected
        await self._side.connected()
        return not was_connected

    async def _pyroRelease(self) -> None:
        """Give the place in the broker's pool back; the next use connects again."""
        await self._side.release()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *reason: object) -> None:
        await self._pyroRelease()

    def __call__(self, *args: Any, **kwargs: Any) -> AsyncCall:
        """Call the object itself, if its class can be called."""
        return AsyncCall(self._side, ("__call__",), "call", 0, args, kwargs)

    def __dir__(self) -> list[str]:
        shape = self._side.attachment.shape
        return sorted({*object.__dir__(self), *(shape.interface.names() if shape is not None else ())})

    def __repr__(self) -> str:
        state = "connected" if self._pyroConnected else "not connected"
        return f"<AsyncProxy at {self._pyroUri}, {state}>"


class AsyncNode(_Reachable):
    """A sub-object that has been awaited; members lead on from it, and it can be an argument."""

    def __init__(self, side: AsyncSide, node: SubProxy) -> None:
        self._side = side
        self._node = node
        self._steps = node._steps
        self._session = node._session

    async def __aenter__(self) -> Any:
        entered = await AsyncCall(self._side, (*self._steps, "__enter__"), "call", self._session)
        same = isinstance(entered, AsyncNode) and entered._node == self._node
        return self if same else entered

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: Any) -> bool:
        shown = error if isinstance(error, Exception) else None
        steps = (*self._steps, "__exit__")
        return bool(await AsyncCall(self._side, steps, "call", self._session, (None, shown, None)))

    def __repr__(self) -> str:
        return repr(self._node)


class AsyncMember(_Reachable):
    """A member of a service: await it to read it, call it if it is a method, go on to a sub-object's members.

    `set` and `delete` are for properties and items. A method of that name of a sub-object is reached by
    awaiting the sub-object first.
    """

    def __init__(self, side: AsyncSide, steps: tuple[Step, ...], session: int = 0) -> None:
        self._side = side
        self._steps = steps
        self._session = session

    def __await__(self) -> Generator[Any, None, Any]:
        return AsyncCall(self._side, self._steps, "get", self._session).__await__()

    def __call__(self, *args: Any, **kwargs: Any) -> AsyncCall:
        """Call it there, when this is awaited or iterated over."""
        return AsyncCall(self._side, self._steps, "call", self._session, args, kwargs)

    def set(self, value: Any) -> AsyncCall:
        """Set the property or item, when this is awaited."""
        return AsyncCall(self._side, self._steps, "set", self._session, (value,))

    def delete(self) -> AsyncCall:
        """Delete the property or item, when this is awaited."""
        return AsyncCall(self._side, self._steps, "del", self._session)

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._items()

    async def _items(self) -> AsyncIterator[Any]:
        await self._side.connected()
        shape = _shape_at(self._side.attachment, self._steps[:-1])
        if shape is not None and self._steps[-1] in shape.interface.events:
            owner = Node(self._side.attachment, self._steps[:-1], None)
            subscription = AsyncSubscription(lambda: Subscription(owner, str(self._steps[-1])))
            async with subscription:
                async for values in subscription:
                    yield values
            return
        async for item in AsyncCall(self._side, self._steps, "get", self._session):
            yield item

    def __repr__(self) -> str:
        return f"<member {path_text(self._steps)} of {self._side.attachment.uri}; await it>"


class AsyncCall(Coroutine[Any, Any, Any]):
    """Something to do at a service: await it for its result, or iterate over what it gives.

    It is a coroutine, so `asyncio.create_task(laser.move(3))` works, and never awaiting it is a
    `RuntimeWarning`.
    """

    def __init__(
        self,
        side: AsyncSide,
        steps: tuple[Step, ...],
        verb: str,
        session: int,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> None:
        self._side = side
        self._steps = steps
        self._verb = verb
        self._session = session
        self._args = args
        self._kwargs = kwargs or {}
        self._running: Coroutine[Any, Any, Any] | None = None

    def _started(self) -> Coroutine[Any, Any, Any]:
        if self._running is None:
            self._running = self._run()
        return self._running

    def __await__(self) -> Generator[Any, None, Any]:
        return self._started().__await__()

    def send(self, value: Any) -> Any:
        """As of a coroutine."""
        return self._started().send(value)

    def throw(self, *error: Any) -> Any:
        """As of a coroutine."""
        return self._started().throw(*error)

    def close(self) -> None:
        """As of a coroutine."""
        self._started().close()

    def __del__(self) -> None:
        if self.__dict__.get("_running", self) is None:
            where = path_text(self._steps)
            warnings.warn(f"{where} was never awaited, so nothing was sent", RuntimeWarning, stacklevel=2)

    async def _run(self) -> Any:
        """What it is."""
        await self._side.connected()
        flags = self._checked()
        args = [_native(each) for each in self._args]
        kwargs = {name: _native(each) for name, each in self._kwargs.items()}
        value = await self._side.invoke(self._steps, self._verb, args, kwargs, flags, self._session)
        return _twin(self._side, value)

    def _checked(self) -> int:
        """The flags of the call. Raises what Python would raise for a wrong name or wrong arguments."""
        if self._verb == "get":
            return Flag.READ
        if self._verb != "call" or not isinstance(self._steps[-1], str):
            return Flag.NONE
        shape, name = _shape_at(self._side.attachment, self._steps[:-1]), self._steps[-1]
        method = shape.methods.get(name) if shape is not None else None
        if shape is None or method is None:
            return Flag.NONE  # the service knows whether there is one
        (shape.checkers.get(name) or shape.checker(name))(*self._args, **self._kwargs)
        return _flags_of(method)

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._items()

    async def _items(self) -> AsyncIterator[Any]:
        result = await self
        if not isinstance(result, AsyncItems):
            for item in result:
                yield item
            return
        try:
            async for item in result:
                yield item
        finally:
            await result.aclose()


class AsyncItems:
    """The items of an iterator or generator of a service."""

    def __init__(self, side: AsyncSide, iterator: RemoteIterator) -> None:
        self._side = side
        self._iterator = iterator

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        iterator = self._iterator
        while not iterator.has_items:
            held = iterator.held
            if held is None:
                raise StopAsyncIteration
            iterator.take(await self._fetch(held, iterator.due()))
        return _twin(self._side, iterator.pop())

    async def _fetch(self, held: HeldProxy, count: int) -> Any:
        try:
            return await self._side.invoke(held._steps, "next", (count,), None, Flag.NONE, held._session)
        except Exception:
            self._iterator.close()
            raise

    async def aclose(self) -> None:
        """Close it at the service as well; no items come any more."""
        self._iterator.close()


class AsyncSubscription:
    """Messages of an event, or changes of a property: `async for`, from the first step on or from `async
    with` on.
    """

    def __init__(self, subscribe: Callable[[], Subscription]) -> None:
        self._subscribe = subscribe
        self._subscription: Subscription | None = None
        self._arrived = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self._started()
        return self

    async def __aexit__(self, *reason: object) -> None:
        await self.aclose()

    async def _started(self) -> Subscription:
        if self._subscription is None:
            subscription = self._subscription = await asyncio.to_thread(self._subscribe)
            loop = asyncio.get_running_loop()
            subscription.on_arrival = lambda: loop.is_closed() or loop.call_soon_threadsafe(self._arrived.set)
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


def _flags_of(method: Method) -> int:
    return (Flag.ONEWAY if method.oneway else 0) | (Flag.READ if method.readonly else 0)


def _shape_at(attachment: Attachment, steps: tuple[Step, ...]) -> Shape | None:
    """What is at the end of these steps, as far as the interface says it."""
    shape = attachment.shape
    for step in steps:
        found = shape.properties.get(step) if shape is not None and isinstance(step, str) else None
        shape = attachment.shapes.get(found.node) if found is not None else None
    return shape


def _twin(side: AsyncSide, value: Any) -> Any:
    """A result as asyncio programs want it, also in lists, tuples and dicts."""
    kind = type(value)
    if kind in (list, tuple):
        return kind(_twin(side, each) for each in value)
    if kind is dict:
        return {key: _twin(side, each) for key, each in value.items()}
    make = _TWINS.get(kind)
    return value if make is None else make(side, value)


_TWINS: dict[type, Callable[[AsyncSide, Any], Any]] = {
    SubProxy: AsyncNode,
    HeldProxy: AsyncNode,
    RemoteIterator: AsyncItems,
    Proxy: lambda side, proxy: AsyncProxy(proxy._pyroUri),
}


def _native(value: Any) -> Any:
    """An argument as it travels."""
    return value._node if isinstance(value, AsyncNode) else value
