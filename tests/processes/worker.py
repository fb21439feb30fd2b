"""`python -m processes.worker BROKER module:Class=name ...`: a daemon that prints its URIs."""

from __future__ import annotations

import importlib
import signal
import sys

from pyrolab.api import Daemon, locate_ns


def main() -> None:
    broker, *wanted = sys.argv[1:]
    daemon = Daemon(nameserver=broker)
    signal.signal(signal.SIGTERM, lambda *_: daemon.shutdown())
    uris = []
    for each in wanted:
        path, _, name = each.partition("=")
        module, _, cls = path.partition(":")
        uri = daemon.register(getattr(importlib.import_module(module), cls))
        uris.append(str(uri))
        with locate_ns(broker) as names:
            names.register(name, uri)
    print(" ".join(uris) or "ready", flush=True)
    daemon.requestLoop()


if __name__ == "__main__":
    main()
