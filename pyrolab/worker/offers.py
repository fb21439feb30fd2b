"""Offers of services that a daemon has made to its broker, until they are answered."""

from __future__ import annotations

import threading
from typing import Any

from pyrolab.link.link import Link, clock_ms, refusal
from pyrolab.protocol import codec
from pyrolab.protocol.envelope import Envelope, Kind, pack
from pyrolab.worker.hosting import Hosted


class Offer:
    """An offer; `error` says why the broker did not take it."""

    def __init__(self) -> None:
        self.answered = threading.Event()
        self.error: Exception | None = None

    def settle(self, error: Exception | None) -> None:
        """The broker has answered, or never will."""
        self.error = error
        self.answered.set()


class Offers:
    """The offers that are out."""

    def __init__(self) -> None:
        self._open: dict[int, Offer] = {}
        self._newest = 0
        self._lock = threading.Lock()

    def make(self, link: Link, hosted: Hosted) -> Offer:
        """Offer a service. Raises `NotSent`."""
        interface, _ = codec.encode(hosted.interface.to_data())
        with self._lock:
            self._newest += 1
            number = self._newest
        offer = self._open[number] = Offer()
        header = pack(
            Kind.OFFER,
            session=link.session,
            call=number,
            stamp=clock_ms(),
            number=hosted.behavior.credit,
            target=hosted.object_id.encode(),
        )
        link.send([header, interface])
        return offer

    def answered(self, envelope: Envelope, frames: list[Any]) -> bool:
        """The broker has answered one of them; whether it was one."""
        offer = self._open.pop(envelope.call, None)
        if offer is not None:
            offer.settle(refusal(frames[0]) if envelope.kind == Kind.REFUSED else None)
        return offer is not None

    def lost(self) -> None:
        """The connection has gone; everything is offered again with the next one."""
        for number in list(self._open):
            self._open.pop(number).settle(None)
