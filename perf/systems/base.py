"""What a system under test is: processes that can be started and stopped, and a client for each workload."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, ClassVar

from perf.children import Child
from perf.payloads import Image

#: Where a system can be reached: plain values that travel to another process.
Address = dict[str, Any]
#: Does so many calls, each on its way before the one before has been answered.
Pipeline = Callable[[int], None]


class Client(ABC):
    """One caller. Each method is one complete exchange, answer included."""

    @abstractmethod
    def empty(self) -> None:
        """A call without arguments or result."""

    @abstractmethod
    def ten_arguments(self) -> None:
        """A call with `TEN_ARGUMENTS`."""

    @abstractmethod
    def fetch(self, size: int) -> Image:
        """Have an image of `size` bytes returned; shape (size // 2,), uint16."""

    @abstractmethod
    def store(self, image: Image) -> None:
        """Send an image as an argument."""

    @abstractmethod
    def pipelines(self) -> Mapping[str, Pipeline]:
        """Ways to do many calls at once, by what they are called."""

    @abstractmethod
    def close(self) -> None:
        """Leave."""


class System(ABC):
    """A system in processes of its own; the measuring process holds the client."""

    #: How it was set up, in words, for whoever doubts the figures.
    setup: ClassVar[str]
    #: Whether it can host many services in one worker.
    many_services: ClassVar[bool] = False

    def __init__(self) -> None:
        self._children: list[Child] = []
        self.address: Address = {}

    @abstractmethod
    def start(self, services: int = 1) -> Address:
        """Start its processes, hosting so many services; the address for `connect`."""

    @staticmethod
    @abstractmethod
    def connect(address: Address) -> Client:
        """A client of the first service."""

    def spawn(self, *arguments: str, module: str = "") -> dict[str, Any]:
        """Start a process of this system's own module, or of another; what it said when it was ready."""
        child = Child(module or type(self).__module__, *arguments)
        self._children.append(child)
        return child.facts

    def stop(self) -> None:
        """End its processes, last started first."""
        while self._children:
            self._children.pop().end()

    def __enter__(self) -> System:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
