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

from pyrolab_drivers.quantities import NotConnected, Seconds

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


def wait_until(condition: Callable[[], bool], timeout_s: Seconds, what: str) -> None:
    """Return once `condition()` is true. Raises `TimeoutError` after `timeout_s`, naming `what`."""
    deadline = time.monotonic() + timeout_s
    pause = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} took longer than {timeout_s:g} s")
        pause.wait(_POLL_S)
