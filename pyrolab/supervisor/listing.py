"""Keeps the names of a daemon's services listed, also by a broker that has lost them, until it leaves."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

from pyrolab.client.nameservice import NameService
from pyrolab.client.proxy import Proxy
from pyrolab.errors import NameInUse, NamingError, PyroError
from pyrolab.protocol.limits import MAX_NAME_CHARS
from pyrolab.protocol.names import URI, Location

log = logging.getLogger("pyrolab.supervised")

#: How often it is looked whether something is to be done, and the longest wait after a failure.
PULSE_S, LONGEST_WAIT_S = 0.2, 5.0


@dataclass(frozen=True)
class Listed:
    """A name, what it stands for, and the broker that is to know it."""

    name: str
    uri: URI
    where: Location
    description: str = ""

    @property
    def tag(self) -> str:
        """The description as metadata may be: on one line, and not too long."""
        return " ".join(self.description.split()).encode()[:MAX_NAME_CHARS].decode(errors="ignore")


class Outcome(Enum):
    """What became of listing a name."""

    LISTED = "running"
    TRYING = "starting"
    REFUSED = "failed"


#: Gets the name, what became of it, and why.
OnOutcome = Callable[[str, Outcome, str], object]


class Listings:
    """Lists names in a thread of its own. `session()` changes whenever the daemon's connection is a new one.

    `on_outcome` is called when a name is listed everywhere, cannot be yet, or is refused. A name that a live
    service of somebody else has cannot be listed yet: it is tried again until that one has gone.
    """

    def __init__(self, listings: Iterable[Listed], session: Callable[[], int], on_outcome: OnOutcome) -> None:
        self._listings = list(listings)
        self._session = session
        self._on_outcome = on_outcome
        self._pending = set(self._listings)
        self._ever_listed: set[Listed] = set()
        self._added: queue.SimpleQueue[Listed] = queue.SimpleQueue()
        self._ending = threading.Event()
        self._awake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pyrolab-listings", daemon=True)

    def start(self) -> None:
        """Begin to list."""
        self._thread.start()

    def add(self, listed: Listed) -> None:
        """List one more name; from any thread, before `start` or after it."""
        self._added.put(listed)
        self._awake.set()

    def end(self, timeout_s: float | None = None) -> None:
        """Take back the names that still stand for what was listed. May be called again."""
        self._ending.set()
        self._awake.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        self._keep_listed()
        for where in self._locations(self._ever_listed):
            try:
                self._take_back(where)
            except PyroError as error:
                log.info("names stay at %s: %s", where, error)

    def _keep_listed(self) -> None:
        wait, seen = PULSE_S, self._session()
        while True:
            self._awake.clear()
            if self._ending.is_set():
                return
            self._take_in_added()
            session = self._session()
            if session != seen and session:
                seen = session
                self._pending.update(self._listings)
            if self._pending:
                self._list_pending()
                wait = min(wait * 2, LONGEST_WAIT_S) if self._pending else PULSE_S
            self._awake.wait(wait)

    def _take_in_added(self) -> None:
        while not self._added.empty():
            listed = self._added.get()
            self._listings.append(listed)
            self._pending.add(listed)

    def _list_pending(self) -> None:
        for where in self._locations(self._pending):
            here = [listed for listed in self._listings if listed in self._pending and listed.where == where]
            try:
                with NameService(where) as names:
                    for listed in here:
                        self._list(names, listed)
            except PyroError as error:
                for listed in here:
                    self._on_outcome(listed.name, Outcome.TRYING, str(error))

    def _list(self, names: NameService, listed: Listed) -> None:
        try:
            self._register(names, listed)
            with Proxy(listed.uri) as proxy:
                proxy._pyroBind()
        except NameInUse as error:
            self._on_outcome(listed.name, Outcome.TRYING, str(error))
            return
        except NamingError as error:
            log.warning("%r is not listed at %s: %s", listed.name, listed.where, error)
            self._pending.discard(listed)
            self._on_outcome(listed.name, Outcome.REFUSED, str(error))
            return
        self._pending.discard(listed)
        self._ever_listed.add(listed)
        if not any(other.name == listed.name for other in self._pending):
            self._on_outcome(listed.name, Outcome.LISTED, "")

    def _register(self, names: NameService, listed: Listed) -> None:
        """The first time a name is taken over; later only if it is free, for then somebody else has it."""
        metadata = [listed.tag] if listed.tag else None
        if listed not in self._ever_listed:
            names.register(listed.name, listed.uri, metadata=metadata)
        elif not _stands_for(names, listed):
            names.register(listed.name, listed.uri, safe=True, metadata=metadata)
        log.info("%r is listed at %s", listed.name, listed.where)

    def _take_back(self, where: Location) -> None:
        with NameService(where) as names:
            for listed in self._ever_listed:
                if listed.where == where and _stands_for(names, listed):
                    names.remove(listed.name)

    def _locations(self, listings: Iterable[Listed]) -> list[Location]:
        return list(dict.fromkeys(listed.where for listed in listings))


def _stands_for(names: NameService, listed: Listed) -> bool:
    try:
        return names.lookup(listed.name).object == listed.uri.object
    except NamingError:
        return False
