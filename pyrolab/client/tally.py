"""What has become of the frames of one subscription: handed out, lost, or left out as it was asked for."""

from __future__ import annotations

from collections import deque

#: Gaps that are remembered.
MAX_GAPS = 1000
#: The rate is that of so many frames, or of so many s.
_RATE_FRAMES, _RATE_S = 64, 5.0


class Tally:
    """Counts of one subscription, which counts `interruptions` itself."""

    def __init__(self) -> None:
        self.delivered = 0
        self.dropped = 0
        self.skipped = 0
        self.interruptions = 0
        self.epoch = 0
        self.gaps: deque[tuple[int, int, int]] = deque(maxlen=MAX_GAPS)
        #: The last frame whose fate is known, and the newest that there is.
        self._last = self._newest = 0
        #: What the source has said of frames that it left out, for this connection.
        self._left_out = 0
        self._loss: tuple[int, int] | None = None
        self._times: deque[float] = deque(maxlen=_RATE_FRAMES)

    @property
    def published(self) -> int:
        """Frames whose fate is known."""
        return self.delivered + self.dropped + self.skipped

    @property
    def waiting(self) -> int:
        """Frames whose fate is not known yet."""
        return max(self._newest - self._last, 0)

    def attached(self, epoch: int, newest: int) -> None:
        """A connection begins after the frame `newest`; what lies between is lost."""
        self._left_out = 0
        if self.epoch == 0:
            self._last = newest
        elif epoch != self.epoch:
            self._last = 0  # what the publisher before has published since, nobody knows
        self.epoch = epoch
        self._newest = newest
        self._lose_up_to(newest, 0)

    def told(self, epoch: int, newest: int) -> None:
        """The source says how many frames there are."""
        if epoch == self.epoch:
            self._newest = max(self._newest, newest)

    def came(self, epoch: int, sequence: int, left_out: int, now: float) -> bool:
        """A frame has come, and is handed out; whether it is new."""
        if epoch != self.epoch or sequence <= self._last:
            return False
        self._account(sequence - 1, left_out)
        self._last = sequence
        self._newest = max(self._newest, sequence)
        self.delivered += 1
        self._times.append(now)
        return True

    def ended(self, epoch: int, newest: int, left_out: int) -> None:
        """No more will be handed out."""
        if epoch == self.epoch and newest >= self._last:
            self._account(newest, left_out)
            self._newest = self._last = newest

    def _account(self, up_to: int, left_out: int) -> None:
        """What is between the last frame and this one was left out, or is lost."""
        skipped = min(max(left_out - self._left_out, 0), max(up_to - self._last, 0))
        self._left_out = left_out
        self.skipped += skipped
        self._lose_up_to(up_to, skipped)

    def _lose_up_to(self, up_to: int, skipped: int) -> None:
        lost = up_to - self._last - skipped
        if lost > 0:
            self.dropped += lost
            self.gaps.append((self.epoch, self._last + 1, up_to))
            self._loss = (self._last + 1 if self._loss is None else self._loss[0], up_to)
        self._last = max(self._last, up_to)

    def take_loss(self) -> tuple[int, int] | None:
        """The first and the last frame that were lost since somebody asked."""
        loss, self._loss = self._loss, None
        return loss

    def rate(self, now: float) -> float:
        """Frames per second."""
        times = [each for each in self._times if now - each <= _RATE_S]
        if not times:
            return 0.0
        return len(times) / max(now - times[0], 1e-6) if len(times) > 1 else 1 / _RATE_S
