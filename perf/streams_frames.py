"""The frames that all are made to stream, and how they are counted: only if each of them is what was sent.

Every frame is the same image of 8 MiB. Those of PyroLab carry their number in the first and the last pixel,
the others in a frame beside it. Times that processes tell each other are of the monotonic clock.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np

from perf.payloads import MIB, Image, image

SHAPE = (2048, 2048)
BYTES = 8 * MIB
#: Who waits for a frame gives up after so long.
PATIENCE_S = 5.0
#: The pixel by which an image that has not been filled yet is known.
_SIGN = (1, 1)
#: Frames of a slice that are compared pixel by pixel before it is timed; the last one is, too.
_COMPARED = 2
#: A rate is one of at least so many.
_LEAST = 5


def _reference() -> Image:
    made = image(BYTES).reshape(SHAPE)
    made[_SIGN] = 1
    made[0, 0] = made[-1, -1] = 0
    return made


REFERENCE = _reference()


def fill(out: Image, number: int) -> None:
    """Make `out` the image of this number: a row is written, and all of it if this memory is new."""
    if out[_SIGN] != REFERENCE[_SIGN]:
        out[:] = REFERENCE
    out[0] = REFERENCE[0]
    sign(out, number)


def sign(out: Image, number: int) -> None:
    """Write the number of a frame into it."""
    out[0, 0] = out[-1, -1] = number & 0xFFFF


def check_signed(number: int, frame: Image) -> None:
    """Raises `ValueError` if the frame does not carry this number at its beginning and at its end."""
    first, last = int(frame[0, 0]), int(frame[-1, -1])
    if not first == last == number & 0xFFFF:
        raise ValueError(f"frame {number} carries the numbers {first} and {last}")


def check_plain(number: int, frame: Image) -> None:
    """The same for frames whose number travels beside them."""
    first, last = int(frame[0, 0]), int(frame[-1, -1])
    if first or last:
        raise ValueError(f"frame {number} carries {first} and {last}, and should carry nothing")


def check_all(frame: Image) -> None:
    """Raises `ValueError` if a pixel, other than those with the number, is not as it was sent."""
    is_same = (
        np.array_equal(frame[1:-1], REFERENCE[1:-1])
        and np.array_equal(frame[0, 1:], REFERENCE[0, 1:])
        and np.array_equal(frame[-1, :-1], REFERENCE[-1, :-1])
    )
    if not is_same:
        raise ValueError("a frame is not what was sent")


#: Waits for the next frame or value; returns its number with it. Raises `TimeoutError`.
Take = Callable[[], tuple[int, Any]]
Check = Callable[[int, Any], None]


def counted(
    take: Take, check: Check, begin: float, end: float, compare: Callable[[Any], None] | None = check_all
) -> float:
    """How many come per second between these two times.

    If only few have come by then, on a busy machine, it waits for some more. Raises `ValueError` if one is
    not as it was sent, or comes before another one, and what `take` raises.
    """
    times: list[float] = []
    last = compared = 0
    frame: Any = None
    while (now := time.monotonic()) < end or len(times) < _LEAST:
        number, frame = take()
        check(number, frame)
        if number <= last:
            raise ValueError(f"frame {number} has come after {last}")
        last = number
        if now >= begin:
            times.append(perf_counter())
        elif compare is not None and compared < _COMPARED:
            compare(frame)
            compared += 1
    if compare is not None:
        compare(frame)
    return (len(times) - 1) / (times[-1] - times[0])


def answering(act: Callable[..., Any]) -> Callable[..., Any]:
    """In a child: answer with the error instead of ending, because others still need this process."""

    def answer(**question: Any) -> Any:
        try:
            return act(**question)
        except Exception as error:
            return {"error": f"{type(error).__name__}: {error}"}

    return answer


class Going:
    """Does something again and again in a thread, until it is told to stop."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None

    def start(self, act: Callable[[], object]) -> None:
        """Begin."""
        self._stopping.clear()
        self._error = None
        self._thread = threading.Thread(target=self._go, args=(act,), daemon=True)
        self._thread.start()

    def _go(self, act: Callable[[], object]) -> None:
        stopped = self._stopping.is_set
        try:
            while not stopped():
                act()
        except Exception as error:
            self._error = error

    def stop(self) -> None:
        """Raises what `act` has raised, or `RuntimeError` if it goes on."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(PATIENCE_S)
            if self._thread.is_alive():
                raise RuntimeError("the publisher does not stop")
        if self._error is not None:
            raise self._error
