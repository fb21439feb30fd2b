"""The ways to the source of a stream, the best first: straight to its process, or through the broker.

On one computer, a program of the same user looks at frames where they are in memory; whether it can is tried
before the first frame comes.
"""

from __future__ import annotations

import time
from typing import Any

import msgpack

from pyrolab.client.reached import Reached
from pyrolab.errors import CommunicationError, ConnectionClosedError, ProtocolError
from pyrolab.link.link import Link, refusal
from pyrolab.protocol.envelope import NO_DEADLINE, Flag, Kind, pack
from pyrolab.protocol.names import Location
from pyrolab.streams import memory
from pyrolab.streams.options import Options, Ticket

PATHS = (None, "shared memory", "direct", "relay")
#: How long to try before another way is taken.
_DIRECT_TIMEOUT_S = 2.0
_RELAY_TIMEOUT_S = 5.0


class Road:
    """A connection to the source of a stream, for one subscription."""

    def __init__(self, link: Link, name: str, target: bytes, is_local: bool, reason: str) -> None:
        self.link = link
        #: "direct" or "relay".
        self.name = name
        self._target = target
        #: Whether frames stay in shared memory.
        self.is_local = is_local
        #: Why it is not a better one.
        self.reason = reason

    def credit(self, count: int, given_back: int = 0) -> None:
        """Take so many more frames; the source may write over one."""
        self._say(Kind.CREDIT, given_back, count)

    def detach(self) -> None:
        """Take no more."""
        self._say(Kind.DETACH, 0, 0)

    def _say(self, kind: int, call: int, number: int) -> None:
        link = self.link
        link.send([pack(kind, 0, 0, link.session, call, 0, NO_DEADLINE, number, 0, self._target)])


def find_road(node: Reached, name: str, options: Options, path: str | None) -> tuple[Road, int, int]:
    """A road, the number of the newest frame, and the publisher's epoch.

    Raises what the service raises, `ValueError` for a path of another name, and `CommunicationError` if no
    road leads there.
    """
    if path not in PATHS:
        raise ValueError(f"a path is one of {', '.join(map(repr, PATHS[1:]))}, or None, not {path!r}")
    why = ""
    if path != "relay":
        ticket = _subscribed(node, name, options, relayed=False)
        try:
            return _direct(ticket, path)
        except CommunicationError as error:
            if path is not None:
                raise
            why = f"the source does not answer at {ticket.endpoint}: {error}"
    ticket = _subscribed(node, name, options, relayed=True)
    if not ticket.relay:
        raise CommunicationError(
            f"{name} cannot be reached: the worker has no connection for it to the broker"
        )
    location = node._attachment.uri.location
    assert location is not None
    target = b"%016x" % ticket.relay
    return _attached(location, "relay", target, ticket, False, why or "it was asked for", _RELAY_TIMEOUT_S)


def _subscribed(node: Reached, name: str, options: Options, relayed: bool) -> Ticket:
    """A ticket for a stream of the service."""
    flags = Flag.READ | Flag.URGENT
    said = {**options.to_data(), "relay": relayed}
    steps = [*node._steps, name]
    answer = node._attachment.invoke(steps, "subscribe", (said,), flags=flags, session=node._session)
    return Ticket.from_data(answer)


def _direct(ticket: Ticket, path: str | None) -> tuple[Road, int, int]:
    if ticket.endpoint is None:
        raise CommunicationError("it listens nowhere")
    reason = "it was asked for" if path == "direct" else _why_not_in_memory(ticket)
    if reason and path == "shared memory":
        raise CommunicationError(f"the frames are not in shared memory for this program: {reason}")
    return _attached(ticket.endpoint, "direct", b"", ticket, not reason, reason, _DIRECT_TIMEOUT_S)


def _why_not_in_memory(ticket: Ticket) -> str:
    """Why this program can't look at frames where they are; empty if it can."""
    if ticket.here != memory.here():
        return "the source is on another computer"
    if ticket.probe is None:
        return "the source has no shared memory"
    try:
        memory.open_segment(ticket.probe)
    except OSError as error:
        return str(error)
    return ""


def _attached(
    location: Location, name: str, target: bytes, ticket: Ticket, local: bool, reason: str, timeout_s: float
) -> tuple[Road, int, int]:
    """Connect, show the ticket, and hear where the stream stands."""
    body: Any = msgpack.packb({"ticket": ticket.secret, "local": local})
    request = [pack(Kind.ATTACH, target=target), body]
    link = Link(location, "viewer", timeout_s=timeout_s, request=request)
    try:
        newest, epoch = _answered(link, timeout_s)
    except BaseException:
        link.close(polite=False)
        raise
    return Road(link, name, target, local, reason), newest, epoch


def _answered(link: Link, timeout_s: float) -> tuple[int, int]:
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        while (message := link.receive()) is not None:
            envelope, frames = message
            if envelope.kind == Kind.TALLY:
                return envelope.call, envelope.token
            if envelope.kind == Kind.REFUSED:
                error = refusal(frames[0])
                raise error if isinstance(error, CommunicationError) else ProtocolError(str(error))
            if envelope.kind in (Kind.ENDED, Kind.BYE):
                raise ConnectionClosedError("the source of the stream has gone")
        link.wait(max(until - time.monotonic(), 0.001))
    raise CommunicationError(f"{link.location} took the connection, but has not answered for {timeout_s:g} s")
