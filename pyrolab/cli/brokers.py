"""`pyrolab broker` and `pyrolab nslist`."""

from __future__ import annotations

import logging
import signal

from pyrolab.cli.tables import console, show_json, show_table


def nslist(host: str | None, port: int | None, prefix: str, as_json: bool) -> int:
    """List the names that a broker knows."""
    from pyrolab.client.nameservice import locate_ns

    with locate_ns(host, port) as names:
        found = names.list(prefix=prefix or None, return_metadata=True)
    if as_json:
        entries = {name: {"uri": str(uri), "metadata": sorted(words)} for name, (uri, words) in found.items()}
        show_json(entries)
    else:
        rows = [(name, uri, ", ".join(sorted(words))) for name, (uri, words) in found.items()]
        show_table(("NAME", "URI", "DESCRIPTION"), rows)
    return 0


def serve(host: str, port: int, max_clients: int, insecure: bool) -> int:
    """Run a broker until Ctrl-C or SIGTERM."""
    from pyrolab.config import NameServerConfiguration
    from pyrolab.supervisor.nameserver import NameServerDaemon

    logging.basicConfig(level=logging.WARNING)
    settings = NameServerConfiguration(host=host, ns_port=port, max_clients=max_clients, insecure=insecure)
    with NameServerDaemon(settings) as daemon:
        signal.signal(signal.SIGTERM, lambda number, frame: daemon.shutdown())
        console().print(f"the broker listens at {daemon.locationStr}; Ctrl-C ends it")
        try:
            daemon.requestLoop()
        except KeyboardInterrupt:
            pass  # the wanted end
    return 0
