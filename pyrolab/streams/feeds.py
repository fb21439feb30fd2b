"""The publisher's side of one subscription: what waits for it, what it may get, what has been left out.

Frames leave only against a credit that the subscriber has given, so nothing grows, whoever is slow. This file
does no input or output and takes the time as an argument; its callers hold the publisher's lock.
"""

from __future__ import annotations

from collections import deque

from pyrolab.streams.frames import Frame
from pyrolab.streams.options import DEFAULT_LIMIT, Options

#: Bytes on their way to one subscriber; a larger frame goes alone.
WINDOW_BYTES = 32 << 20
#: Credit that a subscriber may have.
MOST_CREDIT = 4096
#: Frames in blocks that may be on their way to one subscriber, and that it may hold: each has a descriptor.
MOST_BLOCKS, MOST_HELD = 32, 64


class Feed:
    """One subscription. `buffer` is how many frames its stream keeps for those who must not lose any."""

    def __init__(self, options: Options, buffer: int, waits: bool, is_local: bool) -> None:
        self.options = options
        self.is_lossless = options.policy == "lossless"
        self.waits = waits and self.is_lossless
        #: Whether its frames stay in shared memory.
        self.is_local = is_local
        self.variant = options.variant
        self._limit = _limit_of(options, buffer)
        #: Frames that wait, each with how many had been left out by then.
        self._pending: deque[tuple[Frame, int]] = deque()
        self._credit = 0
        self._sizes: deque[int] = deque()
        self._in_flight = 0
        #: Frames in shared memory that have not been given back, by their numbers.
        self.held: dict[int, Frame] = {}
        #: Frames that were left out because they were not asked for.
        self.skipped = 0
        self._count = 0
        self._next_at = 0.0
        #: The first frame that a lossless feed could not take, if that has ended it; 0: none.
        self.broken_at = 0
        self.ended = False
        #: When its subscriber last took something, by the publisher's clock.
        self.progress_at = 0.0

    # -- the publisher -----------------------------------------------------------------------------------

    @property
    def is_full(self) -> bool:
        """Whether one more frame would be lost that must not be."""
        return self.is_lossless and len(self._pending) >= self._limit and not self.broken_at

    def offer(self, frame: Frame, now: float) -> None:
        """A frame has been published: it waits here, or is left out, as the subscription wants it."""
        if self.broken_at:
            return
        if self._is_thinned(now):
            self.skipped += 1
            return
        if self.is_full:
            self.broken_at = frame.sequence
            return
        if len(self._pending) >= self._limit:
            self._pending.popleft()
        self._pending.append((frame, self.skipped))

    def _is_thinned(self, now: float) -> bool:
        """Whether this frame was not asked for."""
        options = self.options
        self._count += 1
        if (self._count - 1) % options.every:
            return True
        if options.max_rate is None:
            return False
        if now < self._next_at:
            return True
        # In step with the rate, as long as frames come often enough; a pause does not let a burst follow.
        period = 1 / options.max_rate
        self._next_at = (self._next_at if now - self._next_at < period else now) + period
        return False

    # -- the subscriber ----------------------------------------------------------------------------------

    def grant(self, credit: int, now: float) -> None:
        """The subscriber takes so many more; as many of those sent before have been taken."""
        self._credit = min(self._credit + credit, MOST_CREDIT)
        for _ in range(min(credit, len(self._sizes))):
            self._in_flight -= self._sizes.popleft()
        self.progress_at = now

    def give_back(self, sequence: int) -> None:
        """The subscriber does not look at this frame any longer."""
        self.held.pop(sequence, None)

    @property
    def is_ready(self) -> bool:
        """Whether `take` would give a frame."""
        return bool(self._pending) and self._may_send(self._pending[0][0])

    @property
    def is_behind(self) -> bool:
        """Whether a frame that could be taken has not been, and another one is there already."""
        return len(self._pending) > 1

    def _may_send(self, frame: Frame) -> bool:
        if self._credit <= 0 or len(self.held) >= MOST_HELD:
            return False
        if frame.block is not None and len(self._sizes) >= MOST_BLOCKS:
            return False
        return not self._sizes or self._in_flight + frame.nbytes <= WINDOW_BYTES

    def take(self) -> tuple[Frame, int] | None:
        """The next frame to be sent, and how many had been left out before it; or None."""
        if not self.is_ready:
            return None
        frame, skipped = self._pending.popleft()
        self._credit -= 1
        self._sizes.append(frame.nbytes)
        self._in_flight += frame.nbytes
        if self.is_local and frame.is_shared:
            self.held[frame.sequence] = frame
        return frame, skipped

    @property
    def is_at_its_end(self) -> bool:
        """Whether a frame is lost that must not be, and all before it have been taken."""
        return bool(self.broken_at) and not self._pending and not self._sizes

    def end(self) -> None:
        """The subscription has ended. What the subscriber still looks at is never written again."""
        self.ended = True
        self._pending.clear()
        for frame in self.held.values():
            frame.retire()
        self.held.clear()


def _limit_of(options: Options, buffer: int) -> int:
    """How many frames wait at most."""
    match options.policy:
        case "latest":
            return 1
        case "queue":
            return options.limit or DEFAULT_LIMIT
        case _:
            return min(options.limit or buffer, buffer)
