"""Reads a connection in an asyncio loop: answers are taken in by the loop's own thread, without a
hand-over.
"""

from __future__ import annotations

import asyncio
import os
import threading

from pyrolab.client.connection import Connection
from pyrolab.client.futures import WINDOW

#: When to look again while another thread reads.
_SOON_S = 0.001


class LoopReader:
    """Of one connection, in one loop."""

    def __init__(self, connection: Connection, loop: asyncio.AbstractEventLoop) -> None:
        self.connection = connection
        self.loop = loop
        self.thread = threading.get_ident()
        #: Calls that may be out; a further one waits for its turn.
        self.room = asyncio.Semaphore(WINDOW)
        self._expected = False
        self._descriptor = -1
        try:
            # A copy, because ZeroMQ may close its own while the loop still looks at it.
            self._descriptor = os.dup(connection.fileno())
            loop.add_reader(self._descriptor, self._read)
        except (NotImplementedError, OSError):  # Windows' proactor loop knows no descriptors
            self._forget_descriptor()
            threading.Thread(target=connection.listen, name="pyrolab-listener", daemon=True).start()

    def expect(self) -> None:
        """Something has been sent: look soon, because sending may swallow the sign of what has come."""
        if not self._expected:
            self._expected = True
            self.loop.call_soon(self._read)

    def _read(self) -> None:
        self._expected = False
        if self.connection.closed:
            self.close()
        elif not self.connection.drain():
            self.loop.call_later(_SOON_S, self._read)

    def close(self) -> None:
        """Look no more."""
        if self._descriptor >= 0 and not self.loop.is_closed():
            self.loop.remove_reader(self._descriptor)
        self._forget_descriptor()

    def _forget_descriptor(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __del__(self) -> None:
        self._forget_descriptor()
