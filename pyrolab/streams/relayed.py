"""The way to viewers that cannot come straight here: a connection to the broker, which passes frames on.

It belongs to the session of the worker's first connection, and is opened again when somebody needs it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import zmq

from pyrolab.errors import CommunicationError, ConnectionClosedError
from pyrolab.link.link import Link
from pyrolab.protocol.envelope import Envelope, Kind
from pyrolab.protocol.names import Location
from pyrolab.streams.viewers import MAX_RECEIVERS, Header, Viewer

log = logging.getLogger("pyrolab.streams")

_AT_A_TIME = 64

Heard = Callable[[Viewer, Envelope, list[Any]], object]


class Shipment:
    """What goes to the broker in one go: a message that several want goes there once."""

    def __init__(self) -> None:
        self._messages: dict[Any, tuple[Header, Sequence[Any], list[Viewer]]] = {}

    def add(self, viewer: Viewer, header: Header, frames: Sequence[Any]) -> None:
        """The next message for a viewer."""
        key = (id(frames[0]), header.number, header.call)
        self._messages.setdefault(key, (header, frames, []))[2].append(viewer)

    def __iter__(self) -> Iterator[tuple[Header, Sequence[Any], list[Viewer]]]:
        """One viewer may be further on than another: to each, frames go in their order."""
        return iter(sorted(self._messages.values(), key=lambda each: each[0].call))


class RelayRoad:
    """Used by the hub's thread alone; viewers are known by their sessions with the broker."""

    shares = True

    def __init__(self, location: Location, name: str, about: Callable[[], dict[str, Any]]) -> None:
        self._location = location
        self._name = name
        self._about = about
        self._link: Link | None = None
        self.viewers: dict[int, Viewer] = {}

    @property
    def session(self) -> int:
        """What viewers address; 0 if there is no connection."""
        link = self._link
        return link.session if link is not None else 0

    @property
    def sockets(self) -> list[zmq.Socket[bytes]]:
        """To wait for."""
        return [self._link.socket] if self._link is not None else []

    def open(self) -> None:
        """Connect to the broker, if that is not done; if it fails, that is logged."""
        if self._link is None:
            try:
                self._link = Link(self._location, "source", self._name, about=self._about())
            except CommunicationError as error:
                log.warning("no frames can go through the broker: %s", error)

    def read(self, heard: Heard, left: Callable[[Viewer], object]) -> None:
        """See to what has come."""
        link = self._link
        if link is None:
            return
        try:
            link.tend()
            for _ in range(_AT_A_TIME):
                message = link.receive()
                if message is None:
                    return
                self._see_to(*message, heard, left)
        except CommunicationError as error:
            self._lost(error, left)

    def _see_to(
        self, envelope: Envelope, frames: list[Any], heard: Heard, left: Callable[[Viewer], object]
    ) -> None:
        session = envelope.session
        viewer = self.viewers.get(session)
        if envelope.kind == Kind.BYE or (envelope.kind == Kind.REFUSED and not session):
            raise ConnectionClosedError("the broker has ended the relay")
        if envelope.kind in (Kind.ENDED, Kind.REFUSED):
            if viewer is not None:
                left(viewer)
        elif envelope.kind in (Kind.ATTACH, Kind.CREDIT, Kind.DETACH):
            if viewer is None:
                viewer = self.viewers[session] = Viewer(self, session, session)
            heard(viewer, envelope, frames)

    def _lost(self, error: CommunicationError, left: Callable[[Viewer], object]) -> None:
        log.info("the relay through the broker is lost: %s", error)
        self.close()
        for viewer in list(self.viewers.values()):
            left(viewer)

    def send(self, viewers: Sequence[Viewer], header: Header, frames: Sequence[Any]) -> list[Viewer]:
        """Once for up to 15 of them; the broker makes copies."""
        link = self._link
        if link is None:
            return list(viewers)
        for start in range(0, len(viewers), MAX_RECEIVERS):
            receivers = viewers[start : start + MAX_RECEIVERS]
            target = b"".join(b"%016x" % each.session for each in receivers)
            try:
                link.send([header.packed(link.session, target), *frames])
            except ConnectionClosedError:
                return list(viewers[start:])
        return []

    def close(self) -> None:
        """Hang up."""
        link, self._link = self._link, None
        if link is not None:
            link.close()
