"""The settings of a service when a recording starts: its properties that are plain values.

Nothing here may keep a recording from starting: what cannot be read, in time, is noted as text.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pyrolab.client.deadlines import timeout
from pyrolab.errors import CommunicationError
from pyrolab.protocol.interface import Property
from pyrolab.recording.plain import plain

if TYPE_CHECKING:
    from pyrolab.client.reached import Reached

#: How long one property may take, and all of them together.
_EACH_S, _ALL_S = 2.0, 10.0
_MOST = 1000


@dataclass(slots=True)
class Settings:
    """Values by name, `channel.voltage` for one of a sub-object, and why others could not be read."""

    values: dict[str, Any] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)


def read_settings(node: Reached) -> Settings:
    """All settings that can be read now."""
    found = Settings()
    until = time.monotonic() + _ALL_S
    for owner, prefix, name in _readable(node, found):
        left = until - time.monotonic()
        if left <= 0:
            found.unread[prefix + name] = f"not read: all together took more than {_ALL_S:g} s"
            continue
        try:
            with timeout(min(left, _EACH_S)):
                found.values[prefix + name] = plain(getattr(owner, name))
        except Exception as error:  # noqa: BLE001 - whatever an instrument raises, the recording starts
            found.unread[prefix + name] = f"{type(error).__name__}: {error}"
    return found


def _readable(node: Reached, found: Settings) -> Iterator[tuple[Any, str, str]]:
    """The object, prefix and name of each property that is a value, sub-objects' ones included."""
    properties = node._known_shape().properties
    names = list(properties)[:_MOST]
    for name in names:
        if _is_value(properties[name]):
            yield node, "", name
    for name in names:
        if properties[name].node:
            try:
                child: Reached = getattr(node, name)
                inner = child._known_shape().properties
            except CommunicationError as error:
                found.unread[name] = f"{type(error).__name__}: {error}"
                continue
            yield from ((child, f"{name}.", each) for each in list(inner)[:_MOST] if _is_value(inner[each]))


def _is_value(described: Property) -> bool:
    return "r" in described.access and not described.node
