"""How a proxy and all that come from it are attached to their service: connecting, calling, trying again.

A proxy, its sub-objects, its batches and its asynchronous twin share one attachment. It connects at the first
use, gives its place in the broker's pool back when it is released or nobody needs it any longer, and
connects again by itself. Any number of threads may use one at once, also in a forked child.
"""

from __future__ import annotations

import _thread
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from pyrolab.client.calls import Pending
from pyrolab.client.connection import Connection
from pyrolab.client.deadlines import deadline_here
from pyrolab.client.futures import Outlook, RemoteFuture
from pyrolab.client.inbox import Inbox
from pyrolab.client.shape import Shape
from pyrolab.errors import (
    CommunicationError,
    ConnectionClosedError,
    MessageTooLargeError,
    ProtocolError,
    ServiceGone,
)
from pyrolab.link import context, defaults, waiting
from pyrolab.link.finding import broker_location
from pyrolab.protocol import codec
from pyrolab.protocol.call_body import Step
from pyrolab.protocol.envelope import Envelope, Flag, Kind
from pyrolab.protocol.exceptions import unpack_exception
from pyrolab.protocol.interface import Interface
from pyrolab.protocol.names import URI

Answered = TypeVar("Answered")
Message = list[Any]
#: When Ctrl-C that came into a finalizer is delivered again.
_AFTER_FINALIZER_S = 0.05


class Attachment:
    """One client's attachment to one service, at a broker."""

    def __init__(self, uri: URI) -> None:
        self.uri = uri if uri.location is not None else uri.at(broker_location())
        self.timeout_s = defaults.timeout_s
        self.max_retries = defaults.max_retries
        #: The service's object id, and what it offers; known once there has been a connection.
        self.target = b""
        self.shape: Shape | None = None
        #: The shapes of sub-objects by the names of their types.
        self.shapes: dict[str, Shape] = {}
        self.codec = codec.CODEC
        self.inbox = Inbox(self)
        self.callables = self.inbox.callables
        #: What finalizers leave to be done: held objects (their session and number) that nobody here needs
        #: any
        #: longer, and subscriptions (their session and steps).
        self.dropped: deque[tuple[int, int | list[Step]]] = deque()
        self._pid = os.getpid()
        self._opening = threading.RLock()
        self._connection: Connection | None = None
        self._outlook: Outlook | None = None

    # -- connecting ----------------------------------------------------------------------------------

    @property
    def connection(self) -> Connection | None:
        """The connection, if it can be used."""
        connection = self._connection
        if connection is None or connection.closed or connection.pid != os.getpid():
            return None
        return connection

    def connected(self) -> Connection:
        """The connection; opens one if there is none. Raises `CommunicationError`s if there can be none."""
        connection = self._connection
        if connection is not None and not connection.closed and connection.pid == os.getpid():
            return connection
        if self._pid != os.getpid():
            self._opening = threading.RLock()  # in the parent, another thread may have held it at the fork
            self._pid = os.getpid()
        with self._opening:
            found = self.connection
            if found is None:
                found = self._connection = self._connect()
                self.inbox.rejoin(found)
            return found

    def _connect(self) -> Connection:
        assert self.uri.location is not None
        uri, timeout_s = self.uri, self.deadline_s
        asked = uri.object if uri.protocol == "PYRO" else f"{uri.protocol}:{uri.object}"
        connection = Connection(self.uri.location, uri.object, asked.encode(), timeout_s)
        connection.inbox = self.inbox
        try:
            self._learn(*connection.wait(connection.described, timeout_s))
        except BaseException:
            connection.close()
            raise
        return connection

    def _learn(self, envelope: Envelope, frames: list[Any]) -> None:
        """Take in which object the URI stands for, and what it offers."""
        interface = Interface.from_data(codec.decode_plain(frames[0], frames[1:]))
        self.target = envelope.target
        self.shape = Shape(interface)
        self.shapes = {name: Shape(each) for name, each in interface.types.items()}

    def known_shape(self) -> Shape:
        """What the service offers; connects if that is not known yet."""
        if self.shape is None:
            self.connected()
            assert self.shape is not None
        return self.shape

    def shape_of(self, type_name: str, steps: Sequence[Step]) -> Shape:
        """What a sub-object offers; asks the service about a type that it has not described yet."""
        found = self.shapes.get(type_name)
        if found is None:
            described = Shape(Interface.from_data(self.invoke(steps, "describe", flags=Flag.READ)))
            found = self.shapes.setdefault(type_name, described)
        return found

    def release(self) -> None:
        """Give the place in the broker's pool back; the next use connects again."""
        if self._pid == os.getpid():
            self.inbox.release()
        self.hang_up()

    def hang_up(self) -> None:
        """End the connection; whoever subscribes to something connects again."""
        if self._pid != os.getpid():
            self._connection = None
            return
        with self._opening:
            connection, self._connection = self._connection, None
        if connection is not None and connection.pid == os.getpid():
            connection.close()

    def __del__(self) -> None:
        if self.__dict__.get("_connection") is not None and not sys.is_finalizing():
            try:
                self.release()
            except KeyboardInterrupt:  # Python drops what a finalizer raises; Ctrl-C must not get lost
                threading.Timer(_AFTER_FINALIZER_S, _thread.interrupt_main).start()

    # -- calling -------------------------------------------------------------------------------------

    @property
    def deadline_s(self) -> float | None:
        """Seconds that a call may take that is made here and now."""
        return deadline_here(self.timeout_s)

    def invoke(
        self,
        steps: Sequence[Step],
        verb: str,
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
        flags: int = Flag.NONE,
        session: int = 0,
    ) -> Any:
        """One call; raises what the service raised. With a `session`, in that one or not at all."""
        message = self.packed(steps, verb, args, kwargs, waits=not flags & Flag.ONEWAY)
        kind, value = self._persist(self._attempt, message, flags, session)
        if kind == Kind.RAISED:  # outside of what may be tried again: the service raised it
            raise unpack_exception(value)
        return value

    def packed(
        self,
        steps: Sequence[Step],
        verb: str,
        args: Sequence[Any],
        kwargs: dict[str, Any] | None,
        waits: bool = False,
    ) -> Message:
        """The body and buffers of a call, which `waits` for its answer or not.

        Raises `SerializeError` for what cannot travel.
        """
        along = context.outgoing()
        if waits and waiting.chain():
            along = waiting.with_chain(along)
        body, buffers = self.codec.encode_call(steps, args, kwargs, verb, along)
        if defaults.max_message_bytes is not None:
            _check_size([body, *buffers], defaults.max_message_bytes)
        return [body, *buffers]

    def begin(self, message: Message, flags: int, session: int = 0) -> RemoteFuture:
        """A call whose answer comes later."""
        future = RemoteFuture()

        def settle(pending: Pending) -> None:
            future.settle(lambda: self.value_of(*Connection.answer_of(pending)))

        def attempt(message: Message, flags: int) -> None:
            outlook = self._outlook_of(self.connected())
            self.check_session(outlook.connection, session)
            start = partial(self.start, outlook.connection, message, flags, settle)
            future.bind(outlook.connection, outlook.add(start))

        self._persist(attempt, message, flags)
        return future

    def start(
        self,
        connection: Connection,
        message: Message,
        flags: int,
        on_done: Callable[[Pending], None] | None = None,
    ) -> Pending:
        """Send a call over a connection of this attachment."""
        if self.dropped:
            self._let_go(connection)
        if self.callables.unsent:
            self._let_be_called(connection)
        return connection.start(self.target, message, flags=flags, budget_s=self.deadline_s, on_done=on_done)

    def value_of(self, envelope: Envelope, frames: list[Any]) -> Any:
        """The value in an answer. Raises the exception in it, if it is one."""
        value = self._value_in(envelope, frames)
        if envelope.kind == Kind.RAISED:
            raise unpack_exception(value)
        return value

    def _value_in(self, envelope: Envelope, frames: list[Any]) -> Any:
        value = self.codec.decode(frames[0], frames[1:])
        if envelope.flags & Flag.ANNOTATED and envelope.kind == Kind.RESULT:
            value, notes = _annotated(value)
            context.incoming_response(notes)
        elif context.response_annotations.get() is not None:
            context.incoming_response(None)
        return value

    def _outlook_of(self, connection: Connection) -> Outlook:
        outlook = self._outlook
        if outlook is None or outlook.connection is not connection:
            outlook = self._outlook = Outlook(connection)
        return outlook

    def _attempt(self, message: Message, flags: int, session: int = 0) -> tuple[int, Any]:
        connection = self.connected()
        if session:
            self.check_session(connection, session)
        if waiting.chain() and not flags & Flag.ONEWAY:
            waiting.check(self.target, self.uri.object)
        if self.dropped:
            self._let_go(connection)
        if self.callables.unsent:
            self._let_be_called(connection)
        deadline_s = deadline_here(self.timeout_s)
        pending = connection.start(self.target, message, flags=flags, budget_s=deadline_s)
        if flags & Flag.ONEWAY:
            context.incoming_response(None)
            return Kind.RESULT, None
        envelope, frames = connection.wait(pending, deadline_s)
        return envelope.kind, self._value_in(envelope, frames)

    @staticmethod
    def check_session(connection: Connection, session: int) -> None:
        """Raise `ConnectionClosedError` for something that was held for another session."""
        if session not in (0, connection.session):
            raise ConnectionClosedError(
                "this object was held by the service for a connection that has ended; get it again"
            )

    def _let_be_called(self, connection: Connection) -> None:
        """Functions go out with the next message: see that somebody hears the questions to them."""
        self.callables.sent(connection.session)
        self.inbox.listen()

    def _let_go(self, connection: Connection) -> None:
        """Do what finalizers have made a note of: they must not wait for anything."""
        numbers = []
        while self.dropped:
            session, what = self.dropped.popleft()
            if isinstance(what, int):
                numbers += [what] if session == connection.session else []
            else:
                self._tell(connection, what, "part")
        if numbers:
            self._tell(connection, (), "drop", numbers)

    def _tell(
        self, connection: Connection, steps: Sequence[Step], verb: str, args: Sequence[Any] = ()
    ) -> None:
        body, _ = codec.encode_call(steps, args, {}, verb)
        connection.start(self.target, [body], flags=Flag.ONEWAY)

    def tidy(self) -> None:
        """Tell the service what it need not hold, if there is a connection; must not block."""
        connection = self.connection
        if connection is not None and self.dropped:
            try:
                self._let_go(connection)
            except CommunicationError:
                pass  # then the service lets go of everything

    # -- trying again --------------------------------------------------------------------------------

    def _persist(
        self, attempt: Callable[..., Answered], message: Message, flags: int, session: int = 0
    ) -> Answered:
        """Try again where it is safe."""
        retries = None
        while True:
            try:
                return attempt(message, flags, session) if session else attempt(message, flags)
            except CommunicationError as error:
                retries = retries or Retries(self, flags, session)
                if not retries.allowed_after(error):
                    raise

    def may_renew(self, error: CommunicationError, used: Connection | None = None) -> bool:
        """Whether a new connection, or looking the name up again, may help.

        If the one that was `used` is not ours any more, somebody has renewed it already.
        """
        if isinstance(error, ServiceGone):
            by_name = self.uri.protocol != "PYRO"
            if by_name and used in (None, self._connection):
                self.hang_up()
            return by_name
        return True


def _annotated(value: Any) -> tuple[Any, Any]:
    if type(value) is not list or len(value) != 2:
        raise ProtocolError("an answer with annotations is an array of its value and a map")
    return value[0], value[1]


def _check_size(message: Message, limit: int) -> None:
    size = sum(memoryview(frame).nbytes for frame in message)
    if size > limit:
        raise MessageTooLargeError(
            f"the call has {size} bytes, and config.MAX_MESSAGE_SIZE is {limit}; send less, or raise it",
            size=size,
            limit=limit,
        )


class Retries:
    """Which failures of one call may be followed by another try.

    Once, what certainly did not run, on a new connection; as often as the proxy allows, what only reads.
    """

    def __init__(self, attachment: Attachment, flags: int, session: int) -> None:
        self._attachment = attachment
        self._left = attachment.max_retries if flags & Flag.READ else 0
        self._bound = bool(session)
        self._renewed = False

    def allowed_after(self, error: CommunicationError, used: Connection | None = None) -> bool:
        """Whether to try again after this error, of a call through the connection `used`."""
        lost = isinstance(error, (ConnectionClosedError, ServiceGone))
        if lost and self._bound:
            return False
        if lost and not self._renewed and self._attachment.may_renew(error, used):
            self._renewed = True
            return True
        self._left -= 1
        return self._left >= 0
