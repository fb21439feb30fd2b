"""What the core is told (events) and what it wants done (actions): its whole contact with the world."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

#: A peer's routing id, made by the ROUTER socket. Never chosen by the peer.
PeerId: TypeAlias = bytes
#: A frame that the core passes on unread: bytes or anything with a buffer.
Frame: TypeAlias = Any


class Received(NamedTuple):
    """A message came from a peer: its header frame, and the rest unread."""

    peer: PeerId
    header: bytes
    frames: list[Frame]


class Suspected(NamedTuple):
    """The transport believes that this peer's connection has closed."""

    peer: PeerId


class Unreachable(NamedTuple):
    """A message could not be sent: the peer is gone (`slow` false) or does not read (`slow` true)."""

    peer: PeerId
    header: bytes
    slow: bool = False


class Tick(NamedTuple):
    """Time has passed."""


class Stopping(NamedTuple):
    """The broker is about to end; peers should be told."""


Event: TypeAlias = Received | Suspected | Unreachable | Tick | Stopping


class Send(NamedTuple):
    """Send these frames to this peer, without ever waiting for it."""

    peer: PeerId
    frames: Sequence[Frame]


class Note(NamedTuple):
    """Write this down: a level of the logging module, a text, and its arguments."""

    level: int
    text: str
    arguments: tuple[Any, ...] = ()


class Store(NamedTuple):
    """Keep this for the time after a restart; None: forget it. Before anything that follows in the list."""

    table: str
    key: str
    value: Any


class Record(NamedTuple):
    """Write this into the audit log."""

    what: str
    facts: dict[str, Any]


Action: TypeAlias = Send | Note | Store | Record

#: Makes a `Send` or `Received` from a tuple without the Python function that a named tuple has for it; there
#: are two of each in every call.
make_send = functools.partial(tuple.__new__, Send)
make_received = functools.partial(tuple.__new__, Received)
