"""An instrument with all that Python objects can do: channels, items, generators, events, callbacks."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Annotated, Any, ClassVar

from pyrolab.api import Event, Service, behavior, current_call, expose, oneway, readonly, watchable


class Unit:
    """As of the drivers: a unit rides on a type."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol


@expose
class Channel:
    """One channel."""

    heard = Event("voltage", doc="The voltage was set.")

    def __init__(self, name: str) -> None:
        self._name = name
        self._voltage = 0.0
        self.secret = "not exposed"

    @property
    def name(self) -> str:
        """Its name."""
        return self._name

    @property
    def voltage(self) -> Annotated[float, Unit("V")]:
        """Voltage, in V."""
        return self._voltage

    @voltage.setter
    def voltage(self, value: float) -> None:
        self._voltage = value
        self.heard.emit(value)

    def ramp(self, to: float, steps: int = 3) -> list[float]:
        """Go there in steps."""
        return [self._voltage + (to - self._voltage) * step / steps for step in range(1, steps + 1)]


@expose
class Lease:
    """A context manager that notes what happens to it."""

    log: ClassVar[list[str]] = []

    def __enter__(self) -> Lease:
        self.log.append("enter")
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        self.log.append(f"exit {kind.__name__ if kind else None} {error}")
        return isinstance(error, ArithmeticError)

    def work(self) -> str:
        """Something inside."""
        return "worked"


@behavior(instance_mode="single")
@expose
class Station(Service):
    """Everything at once."""

    moved = Event("position_mm", doc="The stage has come to rest.")
    closed_generators: ClassVar[list[str]] = []

    def __init__(self) -> None:
        self._items: dict[str, Any] = {"x": 1, "y": 2}
        self._channels = {name: Channel(name) for name in ("a", "b")}
        self._position = 0.0
        self._gain = 1
        self._temperature = 20.0
        self._removed = False
        self._kept: Callable[..., Any] | None = None

    # sub-objects
    @property
    def ch_a(self) -> Channel:
        """Channel a."""
        return self._channels["a"]

    @property
    def undeclared(self):  # type: ignore[no-untyped-def]
        """A channel without an annotation."""
        return self._channels["b"]

    @property
    def channels(self) -> dict[str, Channel]:
        """All channels by name."""
        return self._channels

    @property
    def in_order(self) -> list[Channel]:
        """All channels in a list."""
        return list(self._channels.values())

    def channel(self, name: str) -> Channel:
        """A channel as a result."""
        return self._channels[name]

    def same(self, channel: Channel, name: str) -> bool:
        """Whether a channel that was passed back is this one."""
        return channel is self._channels[name]

    # items and other protocols
    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, key: str) -> bool:
        return key in self._items

    def __getitem__(self, key: Any) -> Any:
        return key if isinstance(key, slice) else self._items[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._items[key] = value

    def __delitem__(self, key: str) -> None:
        del self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __call__(self, value: int) -> int:
        return value * 2

    def __lt__(self, other: float) -> bool:
        return self._position < other

    @classmethod
    def kind(cls) -> str:
        """A class method."""
        return cls.__name__

    @staticmethod
    def add(one: int, two: int = 1) -> int:
        """A static method."""
        return one + two

    # properties
    @watchable
    def gain(self) -> int:
        """Gain."""
        return self._gain

    @gain.setter
    def gain(self, value: int) -> None:
        if value < 0:
            raise ValueError("the gain can't be negative")
        self._gain = value

    @gain.deleter
    def gain(self) -> None:
        self._gain = 0

    @property
    def position(self) -> float:
        """Position in mm; read-only."""
        return self._position

    @property
    def temperature(self) -> float:
        """It changes by itself."""
        self._temperature += 1
        return self._temperature

    def move(self, to: float) -> None:
        """Move there, and say so."""
        self._position = to
        self.moved.emit(to)

    def sweep_gain(self, *values: int) -> None:
        """Set the gain several times in one call."""
        for value in values:
            self.gain = value

    # generators
    def numbers(self, count: int) -> Iterator[int]:
        """Count."""
        try:
            yield from range(count)
        finally:
            self.closed_generators.append(f"numbers {count}")

    def endless(self, pause_s: float = 0.0) -> Iterator[int]:
        """Never ends by itself."""
        number = 0
        try:
            while True:
                time.sleep(pause_s)
                yield number
                number += 1
        finally:
            self.closed_generators.append(f"endless {number}")

    def fails_after(self, count: int) -> Iterator[int]:
        """Raises after some items."""
        yield from range(count)
        raise ValueError(f"failed after {count}")

    def echoes(self) -> Iterator[Any]:
        """Yields what it is sent."""
        value = None
        while True:
            value = yield value

    def untravelling(self) -> Iterator[Any]:
        """The third item cannot travel."""
        yield 1
        yield 2
        yield object()
        yield 4

    @property
    def squares(self) -> Iterator[int]:
        """A generator from a property."""
        return (n * n for n in range(5))

    @readonly
    def closed(self) -> list[str]:
        """The generators that have been closed."""
        return list(self.closed_generators)

    # context managers
    def lease(self) -> Lease:
        """A context manager."""
        return Lease()

    @readonly
    def lease_log(self) -> list[str]:
        """What has happened to leases."""
        return list(Lease.log)

    # callbacks
    def each(self, function: Callable[[int], Any], count: int) -> list[Any]:
        """Call a function of the client."""
        return [function(number) for number in range(count)]

    def keep(self, function: Callable[..., Any]) -> None:
        """Keep a function for later."""
        self._kept = function

    def call_kept(self, *args: Any) -> Any:
        """Call what was kept."""
        assert self._kept is not None
        return self._kept(*args)

    def forget(self) -> None:
        """Keep nothing."""
        self._kept = None

    # the call
    def whoami(self) -> tuple[str, int, str]:
        """What is known of the caller."""
        call = current_call()
        return call.user, call.client.pid, call.id

    def wait_for_cancel(self, seconds: float) -> str:
        """Wait with a cancel hook."""
        import threading

        cancelled = threading.Event()
        current_call().on_cancel(cancelled.set)
        if cancelled.wait(seconds):
            self.closed_generators.append("cancelled by hook")
            return "cancelled"
        return "waited"

    def error_value(self) -> Exception:
        """An exception as a result."""
        return ValueError("only a value")

    def oneself(self) -> Station:
        """Itself."""
        return self

    @oneway
    def later(self, to: float) -> None:
        """Without an answer."""
        self._position = to

    @contextlib.contextmanager
    def _private(self) -> Iterator[None]:
        yield


class Plain:
    """A class that knows nothing of PyroLab."""

    def __init__(self) -> None:
        self.part = Part()

    @property
    def level(self) -> int:
        return 7

    @property
    def child(self) -> Part:
        return self.part

    def double(self, value: int) -> int:
        return 2 * value

    def _hidden(self) -> int:
        return 1


class Part:
    """A part of it."""

    def __init__(self) -> None:
        self._value = 3

    @property
    def value(self) -> int:
        return self._value

    @value.setter
    def value(self, value: int) -> None:
        self._value = value


class Open(Plain):
    """The same, all public names exposed."""


behavior(instance_mode="single", exposure="public")(Open)


@behavior(instance_mode="percall")
@expose
class Disposable(Service):
    """A new instance for each call; it notes when it is closed."""

    closed: ClassVar[list[int]] = []

    def __init__(self) -> None:
        self._is_closed = False

    def count_up(self, to: int) -> Iterator[tuple[int, bool]]:
        """Numbers, and whether the instance is closed already."""
        for number in range(to):
            yield number, self._is_closed

    @readonly
    def endings(self) -> int:
        """How many instances have been closed."""
        return len(self.closed)

    def close(self) -> None:
        """Note it."""
        self._is_closed = True
        self.closed.append(1)
