"""Reads a connection in an asyncio loop: answers are taken in by the loop's own thread, without a
hand-over.
"""

from __future__ import annotations

import asyncio
import os
import threading

from pyrolab.client.connection import Connection
from pyrolab.client.futures import WINDOW
from pyrolab.errors import CommunicationError


class LoopReader:
    """Of one connection, in one loop, until the connection or the loop ends."""

    def __init__(self, connection: Connection, loop: asyncio.AbstractEventLoop) -> None:
        self.connection = connection
        self.loop = loop
        self.thread = threading.get_ident()
        #: Calls that may be out; a further one waits for its turn.
        self.room = asyncio.Semaphore(WINDOW)
        #: What tasks wait for; whoever stops waiting takes its own away.
        self.out: set[asyncio.Future[None]] = set()
        self._expected = False
        self._descriptor = -1
        try:
            self._descriptor = connection.copy_descriptor()
            loop.add_reader(self._descriptor, self._read)
        except CommunicationError:
            raise  # it has ended meanwhile
        except (NotImplementedError, OSError):  # Windows' proactor loop knows no descriptors
            self._forget_descriptor()
            threading.Thread(target=connection.listen, name="pyrolab-listener", daemon=True).start()
        connection.watch(self._look)
        self._look()  # it may have ended before we watched

    def _look(self) -> None:
        """Read soon, from whichever thread this is called: something may have come without a sign."""
        if self._expected:
            return
        self._expected = True
        try:
            if threading.get_ident() == self.thread:
                self.loop.call_soon(self._read)
            else:
                self.loop.call_soon_threadsafe(self._read)
        except RuntimeError:  # the loop has ended
            self.close()

    def _read(self) -> None:
        self._expected = False
        if self.connection.closed:
            self.close()
        else:
            self.connection.drain()

    def close(self) -> None:
        """Look no more. In the loop's thread, or when the loop has ended."""
        self.connection.unwatch(self._look)
        if self._descriptor >= 0 and not self.loop.is_closed():
            self.loop.remove_reader(self._descriptor)
        self._forget_descriptor()

    def _forget_descriptor(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __del__(self) -> None:
        self._forget_descriptor()
