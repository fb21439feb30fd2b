"""A subscription to a stream: iterate over its frames. It has a connection of its own.

It looks for the best way by itself: shared memory on the publisher's computer, straight from the publisher,
or through the broker. It outlives interruptions, and knows which frames it has missed.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Any, NoReturn

from typing_extensions import Self

from pyrolab.client.reached import Reached
from pyrolab.client.roads import Road, find_road
from pyrolab.client.tally import Tally
from pyrolab.errors import (
    CommunicationError,
    FramesLost,
    NamingError,
    ProtocolError,
    PyroError,
    RemoteError,
)
from pyrolab.link.backoff import Backoff
from pyrolab.link.link import refusal
from pyrolab.protocol.envelope import Envelope, Kind
from pyrolab.streams.memory import MemoryUnreachable
from pyrolab.streams.options import Options
from pyrolab.streams.received import Frame, Receiver

log = logging.getLogger("pyrolab.client")

#: Frames that may be on their way to a subscriber who takes all of them in turn.
CREDIT = 256
#: Frames that may be looked at where the publisher put them; further ones are copied.
MOST_HELD = 3
#: After so many frames, or bytes of them, a subscriber says that it has taken them.
_TELL_AFTER, _TELL_BYTES = 32, 1 << 20
#: Sources say once a second how many frames there are: after so long without a word, nobody is there.
_SILENCE_S = 5.0
#: Windows delivers Ctrl-C only between waits.
_LOOK_S = 0.5
#: How long `close` waits for the last word on how many frames there were.
_FAREWELL_S = 1.0


class StreamSubscription:
    """Frames of a stream, for one reader at a time; `close` may come from any thread.

    `delivered + dropped + skipped == published`: handed out, lost, and left out because that was asked for,
    of all that is known to have been published since it began. `interruptions` counts how often the
    connection was lost; in which frames that nobody knows of may be lost, if the publisher was restarted.
    """

    def __init__(self, node: Reached, name: str, options: Options, path: str | None = None) -> None:
        self.name = name
        self.options = options
        self._node = node
        self._wanted_path = path
        self._tally = Tally()
        self._given_back: deque[int] = deque()
        self._owed = self._owed_bytes = 0
        self._asked = False
        self._last_heard = 0.0
        self._trouble: Exception | None = None
        self._interrupted = False
        self._is_shared: bool | None = None
        self._reading = threading.Lock()
        self._closed = False
        self._ended: Exception | None = None
        self._road: Road | None = None
        self._receiver = self._new_receiver()
        self._open()

    def _new_receiver(self) -> Receiver:
        self._given_back = deque()
        return Receiver(self.options.variant, self._given_back, MOST_HELD)

    # -- how it goes -------------------------------------------------------------------------------------

    @property
    def delivered(self) -> int:
        """Frames that were handed out."""
        return self._tally.delivered

    @property
    def dropped(self) -> int:
        """Frames that are known to be lost."""
        return self._tally.dropped

    @property
    def skipped(self) -> int:
        """Frames that were left out because of `every` and `max_rate`."""
        return self._tally.skipped

    @property
    def published(self) -> int:
        """Frames since it began, as far as it is known what became of them."""
        return self._tally.published

    @property
    def waiting(self) -> int:
        """Frames that are known to have been published after the last one that was handed out."""
        return self._tally.waiting

    @property
    def rate(self) -> float:
        """Frames per second that were handed out lately."""
        return self._tally.rate(time.monotonic())

    @property
    def gaps(self) -> list[tuple[int, int, int]]:
        """Which frames are lost: epoch, first and last number; the newest thousand gaps."""
        return list(self._tally.gaps)

    @property
    def epoch(self) -> int:
        """Which run of the publisher the frames are of; another one after a restart."""
        return self._tally.epoch

    @property
    def interruptions(self) -> int:
        """How often the connection was lost."""
        return self._tally.interruptions

    @property
    def path(self) -> str:
        """The way that frames take: "shared memory", "direct" or "relay"; empty during an interruption."""
        road = self._road
        if road is None:
            return ""
        local = road.is_local if self._is_shared is None else self._is_shared
        return "shared memory" if local else road.name

    @property
    def path_reason(self) -> str:
        """Why it is not a better one."""
        road = self._road
        if road is None:
            return ""
        if road.is_local and self._is_shared is False:
            return "the publisher sends these frames by the network: too small, or shared memory is full"
        return road.reason

    @property
    def trouble(self) -> Exception | None:
        """Why it is interrupted; None if it is not."""
        return self._trouble

    @property
    def closed(self) -> bool:
        """Whether it has ended."""
        return self._closed

    # -- for its user ------------------------------------------------------------------------------------

    def get(self, timeout: float | None = None) -> Frame:
        """The next frame. Raises `TimeoutError` after `timeout` s, `StopIteration` when it is closed.

        A lossless subscription raises `FramesLost` once for frames that it has lost.
        """
        until = None if timeout is None else time.monotonic() + timeout
        with self._reading:
            try:
                return self._next(until)
            except TimeoutError:
                text = f"no frame of {self.name} has come within {timeout:g} s"
                if self._trouble is not None:
                    text += f": it is interrupted ({self._trouble})"
                raise TimeoutError(text) from None

    def __iter__(self) -> Iterator[Frame]:
        return self

    def __next__(self) -> Frame:
        return self.get()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self.close()

    def close(self) -> None:
        """End it, and learn how many frames there were."""
        self._closed = True
        road = self._road
        if road is not None:
            road.link.wake()
        with self._reading:
            if self._road is not None:
                self._part(self._road)
                self._hang_up()

    def __del__(self) -> None:
        road = self.__dict__.get("_road")
        if road is not None:
            road.link.close(polite=False)

    def __repr__(self) -> str:
        state = "closed" if self._closed else self.path or "interrupted"
        return f"<subscription to {self.name!r}, {state}, {self.delivered} delivered, {self.dropped} dropped>"

    # -- reading -----------------------------------------------------------------------------------------

    def _next(self, until: float | None) -> Frame:
        began = time.monotonic()
        self._last_heard = max(self._last_heard, began)
        while True:
            self._raise_end()
            try:
                if self._road is None:
                    self._reopen(until)
                frame = self._look()
                if frame is not None:
                    return frame
                self._wait(until)
            except (CommunicationError, MemoryUnreachable) as error:
                self._interrupt(error)

    def _raise_end(self) -> None:
        if self._closed:
            raise StopIteration
        if self._ended is not None:
            raise self._ended
        if self.options.policy == "lossless":
            lost = self._tally.take_loss()
            if lost is not None:
                raise FramesLost(
                    f"{self.name}: frames {lost[0]} to {lost[1]} are lost, because the connection was; "
                    "read on to get those that follow",
                    first=lost[0],
                    last=lost[1],
                )

    def _look(self) -> Frame | None:
        """The next frame, if it has come."""
        road = self._road
        assert road is not None
        if self.options.policy == "latest":
            self._ask()
        elif self._owed >= _TELL_AFTER or self._owed_bytes >= _TELL_BYTES:
            self._tell()
        while (message := road.link.receive()) is not None:
            self._last_heard = time.monotonic()
            frame = self._see_to(road, *message)
            if frame is not None:
                return frame
        return None

    def _see_to(self, road: Road, envelope: Envelope, frames: list[Any]) -> Frame | None:
        match envelope.kind:
            case Kind.FRAME:
                return self._take(envelope, frames)
            case Kind.TALLY:
                self._tally.told(envelope.token, envelope.call)
                road.credit(0)
            case Kind.REFUSED:
                self._refused(refusal(frames[0]))
            case Kind.ENDED | Kind.BYE | Kind.DETACH:
                raise CommunicationError("the source of the stream has gone")
            case _:
                pass  # PONG
        return None

    def _take(self, envelope: Envelope, frames: list[Any]) -> Frame | None:
        try:
            frame, self._is_shared = self._receiver.frame(envelope, frames)
        except RemoteError as error:
            self._end(error)
        self._asked = False
        self._owed += 1
        self._owed_bytes += sum(map(len, frames)) if not self._is_shared else _TELL_BYTES
        if not self._tally.came(envelope.token, envelope.call, envelope.number, time.monotonic()):
            return None  # it was sent before, by the connection that was lost
        self._interrupted = False
        self._trouble = None
        return frame

    def _refused(self, error: Exception) -> None:
        """The source has ended it."""
        if isinstance(error, (FramesLost, RemoteError)):
            self._end(error)
        raise error

    def _end(self, error: Exception) -> NoReturn:
        """No more frames can come."""
        self._ended = error
        self._hang_up()
        raise error

    def _wait(self, until: float | None) -> None:
        road = self._road
        assert road is not None
        if self._owed and self.options.policy != "latest":
            self._tell()
        now = time.monotonic()
        if until is not None and now >= until:
            raise TimeoutError
        if now - self._last_heard > _SILENCE_S:
            raise CommunicationError(f"its source has been silent for {_SILENCE_S:g} s")
        road.link.wait(_LOOK_S if until is None else min(until - now, _LOOK_S))

    # -- credit ------------------------------------------------------------------------------------------

    def _ask(self) -> None:
        """Ask for the newest frame, unless one is on its way."""
        if not self._asked:
            self._asked = True
            self._say(1)
        elif self._given_back:
            self._say(0)

    def _tell(self) -> None:
        """Say what was taken, so that more can come."""
        taken, self._owed, self._owed_bytes = self._owed, 0, 0
        self._say(taken)

    def _say(self, credit: int) -> None:
        road = self._road
        assert road is not None
        while len(self._given_back) > 1:
            road.credit(0, self._given_back.popleft())
        road.credit(credit, self._given_back.popleft() if self._given_back else 0)

    # -- connecting --------------------------------------------------------------------------------------

    def _open(self) -> None:
        road, newest, epoch = find_road(self._node, self.name, self.options, self._wanted_path)
        self._tally.attached(epoch, newest)
        self._road = road
        self._is_shared = None
        self._last_heard = time.monotonic()
        self._owed = self._owed_bytes = 0
        self._asked = False
        if self.options.policy != "latest":
            road.credit(CREDIT)

    def _reopen(self, until: float | None) -> None:
        """Subscribe again, as often as it takes."""
        pauses = Backoff()
        while not self._closed:
            try:
                self._open()
            except (AttributeError, ValueError):
                raise  # the successor has no such stream
            except (CommunicationError, NamingError) as error:
                self._trouble = error
                log.debug("%s is not back yet: %s", self.name, error)
            else:
                log.info("%s is back (%s)", self.name, self.path)
                return
            if until is not None and time.monotonic() >= until:
                raise TimeoutError
            self._pause(pauses.next_s(), until)
        raise StopIteration

    def _pause(self, seconds: float, until: float | None) -> None:
        ends = time.monotonic() + seconds
        if until is not None:
            ends = min(ends, until)
        while not self._closed and (left := ends - time.monotonic()) > 0:
            time.sleep(min(left, 0.1))

    def _interrupt(self, error: Exception) -> None:
        """The connection is of no use any longer."""
        self._trouble = error
        self._tally.interruptions += 1
        if not self._interrupted:
            self._interrupted = True
            log.warning("the stream %s is interrupted (%s); trying again", self.name, error)
        self._hang_up()

    def _hang_up(self) -> None:
        road, self._road = self._road, None
        if road is not None:
            road.link.close()
        self._receiver.close()
        self._receiver = self._new_receiver()

    def _part(self, road: Road) -> None:
        """Say that no more frames are wanted, and take in how many there have been."""
        try:
            road.detach()
            until = time.monotonic() + _FAREWELL_S
            while time.monotonic() < until:
                while (message := road.link.receive()) is not None:
                    envelope = message[0]
                    if envelope.kind == Kind.DETACH:
                        self._tally.ended(envelope.token, envelope.call, envelope.number)
                        return
                road.link.wait(max(until - time.monotonic(), 0.001))
        except (PyroError, ProtocolError) as error:
            log.debug("nobody said how many frames of %s there were: %s", self.name, error)
