"""The supervisor's own connection to a broker: it hears of emergency stops, and reports on processes.

A thread opens it again whenever it breaks. A broker that it reaches anew is told of every process at once.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import msgpack

from pyrolab.errors import CommunicationError, ConnectionClosedError, ProtocolError, PyroError
from pyrolab.link.backoff import Backoff
from pyrolab.link.link import CONNECT_TIMEOUT_S, Link
from pyrolab.protocol import codec
from pyrolab.protocol.envelope import Envelope, Kind, pack
from pyrolab.protocol.names import Location
from pyrolab.supervisor.events import Condition

log = logging.getLogger("pyrolab.supervisor")

_LONGEST_WAIT_S = 1.0
#: More of the reason of an emergency stop than anybody reads.
_MAX_REASON_CHARS = 200


class Watch:
    """Connects to the broker at `location` at once, and goes on trying until `close`.

    `on_stop`, with the reason, and `on_reset` are called in a thread; once for each emergency stop, even if a
    broker tells of it again after a reconnection.
    """

    def __init__(
        self,
        location: Location,
        name: str,
        on_stop: Callable[[str], object],
        on_reset: Callable[[], object],
    ) -> None:
        self.location = location
        self._name = name
        self._on_stop = on_stop
        self._on_reset = on_reset
        #: The last report on each living process, and what has not been sent.
        self._reports: dict[int, dict[str, Any]] = {}
        self._unsent: dict[int, dict[str, Any]] = {}
        self._lock = threading.Lock()
        self._link: Link | None = None
        #: What tells the emergency stop that is on from others.
        self._heard: Any = None
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pyrolab-watch", daemon=True)
        self._thread.start()

    def report(self, pid: int, name: str, condition: Condition, for_s: float = 0.0) -> None:
        """Have the broker know how the process of the daemon `name` is doing."""
        body = {"pid": pid, "state": condition.value, "for_s": for_s, "name": name}
        with self._lock:
            if condition is Condition.ENDED:
                self._reports.pop(pid, None)
            else:
                self._reports[pid] = body
            self._unsent[pid] = body
            link = self._link
        if link is not None:
            link.wake()

    def close(self) -> None:
        """Leave the broker."""
        self._ending.set()
        with self._lock:
            link = self._link
        if link is not None:
            link.wake()
        self._thread.join(CONNECT_TIMEOUT_S + 1)

    def _run(self) -> None:
        pauses, said = Backoff(), ""
        while not self._ending.is_set():
            try:
                link = Link(self.location, "watch", self._name)
            except PyroError as error:
                if str(error) != said:
                    said = str(error)
                    log.warning("%s: %s; trying on", self._name, said)
                self._ending.wait(pauses.next_s())
                continue
            log.info("connected to the broker at %s", self.location)
            pauses.reset()
            said = ""
            self._stay(link)

    def _stay(self, link: Link) -> None:
        """Serve a connection until it breaks, or this watch ends."""
        with self._lock:
            self._link = link
            self._unsent = {**self._reports, **self._unsent}
        try:
            while not self._ending.is_set():
                self._send_reports(link)
                link.wait(_LONGEST_WAIT_S)
                while (message := link.receive()) is not None:
                    self._see_to(*message)
            self._send_reports(link)
        except CommunicationError as error:
            log.warning("%s: %s", self._name, error)
        finally:
            with self._lock:
                self._link = None
            link.close()

    def _send_reports(self, link: Link) -> None:
        while True:
            with self._lock:
                if not self._unsent:
                    return
                pid, body = next(iter(self._unsent.items()))
            link.send([pack(Kind.REPORT, session=link.session), msgpack.packb(body)])
            with self._lock:
                if self._unsent.get(pid) is body:  # there is nothing newer yet
                    del self._unsent[pid]

    def _see_to(self, envelope: Envelope, frames: list[Any]) -> None:
        match envelope.kind:
            case Kind.STOP:
                self._stop_heard(envelope, frames)
            case Kind.RESET:
                self._reset_heard()
            case Kind.BYE:
                raise ConnectionClosedError(f"the broker at {self.location} has ended")
            case _:
                pass  # PONG: the link has noted that the broker lives

    def _stop_heard(self, envelope: Envelope, frames: list[Any]) -> None:
        said = _read(frames[0])
        if self._heard == (envelope.number, said.get("since")):
            return
        self._heard = envelope.number, said.get("since")
        reason = str(said.get("reason", ""))[:_MAX_REASON_CHARS]
        log.warning("emergency stop at %s by %s: %s", self.location, said.get("user"), reason)
        self._on_stop(reason)

    def _reset_heard(self) -> None:
        if self._heard is not None:
            self._heard = None
            log.warning("the emergency stop at %s is over", self.location)
            self._on_reset()


def _read(body: Any) -> dict[str, Any]:
    """What a broker says of a stop. It is a stop, even if that cannot be read."""
    try:
        said = codec.decode(body, plain=True)
    except ProtocolError:
        return {}
    return said if type(said) is dict else {}
