"""`Publisher`: what a class publishes its frames or values with. It knows its subscriptions, no connections.

Without any bus, and as long as nobody has subscribed, publishing costs next to nothing.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from pyrolab.protocol.interface import StreamType
from pyrolab.streams.feeds import Feed
from pyrolab.streams.frames import BLOCK_BYTES, Array, Frame, checked, head_of

if TYPE_CHECKING:
    from pyrolab.streams.pool import Block, Pool

log = logging.getLogger("pyrolab.streams")

#: How long a publisher waits for a lossless subscriber that takes nothing, unless it says how long.
PATIENCE_S = 10.0
_LOOK_S = 0.5

#: Told that there is something to send.
Rouse = Callable[[], object]


class Publisher:
    """The stream of one instance: `publish` frames, or fill a `slot` in place. From any thread."""

    def __init__(self, name: str, described: StreamType, buffer: int, patience_s: float) -> None:
        self.name = name
        self.described = described
        self.buffer = buffer
        #: How long it waits for a lossless subscriber that takes nothing.
        self.patience_s = patience_s
        #: Tells the frames of this publisher from those of the one before it.
        self.epoch = secrets.randbits(63) or 1
        self._sequence = 0
        self._feeds: tuple[Feed, ...] = ()
        self._rouses: dict[Feed, Rouse] = {}
        self._pool: Pool | None = None
        self._scratch: Array | None = None
        self._closed = False
        #: Held by whoever uses its feeds; `changed` when one of them has room, or has ended.
        self.lock = threading.RLock()
        self._changed = threading.Condition(self.lock)
        #: Called for the first subscriber and after the last one, in this order; None: nothing to do.
        self.on_demand: Callable[[bool], object] | None = None

    # -- for the class that has it -----------------------------------------------------------------------

    @property
    def published(self) -> int:
        """How many frames have been published: the sequence number of the newest."""
        return self._sequence

    @property
    def subscribers(self) -> int:
        """How many subscriptions there are."""
        return len(self._feeds)

    @property
    def wanted(self) -> bool:
        """Whether anybody has subscribed."""
        return bool(self._feeds)

    def publish(self, value: Any, timestamp: float | None = None, **metadata: Any) -> int:
        """Publish a frame (an array, which is copied once) or any other value that can travel.

        `timestamp` is Unix time in s; now, if it is not said. Returns the sequence number, from 1. Waits for
        lossless subscribers to make room, if the stream says that it can. Raises `SerializeError` for what
        cannot travel (dtype object, for one), `ValueError` for a frame over 256 MiB.
        """
        if isinstance(value, np.ndarray) and value.nbytes >= BLOCK_BYTES:
            dtype, shape, size = checked(value.shape, value.dtype)
            head = head_of(timestamp, metadata)
            unseen = self._count_unseen()
            if unseen:
                return unseen
            self._wait_for_room()
            pool = self.pool()
            block = pool.take(size)
            np.copyto(_over(block, dtype, shape), value)
            return self._announce(Frame(head, (dtype, shape), block, len(pool)))
        head = head_of(timestamp, metadata)
        frame = Frame(head, value, None, 0)  # also when nobody listens: a mistake shows at once
        self._wait_for_room()
        return self._announce(frame)

    @contextmanager
    def slot(
        self, shape: Any, dtype: Any, timestamp: float | None = None, **metadata: Any
    ) -> Iterator[Array]:
        """An array to be filled in place, published without any copy when the `with` block has ended.

        If the block raises, nothing is published. Raises what `publish` raises.
        """
        kind, lengths, size = checked(shape, dtype)
        head = head_of(timestamp, metadata) if timestamp is not None else None
        if not self._feeds or size < BLOCK_BYTES:
            yield from self._filled_aside(kind, lengths, timestamp, metadata)
            return
        self._wait_for_room()
        pool = self.pool()
        block = pool.take(size)
        out = _over(block, kind, lengths)
        try:
            yield out
        except BaseException:
            block.give_back()
            raise
        finally:
            out.flags.writeable = False  # whoever has kept it would change what others look at
        head = head or head_of(timestamp, metadata)
        self._announce(Frame(head, (kind, lengths), block, len(pool)))

    def _filled_aside(
        self, dtype: np.dtype[Any], shape: tuple[int, ...], timestamp: float | None, metadata: dict[str, Any]
    ) -> Iterator[Array]:
        """The same in ordinary memory: nobody has subscribed, or it is too small to matter."""
        scratch = self._scratch
        if scratch is None or scratch.dtype != dtype or scratch.shape != shape:
            scratch = self._scratch = np.empty(shape, dtype)
        yield scratch
        self.publish(scratch, timestamp, **metadata)

    # -- publishing --------------------------------------------------------------------------------------

    def pool(self) -> Pool:
        """Where its frames are kept."""
        if self._pool is None:
            from pyrolab.streams.pool import Pool

            self._pool = Pool()
        return self._pool

    def _count_unseen(self) -> int:
        """The number of a frame that nobody wants; 0 if somebody does."""
        if self._feeds:
            return 0
        with self.lock:
            if self._feeds:
                return 0
            self._sequence += 1
            return self._sequence

    def _announce(self, frame: Frame) -> int:
        """Number the frame, and offer it to all who have subscribed."""
        is_behind = False
        with self.lock:
            self._sequence += 1
            number = frame.sequence = self._sequence
            now = time.monotonic()
            for feed in self._feeds:
                feed.offer(frame, now)
                if feed.is_ready or feed.is_at_its_end:
                    self._rouses[feed]()
                    is_behind = is_behind or feed.is_behind
        if is_behind:
            time.sleep(0)  # a loop that publishes without a pause would keep the interpreter from the sender
        return number

    def _wait_for_room(self) -> None:
        """Wait until everybody who must not lose a frame can take one, if this publisher may wait."""
        if not self._has_waiting_room():
            return
        began = time.monotonic()
        with self.lock:
            while not self._closed and (full := [each for each in self._feeds if _holds_up(each)]):
                now = time.monotonic()
                for feed in full:
                    if now - max(feed.progress_at, began) > self.patience_s:
                        feed.waits = False  # the next frame breaks it
                        text = "%s: a lossless subscriber has taken nothing for %g s, and loses frames now"
                        log.warning(text, self.name, self.patience_s)
                self._changed.wait(min(_LOOK_S, self.patience_s))

    def _has_waiting_room(self) -> bool:
        return any(_holds_up(each) for each in self._feeds)

    # -- for whoever connects it -------------------------------------------------------------------------

    def add(self, feed: Feed, rouse: Rouse) -> int:
        """There is a subscription; returns the number of the newest frame, after which it begins."""
        with self.lock:
            first = not self._feeds
            feed.progress_at = time.monotonic()
            self._rouses[feed] = rouse
            self._feeds = (*self._feeds, feed)
            newest = self._sequence
        if first and self.on_demand is not None:
            self.on_demand(True)
        return newest

    def remove(self, feed: Feed) -> None:
        """A subscription has ended."""
        with self.lock:
            if feed.ended:
                return
            self._feeds = tuple(each for each in self._feeds if each is not feed)
            self._rouses.pop(feed, None)
            feed.end()
            last = not self._feeds
            self._changed.notify_all()
        if last and self._pool is not None:
            self._pool.trim()
        if last and self.on_demand is not None:
            self.on_demand(False)

    def granted(self, feed: Feed, credit: int, given_back: int) -> None:
        """A subscriber can take more, and does not look at a frame any longer."""
        with self.lock:
            if given_back:
                feed.give_back(given_back)
            if credit:
                feed.grant(credit, time.monotonic())

    def taken(self, feed: Feed) -> tuple[Frame, int] | None:
        """See `Feed.take`."""
        with self.lock:
            was_full = feed.is_full
            taken = feed.take()
            if was_full:
                self._changed.notify_all()
            return taken

    def close(self) -> list[Feed]:
        """There will be no more frames; returns the subscriptions, which are yet to be ended."""
        with self.lock:
            self._closed = True
            self._changed.notify_all()
            return list(self._feeds)

    def __repr__(self) -> str:
        return f"<stream {self.name}, {self._sequence} published, {len(self._feeds)} subscribed>"


def _over(block: Block, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Array:
    """An array in the memory of a block."""
    return np.ndarray(shape, dtype, buffer=block.view)


def _holds_up(feed: Feed) -> bool:
    return feed.waits and feed.is_full
