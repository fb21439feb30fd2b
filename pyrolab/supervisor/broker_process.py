"""The process of one name server: `python -m pyrolab.supervisor.broker_process`, run by the supervisor."""

from __future__ import annotations

from pyrolab.supervisor.process_setup import log_to_stderr, on_signals, own_import_path

if __name__ == "__main__":
    own_import_path()

import sys

from pyrolab.config import NameServerConfiguration
from pyrolab.config.models import PUBLIC_HOST
from pyrolab.errors import PyroError
from pyrolab.protocol.names import DEFAULT_HOST, Location
from pyrolab.supervisor.lifeline import Lifeline
from pyrolab.supervisor.nameserver import open_broker


def main() -> int:
    """Serve until the supervisor ends or says so; returns the exit code."""
    lifeline = Lifeline()
    log_to_stderr()
    settings = NameServerConfiguration(**lifeline.plan["nameserver"])
    settings.set_name(lifeline.plan["name"])
    try:
        broker = open_broker(settings, lifeline.plan.get("port"))
    except PyroError as error:
        lifeline.report("refused", reason=str(error))
        return 1
    with broker:
        on_signals(broker.stop)
        lifeline.when_cut(broker.stop)
        lifeline.report("running", address=str(_reached_at(settings, broker.address)))
        broker.serve_forever()
    return 0


def _reached_at(settings: NameServerConfiguration, bound: Location) -> Location:
    """The address by which processes of this computer reach it."""
    return bound._replace(host=DEFAULT_HOST if settings.host == PUBLIC_HOST else settings.host)


if __name__ == "__main__":
    sys.exit(main())
