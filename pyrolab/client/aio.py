"""`AsyncProxy`: the client-side stand-in of a service, for asyncio.

Whatever goes to the service is awaited: `await laser.move(3)`, `await laser.wavelength`,
`await laser.wavelength.set(1550)`, `await smu.ch_1.voltage`, `async for point in laser.sweep()`. Nothing is
sent before.
"""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator
from functools import partial
from typing import TYPE_CHECKING, Any

from msgpack import ExtType
from typing_extensions import Self

from pyrolab.client.any_async_service import ASYNC_FALLBACKS, AnyAsyncService
from pyrolab.client.async_items import AsyncItems, AsyncSubscription
from pyrolab.client.async_side import AsyncSide
from pyrolab.client.attachment import Attachment
from pyrolab.client.iteration import RemoteIterator
from pyrolab.client.method import flags_of
from pyrolab.client.node import HeldProxy, Node, SubProxy
from pyrolab.client.proxy import Proxy
from pyrolab.client.references import codec_for
from pyrolab.client.shape import Shape
from pyrolab.client.subscriptions import Subscription, Watch
from pyrolab.protocol.call_body import Step, path_text
from pyrolab.protocol.codec import Codec, Encoder
from pyrolab.protocol.envelope import Flag
from pyrolab.protocol.interface import Interface
from pyrolab.protocol.names import URI

if TYPE_CHECKING:
    from pyrolab.client.async_streams import AsyncStreamSubscription


class _Reachable:
    """Something of a service from which steps lead on."""

    _side: AsyncSide
    _steps: tuple[Step, ...]
    #: The sub-object from which the steps lead on: while there is somebody with it, the service holds it.
    _node: SubProxy | None = None
    #: Python would try items 0, 1, 2 … otherwise, and never come to an end.
    __iter__ = None
    __contains__ = None

    def __getattr__(self, name: str) -> AsyncMember:
        if name.startswith("_") and not (name.startswith("__") and self._has_method(name)):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return AsyncMember(self._side, (*self._steps, name), self._node)

    def __getitem__(self, key: Any) -> AsyncMember:
        return AsyncMember(self._side, (*self._steps, [key]), self._node)

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_"):
            raise AttributeError(f"setting takes time; write `await ….{name}.set({value!r})`")
        object.__setattr__(self, name, value)

    def _has_method(self, name: str) -> bool:
        shape = self._side.attachment.shape
        return not self._steps and shape is not None and name in shape.methods

    def watch(self, name: str, every: float | None = None) -> AsyncSubscription:
        """The changes of a property: `async for change in laser.watch("wavelength")`; see `Proxy.watch`."""
        return AsyncSubscription(lambda: Watch(self._owner(self._steps), name, every))

    def _owner(self, steps: tuple[Step, ...]) -> Node:
        """What these steps lead to, as plain proxies know it."""
        session = 0 if self._node is None else self._node._session
        return SubProxy(self._side.attachment, steps, None, "", session)

    def __aiter__(self) -> AsyncIterator[Any]:
        return AsyncCall(self._side, (*self._steps, "__iter__"), "call", self._node).__aiter__()


class _Any(AnyAsyncService):
    def __init__(self, side: AsyncSide) -> None:
        self._side = side


class AsyncProxy(AnyAsyncService, _Reachable):
    """A service, as if it were here, for asyncio; see `Proxy` for `uri`.

    Any number of tasks may use one at once. Cancelling a task cancels its call. `with timeout(5):` and
    `_pyroTimeout` give deadlines. Arguments are checked before anything is sent.
    """

    def __init__(self, uri: str | URI) -> None:
        attachment = Attachment(URI(uri))
        attachment.codec = _async_codec_for(attachment)
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
        return AsyncCall(self._side, ("__call__",), "call", None, args, kwargs)

    def __dir__(self) -> list[str]:
        shape = self._side.attachment.shape
        return sorted({*object.__dir__(self), *(shape.interface.names() if shape is not None else ())})

    def __repr__(self) -> str:
        state = "connected" if self._pyroConnected else "not connected"
        return f"<AsyncProxy at {self._pyroUri}, {state}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self._pyroUri),)


class AsyncNode(_Reachable):
    """A sub-object that has been awaited; members lead on from it, and it can be an argument."""

    def __init__(self, side: AsyncSide, node: SubProxy) -> None:
        self._side = side
        self._node = node
        self._steps = node._steps

    async def __aenter__(self) -> Any:
        entered = await AsyncCall(self._side, (*self._steps, "__enter__"), "call", self._node)
        same = isinstance(entered, AsyncNode) and entered._node == self._node
        return self if same else entered

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: Any) -> bool:
        shown = error if isinstance(error, Exception) else None
        steps = (*self._steps, "__exit__")
        return bool(await AsyncCall(self._side, steps, "call", self._node, (None, shown, None)))

    def __repr__(self) -> str:
        return repr(self._node)


class AsyncMember(_Reachable):
    """A member of a service: await it to read it, call it if it is a method, go on to a sub-object's members.

    `set` and `delete` are for properties and items. A method of that name of a sub-object is reached by
    awaiting the sub-object first.
    """

    def __init__(self, side: AsyncSide, steps: tuple[Step, ...], node: SubProxy | None = None) -> None:
        self._side = side
        self._steps = steps
        self._node = node

    def __await__(self) -> Generator[Any, None, Any]:
        return AsyncCall(self._side, self._steps, "get", self._node).__await__()

    def __call__(self, *args: Any, **kwargs: Any) -> AsyncCall:
        """Call it there, when this is awaited or iterated over."""
        return AsyncCall(self._side, self._steps, "call", self._node, args, kwargs)

    def set(self, value: Any) -> AsyncCall:
        """Set the property or item, when this is awaited."""
        return AsyncCall(self._side, self._steps, "set", self._node, (value,))

    def delete(self) -> AsyncCall:
        """Delete the property or item, when this is awaited."""
        return AsyncCall(self._side, self._steps, "del", self._node)

    def subscribe(self, *args: Any, **kwargs: Any) -> AsyncStreamSubscription:
        """The frames of a stream: `async with camera.frames.subscribe() as frames:`, and `async for` in that.

        Takes what `RemoteStream.subscribe` takes.
        """
        from pyrolab.client.async_streams import AsyncStreamSubscription
        from pyrolab.client.streams import RemoteStream

        *before, name = self._steps
        stream = RemoteStream(self._owner(tuple(before)), str(name))
        return AsyncStreamSubscription(lambda: stream.subscribe(*args, **kwargs))

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._items()

    async def _items(self) -> AsyncIterator[Any]:
        await self._side.connected()
        *before, name = self._steps
        shape = _shape_at(self._side.attachment, tuple(before), self._node)
        if shape is not None and name in shape.interface.events:
            owner = self._owner(tuple(before))
            async with AsyncSubscription(lambda: Subscription(owner, str(name))) as subscription:
                async for values in subscription:
                    yield values
            return
        async for item in AsyncCall(self._side, self._steps, "get", self._node):
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
        node: SubProxy | None,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> None:
        self._side = side
        self._steps = steps
        self._verb = verb
        self._node = node
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
        node = self._node
        if node is not None and self._verb == "call":
            await _describe(self._side, node)
        if (fallback := self._fallback()) is not None:
            return await fallback(*self._args, **self._kwargs)
        flags = self._checked()
        session = 0 if node is None else node._session
        value = await self._side.invoke(self._steps, self._verb, self._args, self._kwargs, flags, session)
        return _twin(self._side, value)

    def _fallback(self) -> Callable[..., Awaitable[Any]] | None:
        """What this does with any service, unless it has a member of that name itself."""
        *before, name = self._steps
        if self._verb != "call" or not isinstance(name, str) or name not in ASYNC_FALLBACKS:
            return None
        shape = _shape_at(self._side.attachment, tuple(before), self._node)
        if shape is None or name in shape.interface.names():
            return None
        found: Callable[..., Awaitable[Any]] = getattr(_Any(self._side), ASYNC_FALLBACKS[name])
        return found

    async def __aenter__(self) -> Any:
        """What it gives is entered: `async with stage.reserve(): ...`."""
        self._entered = await self
        return await self._entered.__aenter__()

    async def __aexit__(self, *reason: Any) -> Any:
        return await self._entered.__aexit__(*reason)

    def _checked(self) -> int:
        """The flags of the call. Raises what Python would raise for a wrong name or wrong arguments."""
        *before, name = self._steps
        shape = _shape_at(self._side.attachment, tuple(before), self._node)
        method = shape.methods.get(name) if shape is not None and isinstance(name, str) else None
        if self._verb == "get":
            if method is not None:
                raise AttributeError(f"{name!r} is a method; call it: `await ….{name}(…)`", name=str(name))
            found = shape.properties.get(name) if shape is not None and isinstance(name, str) else None
            return Flag.READ | Flag.URGENT if found is not None and found.urgent else Flag.READ
        if self._verb != "call" or shape is None or method is None:
            return Flag.NONE  # the service knows whether there is one
        (shape.checkers.get(str(name)) or shape.checker(str(name)))(*self._args, **self._kwargs)
        return flags_of(method)

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._items()

    async def _items(self) -> AsyncIterator[Any]:
        result = await self
        if isinstance(result, AsyncItems):
            async with result:
                async for item in result:
                    yield item
        elif isinstance(result, _Reachable):
            async for item in result:
                yield item
        else:
            for item in result:
                yield item


def _shape_at(attachment: Attachment, steps: tuple[Step, ...], node: SubProxy | None) -> Shape | None:
    """What is at the end of these steps, as far as the interface says it."""
    shape = attachment.shape if node is None else node._shape or attachment.shapes.get(node._type_name)
    for step in steps if node is None else steps[len(node._steps) :]:
        found = shape.properties.get(step) if shape is not None and isinstance(step, str) else None
        shape = attachment.shapes.get(found.node) if found is not None else None
    return shape


def _async_codec_for(attachment: Attachment) -> Codec:
    """As plain proxies have it, for what is made of their sub-objects and iterators here, too."""
    codec = codec_for(attachment)

    def write(encoder: Encoder, value: Any) -> ExtType:
        plain = value._node if isinstance(value, AsyncNode) else value._iterator
        return codec.packing_of(type(plain))(encoder, plain)

    codec.prefer(AsyncNode, write)
    codec.prefer(AsyncItems, write)
    return codec


async def _describe(side: AsyncSide, node: SubProxy) -> None:
    """Ask what a sub-object offers, if its type is new."""
    shapes = side.attachment.shapes
    if node._shape is None and node._type_name not in shapes:
        described = await side.invoke(node._steps, "describe", flags=Flag.READ, session=node._session)
        shapes.setdefault(node._type_name, Shape(Interface.from_data(described)))


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
    RemoteIterator: lambda side, iterator: AsyncItems(side, iterator, partial(_twin, side)),
    Proxy: lambda side, proxy: AsyncProxy(proxy._pyroUri),
}
