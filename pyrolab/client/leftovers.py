"""What finalizers leave to be done: they may come at any place, and must not wait for anything."""

from __future__ import annotations

import _thread
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from pyrolab.client.connection import Connection
from pyrolab.errors import CommunicationError
from pyrolab.protocol import codec
from pyrolab.protocol.call_body import Step
from pyrolab.protocol.envelope import Flag

#: When Ctrl-C that came into a finalizer is delivered again.
_AFTER_FINALIZER_S = 0.05


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

    def try_to_see_to(self, connection: Connection, target: bytes) -> None:
        """The same; without a connection, the service lets go of everything anyway."""
        with suppress(CommunicationError):
            self.see_to(connection, target)


def deliver_ctrl_c_again() -> None:
    """Interrupt the main thread soon: Python would drop the Ctrl-C that a finalizer raises."""
    threading.Timer(_AFTER_FINALIZER_S, _thread.interrupt_main).start()


def _tell(
    connection: Connection, target: bytes, steps: Sequence[Step], verb: str, args: Sequence[int] = ()
) -> None:
    body, _ = codec.encode_call(steps, args, {}, verb)
    connection.start(target, [body], flags=Flag.ONEWAY | Flag.READ)
