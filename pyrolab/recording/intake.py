"""Where a recording gets its frames from: a subscription, and a new one when that has ended."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pyrolab.errors import CommunicationError, FramesLost, NamingError
from pyrolab.recording.files import Gap

if TYPE_CHECKING:
    from pyrolab.client.stream_subscription import StreamSubscription
    from pyrolab.client.streams import RemoteStream
    from pyrolab.streams.received import Frame

log = logging.getLogger("pyrolab.recording")

#: How long to wait before a stream is subscribed to again.
_PAUSE_S = 0.5


class Intake:
    """The frames of a stream, whatever happens to its publisher.

    `dropped` counts the frames that are known to be missing; `take_gaps` says which.
    """

    def __init__(self, stream: RemoteStream, options: Mapping[str, Any]) -> None:
        self._stream = stream
        self._options = options
        self._loss: FramesLost | None = None
        self._gaps: list[Gap] = []
        self._noted: Gap | None = None
        self._dropped_before = self._seen = 0
        #: Epoch and number of the last frame that came, and of the last one of the last gap; and while a new
        #: subscription is on its way, of the last one whose fate is known.
        self._resume_after: tuple[int, int] | None = None
        self._last = self._last_gap = (0, 0)
        self._subscription: StreamSubscription | None = stream.subscribe(**options)

    @property
    def dropped(self) -> int:
        """Frames that are missing."""
        subscription = self._subscription
        return self._dropped_before + (subscription.dropped if subscription else 0)

    @property
    def path(self) -> str:
        """The way that frames take; empty during an interruption."""
        return self._subscription.path if self._subscription else ""

    def next(self, timeout: float) -> Frame | None:
        """The next frame, or None if there is none within `timeout` s.

        Raises `StopIteration` if the subscription was closed, and what ends a subscription for good.
        """
        subscription = self._subscription or self._subscribed_again(timeout)
        if subscription is None:
            return None
        frame: Frame | None = None
        loss: FramesLost | None = None
        try:
            frame = subscription.get(timeout)
        except TimeoutError:
            pass
        except FramesLost as error:
            loss = error
            log.warning("%s", loss)
        if frame is not None:
            self._came(frame, subscription)
        if subscription.dropped != self._seen:
            self._look_for_gaps(subscription)
        if loss is not None:
            self._lost(loss, subscription)
        return frame

    def take_gaps(self) -> list[Gap]:
        """The gaps since somebody asked."""
        gaps, self._gaps = self._gaps, []
        return gaps

    def close(self) -> None:
        """Take no more frames; what is published from now on is not missing."""
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            self._dropped_before += subscription.dropped
            subscription.close()

    # -- what is missing -------------------------------------------------------------------------------------

    def _look_for_gaps(self, subscription: StreamSubscription) -> None:
        gaps = subscription.gaps
        start = len(gaps)
        while start and gaps[start - 1] != self._noted:
            start -= 1
        self._gaps += gaps[start:]
        if gaps:
            self._noted = gaps[-1]
            self._last_gap = (gaps[-1][0], gaps[-1][2])
        self._seen = subscription.dropped

    def _lost(self, loss: FramesLost, subscription: StreamSubscription) -> None:
        """A gap; or, if the same is said again, the end of the subscription."""
        if loss is not self._loss:
            self._loss = loss
            return
        log.warning("the subscription to %s has ended; subscribing again", subscription.name)
        known = [getattr(loss, "first", 1) - 1]
        known += [number for epoch, number in (self._last, self._last_gap) if epoch == subscription.epoch]
        self._resume_after = (subscription.epoch, max(known))
        subscription.close()
        self._dropped_before += subscription.dropped
        self._subscription = self._loss = self._noted = None
        self._seen, self._last_gap = 0, (0, 0)

    def _subscribed_again(self, timeout: float) -> StreamSubscription | None:
        try:
            self._subscription = self._stream.subscribe(**self._options)
        except (CommunicationError, NamingError) as error:
            log.debug("it is not back yet: %s", error)
            time.sleep(min(_PAUSE_S, timeout))
        return self._subscription

    def _came(self, frame: Frame, subscription: StreamSubscription) -> None:
        """After another subscription, note what was published between the two, as far as it is known."""
        if self._resume_after is not None:
            epoch, last = self._resume_after
            self._resume_after = None
            first = last + 1 if epoch == frame.epoch else 1
            before = frame.sequence - subscription.published
            if before >= first:
                self._gaps.append((frame.epoch, first, before))
                self._dropped_before += before - first + 1
        self._last = (frame.epoch, frame.sequence)
