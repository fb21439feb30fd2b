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

import logging
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from pyrolab.config import DaemonConfiguration, ServiceConfiguration
from pyrolab.errors import PyroError
from pyrolab.joining import join_client_and_worker
from pyrolab.link.finding import ENVIRONMENT
from pyrolab.protocol.names import URI, Location
from pyrolab.supervisor.classes import daemon_class, extend_import_path, hides, service_class
from pyrolab.supervisor.lifeline import Lifeline
from pyrolab.supervisor.listing import Listed, Listings, Outcome
from pyrolab.worker.daemon import Daemon

log = logging.getLogger("pyrolab.supervised")


def main() -> int:
    """Host until the supervisor ends or says so; returns the exit code."""
    lifeline = Lifeline()
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
        host = _Host(lifeline, daemon, settings, plan["locations"])
        on_signals(host.finish)
        lifeline.when_cut(host.finish)
        for name, entry in plan["services"].items():
            host.offer(name, entry)
        if plan["listed_at"]:
            host.offer_itself(plan["name"], plan["listed_at"])
        listings = Listings(host.listings, host.session, host.report_listing)
        host.serving = True
        lifeline.report("running", address=home)
        listings.start()
        daemon.requestLoop()
        listings.end()
    return 0


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
        self._uris: dict[str, URI] = {}
        self.listings: list[Listed] = []
        self.serving = False

    def finish(self) -> None:
        """End the daemon: in good order if it serves, at once while it still imports what it is to host."""
        if self.serving:
            self._daemon.shutdown()
        else:
            log.info("ended while starting")
            logging.shutdown()
            os._exit(0)

    def offer(self, name: str, entry: Mapping[str, Any]) -> None:
        """Import and host one service; report it if that fails, or if there is nothing more to do."""
        try:
            service = ServiceConfiguration.from_yaml(entry["service"])
            cls = service_class(name, service, self._path)
            self._warn_if_hidden(service.module)
            uri = self._uris[name] = self._daemon.register(cls)
        except Exception as error:  # the user's own code may raise anything; the others go on
            log.error("the service %r cannot be hosted", name, exc_info=error.__cause__ or error)
            reason = str(error) if isinstance(error, PyroError) else f"{type(error).__name__}: {error}"
            self._report(name, "failed", reason)
            return
        log.info("the service %r is hosted as %s", name, uri)
        self._list(name, uri, entry["listed_at"], service.description)
        if not entry["listed_at"]:
            self._report(name, "running")

    def offer_itself(self, name: str, nameservers: Sequence[str]) -> None:
        """Host the daemon itself, where the configuration asks for it."""
        uri = self._daemon.register(self._daemon)
        self._list(name, uri, nameservers, f"daemon of {', '.join(self._uris) or 'nothing'}")

    def session(self) -> int:
        """Changes when the daemon has a new connection to its broker; 0 while it has none."""
        return self._daemon.session

    def report_listing(self, name: str, outcome: Outcome, reason: str) -> None:
        """Report what became of listing a name."""
        if name in self._uris:
            self._report(name, outcome.value, reason)

    def _report(self, name: str, state: str, reason: str = "") -> None:
        uri = str(self._uris.get(name, ""))
        self._lifeline.report("service", name=name, state=state, uri=uri, reason=reason)

    def _list(self, name: str, uri: URI, nameservers: Sequence[str], description: str) -> None:
        self.listings += [Listed(name, uri, self._locations[there], description) for there in nameservers]

    def _warn_if_hidden(self, module: str) -> None:
        found = hides(module, self._path)
        if found:
            log.warning("%r beside the configuration is not used: %s comes first", module, found)


if __name__ == "__main__":
    sys.exit(main())
