"""The process of one daemon: `python -m pyrolab.supervisor.daemon_process`, run by the supervisor."""

from __future__ import annotations

from pyrolab.supervisor.process_setup import (
    ask_the_users_configuration,
    log_to_stderr,
    on_signals,
    own_import_path,
)

if __name__ == "__main__":
    own_import_path()

import inspect
import logging
import os
import queue
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyrolab.audit import AuditLog
from pyrolab.config import DaemonConfiguration, ServiceConfiguration
from pyrolab.config.places import audit_directory
from pyrolab.errors import NameInUse, PyroError
from pyrolab.joining import join_client_and_worker
from pyrolab.link.finding import ENVIRONMENT
from pyrolab.protocol.names import URI, Location
from pyrolab.supervisor.classes import daemon_class, extend_import_path, hides, service_class
from pyrolab.supervisor.lifeline import Lifeline
from pyrolab.supervisor.listing import Listed, Listings, Outcome
from pyrolab.worker.daemon import Daemon

log = logging.getLogger("pyrolab.supervised")

#: How often it is tried again to host what a live service of somebody else has the name of.
_RETRY_S = 2.0
#: How long taking back names may keep the daemon from ending.
_GOODBYE_S = 2.0


def main() -> int:
    """Host until the supervisor ends or says so; returns the exit code."""
    lifeline = Lifeline()
    lifeline.pulse()
    log_to_stderr()
    ask_the_users_configuration()
    join_client_and_worker()
    plan = lifeline.plan
    home = plan["locations"][plan["home"]]
    os.environ[ENVIRONMENT] = home  # a service that looks for others finds those of its own lab
    settings = DaemonConfiguration.from_yaml(plan["daemon"])
    extend_import_path(settings.path)
    try:
        daemon = daemon_class(plan["name"], settings)(nameserver=home, name=plan["name"])
    except PyroError as error:
        log.exception("this daemon cannot be made")
        lifeline.report("refused", reason=str(error))
        return 1
    with daemon:
        daemon.audit = AuditLog(audit_directory(), plan["name"])
        host = _Host(lifeline, daemon, settings, plan["locations"])
        on_signals(host.finish)
        lifeline.when_cut(host.finish)
        for name, entry in plan["services"].items():
            host.offer(name, entry)
        if plan["listed_at"]:
            host.offer_itself(plan["name"], plan["listed_at"], plan["services"])
        host.begin()
        lifeline.report("running", address=home)
        daemon.requestLoop()
        host.end()
    return 0


@dataclass(frozen=True)
class _Service:
    """A class that is to be hosted, where it is to be listed, and as what."""

    name: str
    cls: type
    listed_at: Sequence[str]
    description: str


class _Host:
    """Hosts a daemon's services one by one: a broken one does not keep the others from running."""

    def __init__(
        self,
        lifeline: Lifeline,
        daemon: Daemon,
        settings: DaemonConfiguration,
        locations: Mapping[str, str],
    ) -> None:
        self._lifeline = lifeline
        self._daemon = daemon
        self._path = settings.path
        self._locations = {name: Location.parse(where) for name, where in locations.items()}
        self._names_are_ids = _takes_object_ids(daemon)
        self._uris: dict[str, URI] = {}
        self._reported: dict[str, tuple[str, ...]] = {}
        #: Whose names are still taken.
        self._waiting: list[_Service] = []
        self._listings = Listings([], self.session, self.report_listing)
        self._serving = False
        #: Why services are offline, by their names.
        self._offline: dict[str, str] = {}
        #: The same by object ids, which may be told before the name is known.
        self._early: dict[str, str] = {}
        daemon.on_offline = self._note_offline
        #: A queue and not an event, because a signal handler may put into it at any moment.
        self._wishes: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._ending = threading.Event()

    def begin(self) -> None:
        """List what is hosted, and go on with what could not be hosted yet."""
        self._listings.start()
        for work in (self._finish_when_asked, self._try_again):
            threading.Thread(target=work, name="pyrolab-hosting", daemon=True).start()
        self._serving = True

    def finish(self) -> None:
        """End the daemon: in good order if it serves, at once while it still imports what it is to host."""
        if self._serving:
            self._wishes.put(None)
        else:
            log.info("ended while starting")
            logging.shutdown()
            os._exit(0)

    def _finish_when_asked(self) -> None:
        """Take back the names first: whoever takes over gives the same ones."""
        self._wishes.get()
        self.end()
        self._daemon.shutdown()

    def end(self) -> None:
        """Take back the names. May be called again."""
        self._ending.set()
        self._listings.end(_GOODBYE_S)

    def offer(self, name: str, entry: Mapping[str, Any]) -> None:
        """Import and host one service; report it if that fails, or if there is nothing more to do."""
        try:
            configured = ServiceConfiguration.from_yaml(entry["service"])
            cls = service_class(name, configured, self._path)
            self._warn_if_hidden(configured.module)
        except Exception as error:  # noqa: BLE001 - the user's own code; the others go on
            self._failed(name, error)
            return
        self._host(_Service(name, cls, entry["listed_at"], configured.description))

    def _host(self, service: _Service) -> None:
        name = service.name
        try:
            uri = self._uris[name] = self._register(service)
        except NameInUse as error:
            self._waiting.append(service)
            self._report(name, "starting", f"{error}; it is tried again until the name is free")
        except Exception as error:  # noqa: BLE001 - so is its daemon
            self._failed(name, error)
        else:
            self._set_offline(name, self._early.get(uri.object, ""))
            log.info("the service %r is hosted as %s", name, uri)
            self._list(name, uri, service.listed_at, service.description)
            if not service.listed_at:
                self._report(name, "running")

    def _register(self, service: _Service) -> URI:
        """Under its own name, so that whoever takes over is reached by the same URI."""
        if self._names_are_ids:
            return self._daemon.register(service.cls, objectId=service.name)
        return self._daemon.register(service.cls)

    def _try_again(self) -> None:
        """A name that is in use may be that of a dead process, which its broker has not noticed yet."""
        while not self._ending.wait(_RETRY_S):
            waiting, self._waiting = self._waiting, []
            for service in waiting:
                self._host(service)

    def _failed(self, name: str, error: Exception) -> None:
        log.error("the service %r cannot be hosted", name, exc_info=error.__cause__ or error)
        reason = str(error) if isinstance(error, PyroError) else f"{type(error).__name__}: {error}"
        self._report(name, "failed", reason)

    def offer_itself(self, name: str, nameservers: Sequence[str], services: Iterable[str]) -> None:
        """Host the daemon itself, where the configuration asks for it."""
        uri = self._daemon.register(self._daemon)
        self._list(name, uri, nameservers, f"daemon of {', '.join(services) or 'nothing'}")

    def session(self) -> int:
        """Changes when the daemon has a new connection to its broker; 0 while it has none."""
        return self._daemon.session

    def report_listing(self, name: str, outcome: Outcome, reason: str) -> None:
        """Report what became of listing a name."""
        if name in self._uris:
            self._report(name, outcome.value, reason)

    def _note_offline(self, object_id: str, reason: str) -> None:
        """A service's instrument cannot be reached, or can again; told by the service's thread."""
        self._early[object_id] = reason
        for name, uri in list(self._uris.items()):
            if uri.object == object_id:
                self._set_offline(name, reason)

    def _set_offline(self, name: str, reason: str) -> None:
        if reason:
            self._offline[name] = reason
        else:
            self._offline.pop(name, None)
        state = self._reported.get(name, ("",))[0]
        if state in ("running", "offline"):
            self._report(name, "running")

    def _report(self, name: str, state: str, reason: str = "") -> None:
        if state == "running" and name in self._offline:
            state, reason = "offline", self._offline[name]
        uri = str(self._uris.get(name, ""))
        if self._reported.get(name) != (state, uri, reason):
            self._reported[name] = state, uri, reason
            log.info("%s: %s %s", name, state, reason)
            self._lifeline.report("service", name=name, state=state, uri=uri, reason=reason)

    def _list(self, name: str, uri: URI, nameservers: Sequence[str], description: str) -> None:
        for there in nameservers:
            self._listings.add(Listed(name, uri, self._locations[there], description))

    def _warn_if_hidden(self, module: str) -> None:
        found = hides(module, self._path)
        if found:
            log.warning("%r beside the configuration is not used: %s comes first", module, found)


def _takes_object_ids(daemon: Daemon) -> bool:
    """Whether a daemon, which may be of the user's own class, lets others choose object ids."""
    try:
        inspect.signature(daemon.register).bind(object, objectId="name")
    except TypeError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
