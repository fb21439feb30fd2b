"""How a proxy and all that come from it are attached to their service: connecting, calling, trying again.

A proxy, its sub-objects, its batches and its asynchronous twin share one attachment. It connects at the first
use, gives its place in the broker's pool back when it is released or nobody needs it any longer, and
connects again by itself. Any number of threads may use one at once, also in a forked child.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from pyrolab.client.calls import Pending
from pyrolab.client.connection import Connection, nothing_sent
from pyrolab.client.deadlines import deadline_here
from pyrolab.client.futures import Outlook, RemoteFuture
from pyrolab.client.grants import Holdings
from pyrolab.client.inbox import Inbox
from pyrolab.client.leftovers import Leftovers, deliver_ctrl_c_again
from pyrolab.client.payloads import check_size, split_notes
from pyrolab.client.retries import Retries, refuse_late
from pyrolab.client.shape import Shape
from pyrolab.errors import (
    CommunicationError,
    ReservationLost,
    ServiceGone,
)
from pyrolab.link import context, defaults, waiting
from pyrolab.link.clock import clock_s
from pyrolab.link.finding import broker_location
from pyrolab.protocol import codec
from pyrolab.protocol.call_body import Step
from pyrolab.protocol.envelope import Envelope, Flag, Kind
from pyrolab.protocol.exceptions import unpack_exception
from pyrolab.protocol.interface import Interface
from pyrolab.protocol.names import URI

if TYPE_CHECKING:
    from pyrolab.client.reservation import Reservation

Answered = TypeVar("Answered")
Message = list[Any]


class Attachment:
    """One client's attachment to one service, at a broker."""

    def __init__(self, uri: URI) -> None:
        self.uri = uri if uri.location is not None else uri.at(broker_location())
        self.timeout_s = defaults.timeout_s
        self.max_retries = defaults.max_retries
        self.writable = False  # whether the arrays in results may be changed
        #: The service's object id, and what it offers; known once there has been a connection.
        self.target = b""
        self.shape: Shape | None = None
        #: The shapes of sub-objects by the names of their types.
        self.shapes: dict[str, Shape] = {}
        self.codec = codec.CODEC
        self.holdings = Holdings()
        #: What `lock` has reserved.
        self.locked: Reservation | None = None
        self.inbox = Inbox(self)
        self.callables = self.inbox.callables
        self.dropped = Leftovers()
        self._pid = os.getpid()
        self._opening = threading.RLock()
        self._connection: Connection | None = None
        self._outlook: Outlook | None = None
        #: Whether the service that the name stood for is not there any more: the next call looks again.
        self.has_gone = False

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
            self.holdings.unlock()
            self._pid = os.getpid()
        with self._opening:
            found = self.connection
            if found is None:
                found = self._connection = self._connect()
                self.inbox.rejoin(found)
            return found

    def _connect(self) -> Connection:
        assert self.uri.location is not None
        timeout_s = self.deadline_s
        ends = None if timeout_s is None else clock_s() + timeout_s
        with nothing_sent():
            connection = Connection(self.uri.location, self.uri.object, self._asked(), timeout_s)
        connection.inbox = self.inbox
        try:
            with nothing_sent():
                if self.holdings.token:  # first: the service may be away for longer than the grace time
                    self.holdings.take_back(self, connection)
                left_s = None if ends is None else ends - clock_s()
                self._learn(*connection.wait(connection.described, left_s))
        except BaseException:
            self.end(connection)
            raise
        return connection

    def _asked(self) -> bytes:
        """The target whose interface, and whose object id, is asked for."""
        uri = self.uri
        return (uri.object if uri.protocol == "PYRO" else f"{uri.protocol}:{uri.object}").encode()

    def _look_again(self, connection: Connection) -> None:
        """Look the name up again: the service that it stood for has gone, and there may be a successor.

        Whoever else wants to call meanwhile waits for what is found.
        """
        with self._opening:
            if self.has_gone:
                asked = connection.start(
                    self._asked(), kind=Kind.DESCRIBE, flags=Flag.READ, budget_s=self.deadline_s
                )
                with nothing_sent():
                    self._learn(*connection.wait(asked, self.deadline_s))
                self.has_gone = False

    def ready(self, now: float, flags: int, asked: float | None = None) -> Connection:
        """The connection, fit for a call that is sent `now`; opens one if there is none.

        Raises `NotSent` if the one that is there has turned out to be dead, `StaleCall` if so much time has
        passed since the call was `asked` for that what is not a read had better not be sent any more.
        """
        before, connection = self._connection, self.connected()
        is_doubtful = connection.doubtful(now)
        if is_doubtful:
            connection.assure(self.deadline_s)
        if is_doubtful or connection is not before:
            refuse_late(asked or now, flags)
        if self.has_gone:
            self._look_again(connection)
        if self.holdings.token:
            with nothing_sent():
                self.holdings.ensure()
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
        """Give the place in the broker's pool back, and all that is reserved; the next use connects again."""
        if self._pid == os.getpid():
            self.holdings.drop()
        self._leave()

    def _leave(self) -> None:
        if self._pid == os.getpid():
            self.inbox.release()
        self.hang_up()

    def hang_up(self) -> None:
        """End the connection. Whoever subscribes to something, or holds something, connects again."""
        if self._pid != os.getpid():
            self._connection = None
            return
        with self._opening:
            connection, self._connection = self._connection, None
        if connection is not None and connection.pid == os.getpid():
            self.end(connection)

    def end(self, connection: Connection) -> None:
        """Leave, by a connection in whose place another one comes."""
        if self.holdings.token:
            connection.break_off()  # the next one takes back what is held
        else:
            connection.close()

    def __del__(self) -> None:
        if self.__dict__.get("_connection") is not None and not sys.is_finalizing():
            try:
                self.holdings.forget(self)
                self._leave()
            except KeyboardInterrupt:  # Python drops what a finalizer raises; Ctrl-C must not get lost
                deliver_ctrl_c_again()

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
            check_size([body, *buffers], defaults.max_message_bytes)
        return [body, *buffers]

    def begin(self, message: Message, flags: int, session: int = 0) -> RemoteFuture:
        """A call whose answer comes later."""
        future = RemoteFuture()

        def attempt(message: Message, flags: int, session: int = 0, asked: float | None = None) -> None:
            outlook = self._outlook_of(self.ready(clock_s(), flags, asked))
            outlook.connection.check_session(session)
            settle = partial(self._settle, future, outlook.connection)
            start = partial(self.start, outlook.connection, message, flags, settle)
            future.bind(outlook.connection, outlook.add(start))

        self._persist(attempt, message, flags, session)
        return future

    def _settle(self, future: RemoteFuture, connection: Connection, pending: Pending) -> None:
        future.settle(lambda: self.value_of(*self.answer_of(connection, pending)))

    def answer_of(self, connection: Connection, pending: Pending) -> tuple[Envelope, list[Any]]:
        """The answer to a call that is done. Raises what it was refused with, or `OutcomeUnknown`."""
        try:
            return connection.answer_of(pending)
        except ReservationLost as error:
            self.holdings.lose(error)
            raise
        except ServiceGone:
            self.has_gone = self.uri.protocol != "PYRO"
            raise

    def start(
        self,
        connection: Connection,
        message: Message,
        flags: int,
        on_done: Callable[[Pending], None] | None = None,
    ) -> Pending:
        """Send a call over a connection of this attachment."""
        if self.dropped:
            self.dropped.see_to(connection, self.target)
        if self.callables.unsent:
            self._let_be_called(connection)
        return connection.start(
            self.target,
            message,
            flags=flags,
            budget_s=deadline_here(self.timeout_s),
            token=self.holdings.token,
            on_done=on_done,
        )

    def value_of(self, envelope: Envelope, frames: list[Any]) -> Any:
        """The value in an answer. Raises the exception in it, if it is one."""
        value = self._value_in(envelope, frames)
        if envelope.kind == Kind.RAISED:
            raise unpack_exception(value)
        return value

    def _value_in(self, envelope: Envelope, frames: list[Any]) -> Any:
        value = self.codec.decode(frames[0], frames[1:], writable=self.writable)
        if envelope.flags & Flag.ANNOTATED and envelope.kind == Kind.RESULT:
            value, notes = split_notes(value)
            context.incoming_response(notes)
        elif context.response_annotations.get() is not None:
            context.incoming_response(None)
        return value

    def _outlook_of(self, connection: Connection) -> Outlook:
        outlook = self._outlook
        if outlook is None or outlook.connection is not connection:
            outlook = self._outlook = Outlook(connection)
        return outlook

    def _attempt(
        self, message: Message, flags: int, session: int = 0, asked: float | None = None
    ) -> tuple[int, Any]:
        connection = self.ready(clock_s(), flags, asked)
        if session:
            connection.check_session(session)
        if waiting.chain() and not flags & (Flag.ONEWAY | Flag.URGENT):
            waiting.check(self.target, self.uri.object)
        pending = self.start(connection, message, flags)
        if flags & Flag.ONEWAY:
            context.incoming_response(None)
            return Kind.RESULT, None
        envelope, frames = connection.wait(pending, deadline_here(self.timeout_s))
        return envelope.kind, self._value_in(envelope, frames)

    def _let_be_called(self, connection: Connection) -> None:
        """Functions go out with the next message: see that somebody hears the questions to them."""
        self.callables.sent(connection.session)
        self.inbox.listen()

    def tidy(self) -> None:
        """Tell the service what it need not hold, if there is a connection; must not block."""
        connection = self.connection
        if connection is not None:
            self.dropped.try_to_see_to(connection, self.target)

    # -- trying again --------------------------------------------------------------------------------

    def _persist(
        self, attempt: Callable[..., Answered], message: Message, flags: int, session: int = 0
    ) -> Answered:
        """Try again where it is safe."""
        asked = clock_s()
        try:
            return attempt(message, flags, session) if session else attempt(message, flags)
        except CommunicationError as error:
            failed = error
        retries = Retries(self, flags, session, asked)
        while True:
            if isinstance(failed, ReservationLost):
                self.holdings.lose(failed)
            if not retries.allowed_after(failed):
                raise failed
            try:
                with retries.remaining():
                    return attempt(message, flags, session, asked)
            except CommunicationError as error:
                failed = error

    def may_renew(self, error: CommunicationError, used: Connection | None = None) -> bool:
        """Whether a new connection, or looking the name up again, may help.

        If the one that was `used` is not ours any more, somebody has renewed it already.
        """
        if isinstance(error, ServiceGone):
            by_name = self.uri.protocol != "PYRO"
            if by_name and used in (None, self._connection):
                self.has_gone = True
            return by_name
        return True
