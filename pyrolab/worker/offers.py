"""Offers of services that a daemon has made to its broker, until they are taken."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from pyrolab.link.clock import clock_ms
from pyrolab.link.link import Link, refusal
from pyrolab.protocol import codec
from pyrolab.protocol.envelope import Envelope, Flag, Kind, pack
from pyrolab.worker.hosting import Hosted

log = logging.getLogger("pyrolab.worker")

#: How long to wait before an offer is made again that was refused after a reconnection.
AGAIN_S = 2.0
#: It is said again after so many refusals.
_SAY_EVERY = 30


class Offer:
    """An offer; `error` says why the broker did not take it."""

    def __init__(self, hosted: Hosted, awaited: bool) -> None:
        self.hosted = hosted
        #: Whether somebody waits for the answer, and is told of a refusal.
        self.awaited = awaited
        self.answered = threading.Event()
        self.error: Exception | None = None

    def settle(self, error: Exception | None) -> None:
        """The broker has answered, or never will."""
        self.error = error
        self.answered.set()


class Offers:
    """The offers that are out, and those that are made again and again until they are taken.

    `make_again(hosted)` makes one, if there is a connection and the object is hosted still.
    """

    def __init__(self, make_again: Callable[[Hosted], None]) -> None:
        self._make_again = make_again
        self._open: dict[int, Offer] = {}
        self._newest = 0
        self._lock = threading.Lock()
        self._refused: dict[str, Hosted] = {}
        self._times: dict[str, int] = {}
        self._insisting: threading.Thread | None = None
        self._ended = threading.Event()

    def make(self, link: Link, hosted: Hosted, awaited: bool = False) -> Offer:
        """Offer a service. Raises `NotSent`."""
        interface, _ = codec.encode(hosted.interface.to_data())
        with self._lock:
            self._newest += 1
            number = self._newest
        offer = self._open[number] = Offer(hosted, awaited)
        header = pack(
            Kind.OFFER,
            _flags_of(hosted),
            session=link.session,
            call=number,
            stamp=clock_ms(),
            number=hosted.behavior.credit,
            token=hosted.fence,
            target=hosted.object_id.encode(),
        )
        link.send([header, interface])
        return offer

    def answered(self, envelope: Envelope, frames: list[Any]) -> bool:
        """The broker has answered one of them; whether it was one."""
        offer = self._open.pop(envelope.call, None)
        if offer is None:
            return False
        offer.settle(refusal(frames[0]) if envelope.kind == Kind.REFUSED else None)
        if not offer.awaited:
            self._follow_up(offer)
        return True

    def _follow_up(self, offer: Offer) -> None:
        """See what became of an offer that nobody waits for."""
        object_id = offer.hosted.object_id
        if offer.error is None:
            if self._times.pop(object_id, 0):
                log.info("the broker has taken %s now", object_id)
            return
        times = self._times[object_id] = self._times.get(object_id, 0) + 1
        if times % _SAY_EVERY == 1:
            log.warning("%s; %s is offered again every %g s", offer.error, object_id, AGAIN_S)
        with self._lock:
            self._refused[object_id] = offer.hosted
            if self._insisting is None:
                self._insisting = threading.Thread(target=self._insist, name="pyrolab-offers", daemon=True)
                self._insisting.start()

    def _insist(self) -> None:
        """Make refused offers again, as long as there are any."""
        while not self._ended.wait(AGAIN_S):
            with self._lock:
                refused, self._refused = self._refused, {}
                if not refused:
                    self._insisting = None
                    return
            for hosted in refused.values():
                self._make_again(hosted)

    def lost(self) -> None:
        """The connection has gone; everything is offered again with the next one."""
        with self._lock:
            self._refused.clear()
        for number in list(self._open):
            self._open.pop(number).settle(None)

    def close(self) -> None:
        """Insist no longer."""
        self._ended.set()


def _flags_of(hosted: Hosted) -> int:
    if not hosted.behavior.pool:
        return Flag.NONE
    keeps = hosted.instances.is_class and hosted.behavior.instance_mode == "session"
    return Flag.POOL | (Flag.HELD if keeps else 0)
