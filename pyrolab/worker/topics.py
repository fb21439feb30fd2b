"""Who has joined which event or watched property of a service, and what they are told.

A topic is one event, or one property, of one object. What is published on it is numbered, and the broker
passes it on to all who have joined. A late joiner of a property gets its value with its answer, and all
changes after it. Joining and parting happen in the service's thread; events may be emitted in any.
"""

from __future__ import annotations

import inspect
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from pyrolab.errors import BusyError, SerializeError
from pyrolab.protocol import codec
from pyrolab.protocol.call_body import Step
from pyrolab.worker.events import BoundEvent, WatchableProperty
from pyrolab.worker.views import Views, not_offered

log = logging.getLogger("pyrolab.worker")

#: Topics that one session may have joined in one service.
MAX_JOINED = 1000
#: The shortest time between two looks at a property.
SHORTEST_INTERVAL_S = 0.01


class Outlet(Protocol):
    """The way out for what a service tells on its own account."""

    def join(self, session: int, topic: int) -> None:
        """From now on a client gets what is published on a topic."""

    def part(self, session: int, topic: int) -> None:
        """No longer."""

    def publish(self, topic: int, frames: Sequence[Any]) -> None:
        """Tell all who have joined."""

    def in_service(self, act: Callable[[], object]) -> None:
        """Have something done in the service's thread."""


class Topic:
    """One event or property, and who has joined."""

    def __init__(self, number: int, owner: Any, name: str, outlet: Outlet) -> None:
        self.number = number
        self.owner = owner
        self.name = name
        self.sessions: set[int] = set()
        self.sequence = 0
        self.outlet = outlet
        self._lock = threading.Lock()

    def tell(self, *values: Any) -> None:
        """Publish the next message."""
        with self._lock:
            self.sequence += 1
            message = [self.sequence, time.time(), list(values)]
            try:
                body, buffers = codec.encode(message, path=self.name)
            except SerializeError as error:  # the emitter must not fail because somebody listens
                log.error("%s was not told: %s", self.name, error)
                return
            self.outlet.publish(self.number, [body, *buffers])

    def snapshot(self) -> list[Any]:
        """What a new member gets first."""
        return []

    def close(self) -> None:
        """Nobody has joined any longer."""


class EventTopic(Topic):
    """An event."""

    def __init__(self, number: int, owner: Any, name: str, outlet: Outlet) -> None:
        super().__init__(number, owner, name, outlet)
        self._event: BoundEvent = getattr(owner, name)
        self._event.connect(self.tell)

    def close(self) -> None:
        """Let the event go."""
        self._event.disconnect(self.tell)


class PropertyTopic(Topic):
    """A property that is watched."""

    def __init__(self, number: int, owner: Any, name: str, outlet: Outlet) -> None:
        super().__init__(number, owner, name, outlet)
        self._value = getattr(owner, name)
        self._print = _print_of(self._value)
        declared = inspect.getattr_static(type(owner), name, None)
        self._declared = declared if isinstance(declared, WatchableProperty) else None
        if self._declared is not None:
            self._declared.watch(owner, self.look)
        self._pulse: _Pulse | None = None

    def snapshot(self) -> list[Any]:
        """The value of now."""
        return [self._value]

    def look(self) -> None:
        """Read the property, and tell if it has changed."""
        value = getattr(self.owner, self.name)
        trace = _print_of(value)
        if trace != self._print:
            self._value, self._print = value, trace
            self.tell(value)

    def look_every(self, interval_s: float) -> None:
        """Look now and then, because the property changes by itself. The shortest interval counts."""
        interval_s = max(interval_s, SHORTEST_INTERVAL_S)
        if self._pulse is None:
            self._pulse = _Pulse(interval_s, lambda done: self.outlet.in_service(lambda: self._beat(done)))
        self._pulse.interval_s = min(self._pulse.interval_s, interval_s)

    def _beat(self, done: Callable[[], None]) -> None:
        try:
            if self.sessions:
                self.look()
        except Exception:
            log.exception("%s cannot be read", self.name)
        finally:
            done()

    def close(self) -> None:
        """Look no more."""
        if self._declared is not None:
            self._declared.unwatch(self.owner, self.look)
        if self._pulse is not None:
            self._pulse.stop()


class _Pulse:
    """Calls `beat(done)` regularly in a thread of its own, but not again before `done()`."""

    def __init__(self, interval_s: float, beat: Callable[[Callable[[], None]], None]) -> None:
        self.interval_s = interval_s
        self._beat = beat
        self._stopped = threading.Event()
        self._done = threading.Event()
        threading.Thread(target=self._run, name="pyrolab-pulse", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()
        self._done.set()

    def _run(self) -> None:
        while not self._stopped.wait(self.interval_s):
            self._done.clear()
            self._beat(self._done.set)
            self._done.wait()


class Topics:
    """The topics of one service that somebody has joined."""

    def __init__(self, views: Views) -> None:
        self._views = views
        self._topics: dict[tuple[int, str], Topic] = {}
        self._newest = 0
        self.outlet: Outlet | None = None
        #: Whether a call may have changed what is watched.
        self.in_doubt = False

    @property
    def sessions(self) -> set[int]:
        """All who have joined anything."""
        return {session for topic in self._topics.values() for session in topic.sessions}

    def join(self, owner: Any, step: Step, session: int, interval_s: float | None = None) -> list[Any]:
        """Let a client hear of an event or property: `[topic, sequence, time, values so far]`."""
        assert self.outlet is not None
        self._check_room(session)
        topic = self._topic(owner, step)
        topic.sessions.add(session)
        self.outlet.join(session, topic.number)
        if interval_s is not None and isinstance(topic, PropertyTopic):
            topic.look_every(float(interval_s))
        return [topic.number, topic.sequence, time.time(), topic.snapshot()]

    def _check_room(self, session: int) -> None:
        joined = sum(session in topic.sessions for topic in self._topics.values())
        if joined >= MAX_JOINED:
            raise BusyError(
                f"this client has joined {joined} events and properties of the service, the limit; "
                "end some of its subscriptions",
                limit=MAX_JOINED,
                current=joined,
            )

    def _topic(self, owner: Any, step: Step) -> Topic:
        key = (id(owner), str(step))
        if key not in self._topics:
            kind = self._kind(owner, step)
            assert self.outlet is not None
            self._newest += 1
            self._topics[key] = kind(self._newest, owner, str(step), self.outlet)
        elif isinstance(self._topics[key], PropertyTopic):
            self._look(self._topics[key])
        return self._topics[key]

    def _kind(self, owner: Any, step: Step) -> type[EventTopic] | type[PropertyTopic]:
        view = self._views.of_class(type(owner))
        if step in view.events:
            return EventTopic
        if isinstance(step, str) and step in view.properties and "r" in view.properties[step].access:
            return PropertyTopic
        raise not_offered(view, step, "listen to")

    def part(self, owner: Any, step: Step, session: int) -> None:
        """A client no longer wants to hear of something."""
        self._leave((id(owner), str(step)), session)

    def _leave(self, key: tuple[int, str], session: int) -> None:
        topic = self._topics.get(key)
        if topic is None or session not in topic.sessions:
            return
        topic.sessions.discard(session)
        topic.outlet.part(session, topic.number)
        if not topic.sessions:
            del self._topics[key]
            topic.close()

    def end_session(self, session: int) -> None:
        """A client has gone."""
        for key in list(self._topics):
            self._leave(key, session)

    def changed(self, owner: Any, step: Step) -> None:
        """A client has set something."""
        topic = self._topics.get((id(owner), str(step))) if self._topics else None
        if topic is not None:
            self._look(topic)
        self.doubt()

    def doubt(self) -> None:
        """A call may have changed anything."""
        if self._topics:
            self.in_doubt = True

    def look_again(self) -> None:
        """After calls that may have changed something, read what is watched."""
        self.in_doubt = False
        for topic in list(self._topics.values()):
            self._look(topic)

    def _look(self, topic: Topic) -> None:
        if isinstance(topic, PropertyTopic):
            try:
                topic.look()
            except Exception as error:  # noqa: BLE001 - the call that came before has succeeded
                log.warning("%s is watched and cannot be read: %s", topic.name, error)


def _print_of(value: Any) -> Any:
    """What two equal values have in common: their bytes on the wire, because arrays and lists may change
    inside.
    """
    try:
        body, buffers = codec.encode(value)
    except SerializeError:
        return object()
    return body, [hash(bytes(each)) for each in buffers]
