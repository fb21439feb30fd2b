"""`pyrolab broker`, `pyrolab nslist`, and `pyrolab ps` of a broker that runs anywhere."""

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


def ps(host: str | None, port: int | None, as_json: bool) -> int:
    """Show the services of a broker, and how much they have to do."""
    from pyrolab.cli import loads
    from pyrolab.link.finding import broker_location

    location = broker_location(host, port)
    load = loads.load_at(location)
    if as_json:
        show_json(load)
        return 0
    for stop in loads.stops_in({str(location): load}):
        console().print(stop, style="bold red")
    show_table(("SERVICE", "STATE", *loads.COLUMNS, "HOST", "PID", "WHY"), loads.rows_of(load))
    return 0


def serve(host: str, port: int, max_clients: int, insecure: bool, storage: str) -> int:
    """Run a broker until Ctrl-C or SIGTERM."""
    from pyrolab.config import NameServerConfiguration
    from pyrolab.supervisor.nameserver import NameServerDaemon

    logging.basicConfig(level=logging.WARNING)
    settings = NameServerConfiguration(
        host=host, ns_port=port, max_clients=max_clients, insecure=insecure, storage=storage
    )
    with NameServerDaemon(settings) as daemon:
        signal.signal(signal.SIGTERM, lambda number, frame: daemon.shutdown())
        console().print(f"the broker listens at {daemon.locationStr}; Ctrl-C ends it")
        try:
            daemon.requestLoop()
        except KeyboardInterrupt:
            pass  # the wanted end
    return 0
