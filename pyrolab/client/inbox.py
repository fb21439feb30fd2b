"""What comes to a client unasked: questions to its functions, events, and the end of a service.

As soon as there is something to wait for, a thread reads the connection whenever nobody else does, and
connects again when it is lost, for as long as somebody subscribes to something.
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from pyrolab.client.callables import Callables
from pyrolab.client.connection import Connection
from pyrolab.client.runner import Runner
from pyrolab.errors import CommunicationError, NamingError, ProtocolError, PyroError
from pyrolab.link.backoff import Backoff
from pyrolab.protocol import codec
from pyrolab.protocol.call_body import Step
from pyrolab.protocol.codec import Codec
from pyrolab.protocol.envelope import Envelope, Flag, Kind
from pyrolab.protocol.names import URI

log = logging.getLogger("pyrolab.client")

#: Events of a topic that come before the answer which says what topic it is.
_EARLY = 1000


class Attached(Protocol):
    """What the inbox needs of its attachment."""

    uri: URI
    target: bytes
    codec: Codec

    @property
    def connection(self) -> Connection | None:
        """The connection, if it can be used."""
        ...

    def end(self, connection: Connection) -> None:
        """Leave; another connection takes the place of this one."""

    def connected(self) -> Connection:
        """The connection; opens one if there is none."""
        ...

    def invoke(
        self,
        steps: Sequence[Step],
        verb: str,
        args: Sequence[Any] = (),
        *,
        flags: int = Flag.NONE,
        session: int = 0,
    ) -> Any:
        """One call."""
        ...

    def tidy(self) -> None:
        """Do what finalizers have left to be done."""


class Joined(Protocol):
    """A subscription, as the inbox sees it."""

    steps: list[Step]
    session: int
    arguments: tuple[Any, ...]
    topic: int

    def calls(self, function: Callable[..., object]) -> bool:
        """Whether it calls this function."""
        ...

    def disconnect(self, function: Callable[..., object]) -> None:
        """Call `function` no longer."""

    def joined(self, topic: int, sequence: int, timestamp: float, values: list[Any]) -> None:
        """The service will tell from now on; `values` is what there is already."""

    def heard(self, sequence: int, timestamp: float, values: list[Any]) -> None:
        """The service tells something."""

    def fail(self, error: Exception) -> None:
        """There is no such event any longer."""

    def end(self) -> None:
        """Nothing comes any more."""


class Inbox:
    """Of one attachment."""

    def __init__(self, attachment: Attached) -> None:
        self._attachment = weakref.ref(attachment)
        self.callables = Callables()
        self.runner = Runner("pyrolab-events")
        self._topics: dict[int, list[weakref.ref[Joined]]] = {}
        self._early: dict[int, deque[list[Any]]] = {}
        #: Subscriptions that functions are connected to, which nobody else need hold.
        self.kept: set[Joined] = set()
        self._all: weakref.WeakSet[Joined] = weakref.WeakSet()
        self._lock = threading.RLock()
        self._listening = False
        self._released = threading.Event()

    # -- taking in, in whichever thread reads ------------------------------------------------------------

    def take(self, connection: Connection, envelope: Envelope, frames: list[Any]) -> None:
        """A message has come that answers nothing; must not block."""
        attachment = self._attachment()
        if attachment is None:
            return
        match envelope.kind:
            case Kind.ASK:
                service = attachment.target.decode("utf-8", "replace")
                self.callables.asked(envelope, frames, attachment.codec, service, connection.reply)
            case Kind.EVENT:
                self._event(envelope.number, frames)
            case Kind.ENDED:
                attachment.end(connection)  # the next connection looks for the service's successor
            case _:
                pass

    def _event(self, topic: int, frames: list[Any]) -> None:
        try:
            sequence, timestamp, values = codec.decode(frames[0], frames[1:])
        except (ProtocolError, ValueError, TypeError) as error:
            log.warning("an event could not be read: %s", error)
            return
        with self._lock:
            heard = [sub for ref in self._topics.get(topic, ()) if (sub := ref()) is not None]
            if not heard:
                self._early.setdefault(topic, deque(maxlen=_EARLY)).append([sequence, timestamp, values])
        for subscription in heard:
            subscription.heard(sequence, timestamp, values)

    def tidy(self) -> None:
        """Now and then: do what finalizers have left to be done; must not block."""
        attachment = self._attachment()
        if attachment is not None:
            attachment.tidy()

    def session_ended(self, session: int) -> None:
        """A connection of this attachment has ended."""
        self.callables.session_ended(session)
        with self._lock:
            self._topics.clear()
            self._early.clear()

    # -- subscribing -------------------------------------------------------------------------------------

    def join(self, subscription: Joined) -> None:
        """Ask the service for an event; raises what it raises."""
        attachment = self._here()
        topic, sequence, timestamp, values = attachment.invoke(
            subscription.steps,
            "join",
            subscription.arguments,
            flags=Flag.READ,
            session=subscription.session,
        )
        with self._lock:
            self._all.add(subscription)  # only now: a first connection must not join it as well
            subscription.joined(topic, sequence, timestamp, values)
            self._topics.setdefault(topic, []).append(weakref.ref(subscription))
            for early in self._early.pop(topic, ()):
                subscription.heard(*early)
        self.listen()

    def part(self, subscription: Joined) -> None:
        """A subscription ends; the service is told when nobody here listens to its topic any more."""
        topic = subscription.topic
        with self._lock:
            self._all.discard(subscription)
            self.kept.discard(subscription)
            others = [ref for ref in self._topics.get(topic, ()) if ref() not in (None, subscription)]
            if others:
                self._topics[topic] = others
                return
            known = self._topics.pop(topic, None) is not None
        attachment = self._attachment()
        if known and attachment is not None and attachment.connection is not None:
            try:
                attachment.invoke(subscription.steps, "part", flags=Flag.READ, session=subscription.session)
            except PyroError as error:
                log.debug("could not part from %s: %s", subscription, error)

    def rejoin(self, connection: Connection) -> None:
        """There is a new connection: subscribe again to what is subscribed to."""
        for subscription in list(self._all):
            try:
                self.join(subscription)
            except CommunicationError:
                raise
            except Exception as error:  # noqa: BLE001 - the successor may not offer it any longer
                subscription.fail(error)

    def release(self) -> None:
        """The attachment is released: all subscriptions end."""
        self._released.set()
        for subscription in list(self._all):
            subscription.end()

    def _here(self) -> Attached:
        attachment = self._attachment()
        assert attachment is not None
        return attachment

    # -- the thread that reads ---------------------------------------------------------------------------

    def listen(self) -> None:
        """See that the connection is read from now on, for as long as there is something to wait for."""
        with self._lock:
            if self._listening:
                return
            self._listening = True
            self._released.clear()
        threading.Thread(target=self._listen, name="pyrolab-inbox", daemon=True).start()

    def _listen(self) -> None:
        pauses = Backoff()
        while self._is_needed():
            try:
                connection = self._connection()
            except (CommunicationError, NamingError) as error:
                log.debug("not connected yet: %s", error)
                self._released.wait(pauses.next_s())
                continue
            if connection is not None:
                pauses.reset()
                connection.listen()
                del connection

    def _connection(self) -> Connection | None:
        attachment = self._attachment()
        if attachment is None:
            return None
        return attachment.connected() if self._all else attachment.connection

    def _is_needed(self) -> bool:
        with self._lock:
            attachment = self._attachment()
            connected = attachment is not None and attachment.connection is not None
            self._listening = bool(self._all) or (connected and bool(self.callables))
            return self._listening
