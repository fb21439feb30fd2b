"""`python -m chaos.worker JSON`: a worker with axes, which never gives up while the broker is away."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from pathlib import Path
from typing import Any, TypedDict

from chaos.device import Axis
from processes.child import prepare
from pyrolab.api import Daemon, behavior, locate_ns
from pyrolab.audit import AuditLog
from pyrolab.errors import CommunicationError, DaemonError, NamingError

#: The exit code of a worker whose services another one still has; it is started again.
TAKEN = 3
_RETRY_S = 0.1


class Plan(TypedDict):
    """What a worker is told."""

    broker: str
    #: Names of axes.
    axes: list[str]
    #: Where they write down what happens to them.
    log: str
    #: Whether they are found by name, each time with another object id, or by an object id that stays.
    by_name: bool
    #: Whether another worker may have the same axes.
    pool: bool
    #: Directory of the audit log; none if empty.
    audit: str


def main() -> None:
    prepare()
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    plan: Plan = json.loads(sys.argv[1])
    daemon = Daemon(nameserver=plan["broker"], name=os.path.basename(plan["log"]))
    if plan["audit"]:
        daemon.audit = AuditLog(Path(plan["audit"]), "audit")
    try:
        for name in plan["axes"]:
            axis = _axis(name, Path(plan["log"]), plan["pool"])
            uri = daemon.register(axis, objectId=None if plan["by_name"] else name)
            if plan["by_name"]:
                _list(plan["broker"], name, str(uri))
    except (NamingError, DaemonError) as error:
        logging.warning("taken: %s", error)
        os._exit(TAKEN)
    print("ready", flush=True)
    daemon.requestLoop()


def _axis(name: str, log: Path, pool: bool) -> type:
    """A class of which the daemon makes this axis, and closes it in the end."""

    def make(cls: Any) -> Any:
        return cls(name, log)

    return behavior("single", make, pool=pool)(type("Axis", (Axis,), {}))


def _list(broker: str, name: str, uri: str) -> None:
    """Have a name lead to an object, as soon as there is a broker that can be told."""
    while True:
        try:
            with locate_ns(broker) as names:
                names.register(name, uri)
                return
        except CommunicationError as error:
            logging.info("not listed yet: %s", error)
            time.sleep(_RETRY_S)


if __name__ == "__main__":
    main()
