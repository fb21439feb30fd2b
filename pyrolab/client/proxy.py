"""`Proxy`: the client-side stand-in of a service.

It connects at its first use, gives its place in the broker's pool back at the end of `with`, and connects
again by itself when it is used after that. Any number of threads may use one proxy at once.
"""

from __future__ import annotations

import _thread
import difflib
import os
import sys
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from pyrolab.client.calls import Pending
from pyrolab.client.connection import Connection
from pyrolab.client.futures import Outlook, RemoteFuture
from pyrolab.errors import CommunicationError, ConnectionClosedError, ServiceGone
from pyrolab.link.finding import broker_location
from pyrolab.protocol import codec
from pyrolab.protocol.envelope import Envelope, Flag, Kind
from pyrolab.protocol.exceptions import unpack_exception
from pyrolab.protocol.interface import Interface, Method
from pyrolab.protocol.names import URI

Answered = TypeVar("Answered")
#: When Ctrl-C that came into a finalizer is delivered again.
_AFTER_FINALIZER_S = 0.05
Self = TypeVar("Self", bound="Proxy")


class Proxy:
    """A service, as if it were here.

    `uri` is a `URI` or its text: `PYRO:object@host:port`, `PYRONAME:name[@host[:port]]` or
    `PYROMETA:tag,tag[@host[:port]]`. Attributes with a leading underscore belong to the proxy, all others
    to the service. Raises `NamingError` at once if `uri` is none, `ConnectionError`s when it is used.
    """

    _pyroUri: URI
    _pyroTimeout: float | None
    _pyroMaxRetries: int

    def __init__(self, uri: str | URI) -> None:
        uri = URI(uri)
        self._pyroUri = uri if uri.location is not None else uri.at(broker_location())
        self._pyroTimeout = None
        self._pyroMaxRetries = 0
        self._opening = threading.RLock()
        self._connection: Connection | None = None
        self._target = b""
        self._interface: Interface | None = None
        self._outlook: Outlook | None = None

    # -- the service's members -----------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # the proxy's own, or private to the service: never asked for
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        interface = self._interface or self._pyroInterface
        method = interface.methods.get(name)
        if method is not None:
            return RemoteMethod(self, name, method)
        if name in interface.properties:
            return self._invoke([name], "get", flags=Flag.READ)
        raise self._unknown(name, interface)

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            object.__setattr__(self, name, value)
            return
        interface = self._pyroInterface
        if name not in interface.properties:
            raise self._unknown(name, interface)
        self._invoke([name], "set", (value,))

    def __delattr__(self, name: str) -> None:
        if name.startswith("_"):
            object.__delattr__(self, name)
            return
        self._invoke([name], "del")

    def __dir__(self) -> list[str]:
        return sorted({*object.__dir__(self), *self._pyroInterface.names()})

    def _unknown(self, name: str, interface: Interface) -> AttributeError:
        close = difflib.get_close_matches(name, interface.names(), n=3)
        hint = "; did you mean " + " or ".join(map(repr, close)) + "?" if close else ""
        return AttributeError(f"{self._pyroUri.object!r} offers no {name!r}{hint}")

    # -- connecting ----------------------------------------------------------------------------------

    @property
    def _pyroConnected(self) -> bool:
        """Whether this proxy holds a place in the broker's pool now."""
        connection = self._connection
        return connection is not None and not connection.closed and connection.pid == os.getpid()

    @property
    def _pyroInterface(self) -> Interface:
        """What the service offers; connects if that is not known yet."""
        interface = self._interface
        if interface is None:
            self._connected()
            interface = self._interface
            assert interface is not None
        return interface

    def _pyroBind(self) -> bool:
        """Connect now. Returns whether there was no connection before."""
        if self._pyroConnected:
            return False
        self._connected()
        return True

    def _pyroRelease(self) -> None:
        """Give the place in the broker's pool back; the next use connects again."""
        with self._opening:
            connection, self._connection = self._connection, None
        if connection is not None and connection.pid == os.getpid():
            connection.close()

    def _connected(self) -> Connection:
        connection = self._connection
        if connection is not None and not connection.closed and connection.pid == os.getpid():
            return connection
        with self._opening:
            if self._connection is None or self._connection.closed or self._connection.pid != os.getpid():
                self._connection = self._connect()
            return self._connection

    def _connect(self) -> Connection:
        location = self._pyroUri.location
        assert location is not None
        connection = Connection(location, name=self._pyroUri.object)
        try:
            self._learn(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _learn(self, connection: Connection) -> None:
        """Find out which object the URI stands for, and what it offers."""
        uri = self._pyroUri
        asked = uri.object if uri.protocol == "PYRO" else f"{uri.protocol}:{uri.object}"
        pending = connection.start(
            asked.encode(), kind=Kind.DESCRIBE, flags=Flag.READ, budget_s=self._pyroTimeout
        )
        envelope, frames = connection.wait(pending, self._pyroTimeout)
        self._target = envelope.target
        self._interface = Interface.from_data(codec.decode(frames[0], frames[1:]))

    # -- calling -------------------------------------------------------------------------------------

    def _invoke(
        self,
        steps: list[Any],
        verb: str,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
        flags: int = Flag.NONE,
    ) -> Any:
        """One call; raises what the service raised."""
        body, buffers = codec.encode_call(steps, args, kwargs or {}, verb)
        message = [body, *buffers]
        kind, value = self._persist(self._attempt, message, flags)
        if kind == Kind.RAISED:  # outside of what may be tried again: the service raised it
            raise unpack_exception(value)
        return value

    def _begin(
        self, steps: list[Any], args: tuple[Any, ...], kwargs: dict[str, Any], flags: int
    ) -> RemoteFuture:
        """The same call, without waiting for its answer."""
        body, buffers = codec.encode_call(steps, args, kwargs)
        message = [body, *buffers]
        future = RemoteFuture()

        def settle(pending: Pending) -> None:
            future.settle(lambda: _value_of(*Connection.answer_of(pending)))

        def start(message: list[Any], flags: int) -> None:
            outlook = self._outlook_of(self._connected())
            future.bind(
                outlook.connection,
                outlook.add(
                    lambda: outlook.connection.start(
                        self._target, message, flags=flags, budget_s=self._pyroTimeout, on_done=settle
                    )
                ),
            )

        self._persist(start, message, flags)
        return future

    def _outlook_of(self, connection: Connection) -> Outlook:
        outlook = self._outlook
        if outlook is None or outlook.connection is not connection:
            outlook = self._outlook = Outlook(connection)
        return outlook

    def _attempt(self, message: list[Any], flags: int) -> tuple[int, Any]:
        connection = self._connected()
        timeout = self._pyroTimeout
        pending = connection.start(self._target, message, flags=flags, budget_s=timeout)
        if flags & Flag.ONEWAY:
            return Kind.RESULT, None
        envelope, frames = connection.wait(pending, timeout)
        return envelope.kind, codec.decode(frames[0], frames[1:])

    def _persist(
        self, attempt: Callable[[list[Any], int], Answered], message: list[Any], flags: int
    ) -> Answered:
        """Try again where it is safe: once what certainly did not run, as allowed what only reads."""
        retries = self._pyroMaxRetries
        renewed = False
        while True:
            try:
                return attempt(message, flags)
            except (ConnectionClosedError, ServiceGone) as error:
                if not renewed and self._may_renew(error):
                    renewed = True
                elif flags & Flag.READ and retries > 0:
                    retries -= 1
                else:
                    raise
            except CommunicationError:
                if not flags & Flag.READ or retries <= 0:
                    raise
                retries -= 1

    def _may_renew(self, error: CommunicationError) -> bool:
        """Whether a new connection, or looking the name up again, may help."""
        if isinstance(error, ServiceGone):
            by_name = self._pyroUri.protocol != "PYRO"
            if by_name:
                self._pyroRelease()
            return by_name
        return True

    # -- being a Python object -----------------------------------------------------------------------

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self._pyroRelease()

    def __del__(self) -> None:
        if "_connection" in self.__dict__ and not sys.is_finalizing():
            try:
                self._pyroRelease()
            except KeyboardInterrupt:  # Python drops what a finalizer raises; Ctrl-C must not get lost
                threading.Timer(_AFTER_FINALIZER_S, _thread.interrupt_main).start()

    def __repr__(self) -> str:
        state = "connected" if self._pyroConnected else "not connected"
        return f"<{type(self).__name__} {self._pyroUri}, {state}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Proxy) and other._pyroUri == self._pyroUri

    def __hash__(self) -> int:
        return hash(self._pyroUri)

    def __copy__(self: Self) -> Self:
        return type(self)(self._pyroUri)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self._pyroUri),)


def _value_of(envelope: Envelope, frames: list[Any]) -> Any:
    """The value in an answer. Raises the exception in it, if it is one."""
    value = codec.decode(frames[0], frames[1:])
    if envelope.kind == Kind.RAISED:
        raise unpack_exception(value)
    return value


class RemoteMethod:
    """A method of a service, ready to be called."""

    __slots__ = ("_method", "_name", "_proxy")

    def __init__(self, proxy: Proxy, name: str, method: Method) -> None:
        self._proxy = proxy
        self._name = name
        self._method = method

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it there."""
        flags = (Flag.ONEWAY if self._method.oneway else 0) | (Flag.READ if self._method.readonly else 0)
        return self._proxy._invoke([self._name], "call", args, kwargs, flags)

    def future(self, *args: Any, **kwargs: Any) -> RemoteFuture:
        """Call it there, and get its answer from the future that this returns at once."""
        flags = Flag.READ if self._method.readonly else Flag.NONE
        return self._proxy._begin([self._name], args, kwargs, flags)

    @property
    def __name__(self) -> str:
        return self._name

    @property
    def __doc__(self) -> str:  # type: ignore[override]
        return self._method.doc

    def __repr__(self) -> str:
        return f"<remote method {self._name!r} of {self._proxy._pyroUri}>"
