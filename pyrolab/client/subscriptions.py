"""Events of a service, and changes of its properties: iterate over them, or have functions called.

A subscription outlives interruptions: it is joined again when the connection or the service is back, and says
how much it knows to have missed. It ends when it is closed or dropped, and when its proxy is released.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from typing_extensions import Self

from pyrolab.client.reached import Reached

Function = TypeVar("Function", bound=Callable[..., object])

#: Messages that wait for a reader who does not read; then the oldest are dropped and counted.
MAX_WAITING = 10_000
#: Windows delivers Ctrl-C only between waits.
_LOOK_S = 0.5


@dataclass(frozen=True, slots=True)
class Change:
    """A value of a watched property: `timestamp` is Unix time in s, of the service's computer."""

    value: Any
    timestamp: float
    sequence: int


class Subscription:
    """Messages of one event, from the moment it is made. Iterate over it, or `connect` functions.

    `missed` counts messages that are known to be lost, `interruptions` how often nobody could know.
    """

    def __init__(self, node: Reached, name: str, *arguments: Any) -> None:
        self.name = name
        self.steps = [*node._steps, name]
        self.session = node._session
        self.arguments = arguments
        self.topic = 0
        self.missed = 0
        self.interruptions = 0
        self._sequence: int | None = None
        self._waiting: deque[Any] = deque()
        #: Called, in the thread that reads, when there is something to get, and at the end.
        self.on_arrival: Callable[[], object] = lambda: None
        self._arrived = threading.Condition()
        self._functions: list[Callable[..., object]] = []
        self._ended = False
        self._failure: Exception | None = None
        self._attachment = node._attachment
        self._inbox = node._attachment.inbox
        self._inbox.join(self)

    # -- what the inbox tells, in the thread that reads --------------------------------------------------

    def joined(self, topic: int, sequence: int, timestamp: float, values: list[Any]) -> None:
        """The service will tell from now on; `values` is what there is already."""
        with self._arrived:
            if self._sequence is not None:
                self.interruptions += 1
            self.topic = topic
            self._sequence = sequence
            if values:
                self._deliver(sequence, timestamp, values)

    def heard(self, sequence: int, timestamp: float, values: list[Any]) -> None:
        """The service tells something."""
        with self._arrived:
            if self._sequence is None or sequence <= self._sequence:
                return
            self.missed += sequence - self._sequence - 1
            self._sequence = sequence
            self._deliver(sequence, timestamp, values)

    def _deliver(self, sequence: int, timestamp: float, values: list[Any]) -> None:
        if self._functions:
            for function in tuple(self._functions):
                self._call(function, sequence, timestamp, values)
            return
        if len(self._waiting) >= MAX_WAITING:
            self._waiting.popleft()
            self.missed += 1
        self._waiting.append(self._item(sequence, timestamp, values))
        self._arrived.notify_all()
        self.on_arrival()

    def _call(
        self, function: Callable[..., object], sequence: int, timestamp: float, values: list[Any]
    ) -> None:
        self._inbox.runner.put(lambda: function(*values))

    def _item(self, sequence: int, timestamp: float, values: list[Any]) -> Any:
        return values[0] if len(values) == 1 else tuple(values)

    def fail(self, error: Exception) -> None:
        """There is no such event any longer."""
        self._failure = error
        self.end()

    def end(self) -> None:
        """Nothing comes any more; what has come can still be read."""
        with self._arrived:
            self._ended = True
            self._arrived.notify_all()
        self.on_arrival()
        self._inbox.part(self)

    # -- for its user ------------------------------------------------------------------------------------

    def connect(self, function: Function) -> Function:
        """Call `function` with the values of each message, in a thread for this; returns it.

        Whatever waits to be read goes to it first.
        """
        with self._arrived:
            waiting, self._waiting = self._waiting, deque()
            self._functions.append(function)
            self._inbox.kept.add(self)
        for item in waiting:
            self._inbox.runner.put(lambda item=item: function(item))  # type: ignore[misc]
        return function

    def calls(self, function: Callable[..., object]) -> bool:
        """Whether it calls this function."""
        return function in self._functions

    def disconnect(self, function: Callable[..., object]) -> None:
        """Call `function` no longer. Raises `ValueError` if it was not connected."""
        self._functions.remove(function)
        if not self._functions:
            self.end()

    def close(self) -> None:
        """End it."""
        if not self._ended:
            self.end()

    def get(self, timeout: float | None = None) -> Any:
        """The next message. Raises `TimeoutError` after `timeout` s, `StopIteration` when it has ended."""
        with self._arrived:
            remaining = timeout
            while not self._waiting:
                if self._ended:
                    raise self._failure or StopIteration
                if remaining is not None and remaining <= 0:
                    raise TimeoutError(f"nothing of {self.name} has come within {timeout:g} s")
                step = _LOOK_S if remaining is None else min(remaining, _LOOK_S)
                self._arrived.wait(step)
                remaining = None if remaining is None else remaining - step
            return self._waiting.popleft()

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return self.get()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self.close()

    def __del__(self) -> None:
        attachment = self.__dict__.get("_attachment")
        if attachment is not None and not self._ended:
            attachment.dropped.append((self.session, self.steps))

    def __repr__(self) -> str:
        state = "ended" if self._ended else f"{len(self._waiting)} waiting, {self.missed} missed"
        return f"<{type(self).__name__} of {self.name!r}, {state}>"


class Watch(Subscription):
    """The value of a property now, and every change of it after that, as `Change`s."""

    def _item(self, sequence: int, timestamp: float, values: list[Any]) -> Change:
        return Change(values[0], timestamp, sequence)

    def _call(
        self, function: Callable[..., object], sequence: int, timestamp: float, values: list[Any]
    ) -> None:
        self._inbox.runner.put(lambda: function(self._item(sequence, timestamp, values)))


class RemoteEvent:
    """An event of a service: connect functions to it, or iterate over it."""

    def __init__(self, node: Reached, name: str) -> None:
        self._node = node
        self._name = name

    def subscribe(self) -> Subscription:
        """Hear of it from now on."""
        return Subscription(self._node, self._name)

    def connect(self, function: Function) -> Function:
        """Call `function` with the values each time, in a thread for this; returns it."""
        return self.subscribe().connect(function)

    def disconnect(self, function: Callable[..., object]) -> None:
        """Call `function` no longer. Raises `ValueError` if it was not connected."""
        steps = [*self._node._steps, self._name]
        for subscription in list(self._node._attachment.inbox.kept):
            if subscription.steps == steps and subscription.calls(function):
                subscription.disconnect(function)
                return
        raise ValueError(f"{function!r} is not connected to {self._name}")

    def __iter__(self) -> Subscription:
        return self.subscribe()

    @property
    def __doc__(self) -> str:  # type: ignore[override]
        return self._node._known_shape().interface.events[self._name].doc

    def __repr__(self) -> str:
        values = ", ".join(self._node._known_shape().interface.events[self._name].parameters)
        return f"<remote event {self._name}({values}) of {self._node._label}>"
