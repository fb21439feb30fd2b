"""What every instrument has: an identity, and a connection that is opened and closed.

An instrument class is an ordinary class. It reads like the front panel of the instrument, it needs no
bus, and nothing happens before `connect()`.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

from typing_extensions import Self

from pyrolab_drivers.quantities import NotConnected, NotSupported, Seconds

#: Seconds between two looks at a condition that is waited for.
_POLL_S = 0.001


@dataclass(frozen=True, slots=True)
class Identity:
    """What an instrument says it is; the four fields of IEEE 488.2 `*IDN?`."""

    vendor: str
    model: str
    serial: str
    firmware: str = ""

    def __str__(self) -> str:
        return f"{self.vendor} {self.model} ({self.serial})"


class Instrument(ABC):
    """An instrument. A driver supplies `identity`, `_open` and `_close`."""

    def __init__(self) -> None:
        self._connected = False

    @property
    @abstractmethod
    def identity(self) -> Identity:
        """Vendor, model, serial number and firmware."""

    @abstractmethod
    def _open(self) -> None:
        """Open the connection to the instrument; import vendor libraries here, not before."""

    @abstractmethod
    def _close(self) -> None:
        """Leave the instrument in a safe state and free the connection."""

    @classmethod
    def detect(cls) -> list[str]:
        """Addresses at which such an instrument answers. Raises `NotSupported` if it cannot be looked for."""
        raise NotSupported(f"{cls.__name__} cannot be looked for; give it its address")

    def reset(self) -> None:
        """Bring the instrument into the state in which it leaves the factory."""
        raise self._not_supported("a reset")

    def self_test(self) -> str:
        """Let the instrument test itself; what it says, empty if all is well."""
        raise self._not_supported("a self-test")

    def errors(self) -> list[str]:
        """What the instrument has complained about since it was last asked, oldest first; takes them away."""
        raise self._not_supported("a list of errors")

    @property
    def connected(self) -> bool:
        """True between `connect()` and `close()`."""
        return self._connected

    def connect(self) -> None:
        """Open the connection to the instrument. Does nothing if it is open already."""
        if not self._connected:
            self._open()
            self._connected = True

    def close(self) -> None:
        """Free the instrument; `connect()` opens it again. Does nothing if it is closed already."""
        if self._connected:
            self._connected = False
            self._close()

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _require_connection(self) -> None:
        """Raise `NotConnected` unless the instrument is connected."""
        if not self._connected:
            raise NotConnected(f"{self.identity} is not connected; call connect() first")

    def _not_supported(self, what: str) -> NotSupported:
        """The error for a member that this kind of instrument may have, and this instrument has not."""
        return NotSupported(f"{type(self).__name__} has not got {what}")


class Channel(ABC):  # noqa: B024 - what a driver supplies is said by each family
    """One of several like parts of an instrument, with a number: an output, an input.

    It has no connection of its own: it is connected while its instrument is.
    """

    def __init__(self, instrument: Instrument, number: int) -> None:
        self._instrument = instrument
        self._number = number

    @property
    def number(self) -> int:
        """Its number on the instrument, from 1 unless the maker counts otherwise."""
        return self._number

    def _require_connection(self) -> None:
        """Raise `NotConnected` unless the instrument is connected."""
        self._instrument._require_connection()

    def _not_supported(self, what: str) -> NotSupported:
        return NotSupported(f"{type(self).__name__} has not got {what}")


def wait_until(condition: Callable[[], bool], timeout_s: Seconds, what: str) -> None:
    """Return once `condition()` is true. Raises `TimeoutError` after `timeout_s`, naming `what`."""
    deadline = time.monotonic() + timeout_s
    pause = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} took longer than {timeout_s:g} s")
        pause.wait(_POLL_S)
