"""What finalizers leave to be done: they may come at any place, and must not wait for anything."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from pyrolab.client.connection import Connection
from pyrolab.protocol import codec
from pyrolab.protocol.call_body import Step
from pyrolab.protocol.envelope import Flag


class Leftovers(deque[tuple[int, "int | list[Step]"]]):
    """Held objects (their session and number) that nobody here needs any longer, and subscriptions (their
    session and steps).
    """

    def see_to(self, connection: Connection, target: bytes) -> None:
        """Tell the service about all of them. Raises `NotSent`."""
        numbers = []
        while self:
            session, what = self.popleft()
            if isinstance(what, int):
                numbers += [what] if session == connection.session else []
            else:
                _tell(connection, target, what, "part")
        if numbers:
            _tell(connection, target, (), "drop", numbers)


def _tell(
    connection: Connection, target: bytes, steps: Sequence[Step], verb: str, args: Sequence[int] = ()
) -> None:
    body, _ = codec.encode_call(steps, args, {}, verb)
    connection.start(target, [body], flags=Flag.ONEWAY | Flag.READ)
