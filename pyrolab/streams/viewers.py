"""Who watches: one subscriber's connection each, straight to this process or through the broker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import msgpack
import zmq

from pyrolab.link.frames import send_frames
from pyrolab.protocol.envelope import NO_DEADLINE, Kind, pack
from pyrolab.streams.feeds import Feed
from pyrolab.streams.frames import Frame
from pyrolab.streams.publisher import Publisher

#: The sessions to which one message through the broker may go.
MAX_RECEIVERS = 15
#: The shortest and the longest time (s) between two tallies: longer and longer while nobody reads them.
TALLY_S, LONGEST_TALLY_S = 1.0, 30.0


class Road(Protocol):
    """How messages get to a viewer."""

    #: Whether one message may go to several viewers.
    shares: bool

    def send(self, viewers: Sequence[Viewer], header: Header, frames: Sequence[Any]) -> list[Viewer]:
        """Send to these; returns those who are not there any more."""
        ...


class Header:
    """What of a header is the same for all who get a message."""

    __slots__ = ("buffers", "call", "kind", "number", "token")

    def __init__(self, kind: int, call: int = 0, number: int = 0, token: int = 0, buffers: int = 0) -> None:
        self.kind = kind
        self.call = call
        self.number = number
        self.token = token
        self.buffers = buffers

    def packed(self, session: int = 0, target: bytes = b"") -> bytes:
        """The header frame for one receiver, or a target."""
        return pack(
            self.kind,
            0,
            self.buffers,
            session,
            self.call,
            0,
            NO_DEADLINE,
            self.number & 0xFFFF_FFFF,
            self.token,
            target,
        )


class Viewer:
    """A connection for one subscription; `key` is what the road calls it."""

    __slots__ = ("feed", "key", "publisher", "road", "session", "tally_at", "tally_s", "working")

    def __init__(self, road: Road, key: Any, session: int) -> None:
        self.road = road
        self.key = key
        self.session = session
        self.publisher: Publisher | None = None
        self.feed: Feed | None = None
        #: When the next tally is due, and how long after that the one after it.
        self.tally_at = 0.0
        self.tally_s = TALLY_S
        #: The frame that is being reduced or compressed for it, and how many had been left out before.
        self.working: tuple[Frame, int] | None = None

    def heard(self) -> None:
        """It reads what it is sent."""
        self.tally_s = TALLY_S

    def tell_again(self, now: float) -> None:
        """A tally is sent now: when the next one is due, which is later and later while none is heard of."""
        self.tally_at = now + self.tally_s
        self.tally_s = min(2 * self.tally_s, LONGEST_TALLY_S)

    def tally(self, kind: int = Kind.TALLY) -> Header:
        """How many frames there have been."""
        assert self.publisher is not None
        assert self.feed is not None
        with self.publisher.lock:
            return Header(kind, self.publisher.published, self.feed.skipped, self.publisher.epoch)

    def leave(self) -> None:
        """It has gone, or has been sent away."""
        publisher, feed = self.publisher, self.feed
        self.publisher = self.feed = self.working = None
        if publisher is not None and feed is not None:
            publisher.remove(feed)


class DirectRoad:
    """Straight to viewers that have connected to this process."""

    shares = False

    def __init__(self, router: zmq.Socket[bytes]) -> None:
        self._router = router

    def send(self, viewers: Sequence[Viewer], header: Header, frames: Sequence[Any]) -> list[Viewer]:
        """To each."""
        gone = []
        for viewer in viewers:
            try:
                send_frames(self._router, [header.packed(viewer.session), *frames], viewer.key)
            except zmq.ZMQError:  # it has gone, or has not read a thousand messages
                gone.append(viewer)
        return gone


def refusal_body(code: str, text: str, **fields: Any) -> bytes:
    """The body of a REFUSED."""
    packed: bytes = msgpack.packb({"code": code, "text": text, **fields})
    return packed
