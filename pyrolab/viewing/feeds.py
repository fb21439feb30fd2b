"""What is looked at: the frames of a stream, or the changes of a property, taken now and then.

A stream is read in a thread of its own, so that whoever draws never waits for the network.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pyrolab.errors import CommunicationError, PyroError
from pyrolab.viewing.asked import Asked
from pyrolab.viewing.counters import Counters
from pyrolab.viewing.fitting import binning_for

if TYPE_CHECKING:
    from pyrolab.client.node import Node
    from pyrolab.client.stream_subscription import StreamSubscription
    from pyrolab.client.streams import RemoteStream

#: Single values that wait to be drawn; further ones are dropped, and counted.
MOST_WAITING = 10_000
#: Frames of any size that wait at the source for somebody who wants all of them, but may be slow.
_MOST_FRAMES = 64
_LOOK_S = 0.5
_CLOSING_S = 2.0


class Seen(Protocol):
    """A frame of a stream, or a change of a property."""

    @property
    def value(self) -> Any:
        """What came."""

    @property
    def timestamp(self) -> float:
        """Unix time in s, of the service's computer."""
        ...

    @property
    def sequence(self) -> int:
        """Which one it is."""
        ...


class Feed(Protocol):
    """What a viewer looks at."""

    label: str
    doc: str
    unit: str
    #: What the numbers of its values count.
    counted: str
    #: Whether a value holds until the next one comes.
    stepwise: bool

    def take(self, timeout_s: float) -> list[Seen]:
        """What has come; waits up to `timeout_s` for something. Raises what has ended it for good."""
        ...

    def counters(self) -> Counters:
        """How it goes."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What is done to values before they come."""
        ...

    def close(self) -> None:
        """Look no longer."""


class StreamFeed:
    """Frames of a stream: the newest picture or trace, but each of single values; or `all` of any kind."""

    stepwise = False

    def __init__(
        self, stream: RemoteStream, asked: Asked | None = None, label: str = "", all: bool = False
    ) -> None:
        self.asked = asked or Asked()
        self.label = label or f"{stream._node._label}.{stream._name}"
        self.doc = stream.__doc__ or ""
        self.unit = stream.unit
        self._stream = stream
        self._past = Counters()
        self._waiting: deque[Seen] = deque()
        self._arrived = threading.Condition()
        self._overtaken = 0
        self._failure: Exception | None = None
        self._is_closed = False
        self._interrupted_at: float | None = None
        #: Rows and columns of pictures before they are binned.
        self._full_shape = (0, 0)
        #: How many wait at the source, and here; 1: the newest.
        self._most_waiting = _MOST_FRAMES if all else 1
        self.counted = "frame"
        self._subscription = self._subscribe(self.asked, self._most_waiting)
        self._thread = threading.Thread(target=self._read, name="pyrolab-viewing", daemon=True)
        self._thread.start()

    # -- the thread that reads -----------------------------------------------------------------------------

    def _read(self) -> None:
        try:
            while not self._is_closed:
                try:
                    frame = self._subscription.get(_LOOK_S)
                except TimeoutError:
                    continue
                self._put(frame)
                self._adapt(frame.value)
        except StopIteration:
            pass
        except Exception as error:  # noqa: BLE001 - it is raised where frames are taken
            with self._arrived:
                self._failure = _ended(self.label, error)
                self._arrived.notify_all()
        finally:
            self._subscription.close()

    def _put(self, frame: Seen) -> None:
        with self._arrived:
            if len(self._waiting) >= (MOST_WAITING if is_single(frame.value) else self._most_waiting):
                self._waiting.popleft()
                self._overtaken += 1
            self._waiting.append(frame)
            self._arrived.notify_all()

    def _adapt(self, value: Any) -> None:
        """Ask for frames in another way, if this one shows that they had better come so."""
        if is_single(value):
            self.counted = "value"
            if self._most_waiting == 1:
                self._exchange(Asked(max_rate=self.asked.value_rate, path=self.asked.path), MOST_WAITING)
            return
        binning = self._binning_for(value)
        if binning != self.asked.binning:
            self._exchange(dataclasses.replace(self.asked, binning=binning), self._most_waiting)

    def _binning_for(self, value: Any) -> int:
        """What makes pictures fit. The same picture in the same grid always gives the same."""
        asked = self.asked
        if asked.grid is None or self._subscription.path in ("", "shared memory") or not is_picture(value):
            return asked.binning
        shape, full = value.shape[:2], self._full_shape
        if shape != (full[0] // asked.binning, full[1] // asked.binning):
            self._full_shape = full = shape[0] * asked.binning, shape[1] * asked.binning
        return binning_for(full, *asked.grid())

    def _subscribe(self, asked: Asked, most_waiting: int) -> StreamSubscription:
        return self._stream.subscribe(
            "latest" if most_waiting == 1 else "queue",
            None if most_waiting == 1 else most_waiting,
            region=asked.region,
            binning=asked.binning,
            max_rate=asked.max_rate,
            compression=asked.compression,
            path=asked.path,
        )

    def _exchange(self, asked: Asked, most_waiting: int) -> None:
        """Subscribe anew, the new one first: a source that runs on demand need not stop."""
        before = self._subscription
        try:
            self._subscription = self._subscribe(asked, most_waiting)
        except CommunicationError:
            return  # the next frame will show again that it had better be so
        self.asked, self._most_waiting = asked, most_waiting
        self._past.dropped += before.dropped
        self._past.skipped += before.skipped
        before.close()

    # -- whoever draws ---------------------------------------------------------------------------------------

    def take(self, timeout_s: float) -> list[Seen]:
        """What has come; waits up to `timeout_s` for something. Raises what has ended it for good."""
        with self._arrived:
            if not self._waiting and self._failure is None:
                self._arrived.wait(timeout_s)
            if not self._waiting and self._failure is not None:
                raise self._failure
            found, self._waiting = list(self._waiting), deque()
        return found

    def counters(self) -> Counters:
        """How it goes."""
        now = self._subscription
        return Counters(
            dropped=self._past.dropped + now.dropped + self._overtaken,
            skipped=self._past.skipped + now.skipped,
            path=now.path,
            path_reason=now.path_reason,
            interrupted_at=self._interruption(not now.path),
        )

    def _interruption(self, is_on: bool) -> float | None:
        self._interrupted_at = (self._interrupted_at or time.time()) if is_on else None
        return self._interrupted_at

    @property
    def notes(self) -> tuple[str, ...]:
        """What is done to frames before they come."""
        return self.asked.notes

    def leave(self) -> None:
        """Look no longer, from some moment on; does not wait for it."""
        self._is_closed = True

    def close(self) -> None:
        """Look no longer."""
        self._is_closed = True
        self._subscription.close()
        self._thread.join(_CLOSING_S)


class PropertyFeed:
    """The value of a property, and its changes; with `every`, the service looks so often (in s)."""

    counted = "change"
    stepwise = True
    notes: tuple[str, ...] = ()

    def __init__(self, node: Node, name: str, every: float | None, label: str) -> None:
        described = node._known_shape().properties[name]
        self.label = label
        self.doc = described.doc
        self.unit = described.unit
        self._node = node
        self._interrupted_at: float | None = None
        try:
            self._watch = node._watch(name, every)
        except PyroError:
            raise
        except Exception as error:  # whatever the service raises
            raise PyroError(f"{label} cannot be read: {type(error).__name__}: {error}") from error

    def take(self, timeout_s: float) -> list[Seen]:
        """What has come; waits up to `timeout_s` for something. Raises what has ended it for good."""
        found: list[Seen] = []
        try:
            while len(found) < MOST_WAITING:
                found.append(self._watch.get(0 if found else timeout_s))
        except TimeoutError:
            pass
        except (StopIteration, PyroError, AttributeError) as error:
            raise _ended(self.label, error) from None
        return found

    def counters(self) -> Counters:
        """How it goes."""
        is_away = self._node._attachment.connection is None
        self._interrupted_at = (self._interrupted_at or time.time()) if is_away else None
        return Counters(dropped=self._watch.missed, interrupted_at=self._interrupted_at)

    def close(self) -> None:
        """Look no longer."""
        self._watch.close()


def _ended(label: str, error: Exception) -> PyroError:
    """What to raise when nothing will come any more."""
    return error if isinstance(error, PyroError) else PyroError(f"{label} has ended: {error}")


def is_single(value: Any) -> bool:
    """Whether this is one value, not a picture or a trace."""
    return not isinstance(value, np.ndarray) or value.ndim == 0


def is_picture(value: Any) -> bool:
    """Whether the first two axes of this are those of a picture, whose pixels have a mean."""
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "iuf":
        return False
    return value.ndim == 2 or (value.ndim == 3 and value.shape[2] in (3, 4))
