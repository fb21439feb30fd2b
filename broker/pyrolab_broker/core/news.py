"""What the broker itself tells whoever wants to hear of it: events of the name service."""

from __future__ import annotations

from typing import Any

from pyrolab.errors import BusyError
from pyrolab.protocol import codec
from pyrolab.protocol.envelope import Kind
from pyrolab.protocol.interface import EventType
from pyrolab.protocol.names import NAME_SERVICE
from pyrolab_broker.core.peers import Peer
from pyrolab_broker.core.state import State

#: The events, and the values that come with each.
EVENTS = {
    "emergency": EventType("An emergency stop has begun, or was reset.", ("on", "reason", "user")),
    "liveness": EventType(
        "A worker has left, has fallen silent, or answers again.",
        ("worker", "state", "services"),
    ),
    "reservation": EventType(
        "Somebody has services for themselves, or no longer.", ("on", "services", "user", "why")
    ),
}
_NUMBERS = {name: number for number, name in enumerate(EVENTS, 1)}


class News:
    """Who hears of what."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._listeners: dict[str, dict[int, Peer]] = {name: {} for name in EVENTS}
        self._sequences = dict.fromkeys(EVENTS, 0)

    def join(self, client: Peer, name: str) -> list[Any]:
        """From now on this client hears of an event. Raises `AttributeError` for one that there is not."""
        if name not in EVENTS:
            raise AttributeError(f"the name service has no event {name!r}; it has {', '.join(EVENTS)}")
        listeners, limit = self._listeners[name], self._state.settings.max_clients
        if len(listeners) >= limit and client.session not in listeners:
            raise BusyError(f"{limit} clients hear of this already", limit=limit, current=len(listeners))
        listeners[client.session] = client
        return [_NUMBERS[name], self._sequences[name], self._state.wall, []]

    def part(self, client: Peer, name: str) -> None:
        """No longer."""
        self._listeners.get(name, {}).pop(client.session, None)

    def client_left(self, client: Peer) -> None:
        """It hears of nothing any longer."""
        for listeners in self._listeners.values():
            listeners.pop(client.session, None)

    def tell(self, name: str, *values: Any) -> None:
        """Something has happened."""
        self._sequences[name] += 1
        body, _ = codec.encode([self._sequences[name], self._state.wall, list(values)])
        for client in self._listeners[name].values():
            self._state.send(
                client.id,
                Kind.EVENT,
                [body],
                session=client.session,
                number=_NUMBERS[name],
                target=NAME_SERVICE.encode(),
            )
