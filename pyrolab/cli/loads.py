"""What brokers say of their services: what waits, what runs, who has reserved them, whether they hang."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pyrolab.cli.tables import ago
from pyrolab.errors import PyroError
from pyrolab.protocol.names import Location

log = logging.getLogger("pyrolab.cli")

#: What one broker says, and what it says of one service.
Load = dict[str, Any]

COLUMNS = ("QUEUE", "RUNNING", "REFUSED", "EXPIRED", "P50/P99 ms", "RESERVED BY")
#: As many, of a service of which nobody says anything.
NOTHING = ("",) * len(COLUMNS)
#: How long a broker may take to say it; it does nothing else meanwhile.
_PATIENCE_S = 5.0


def load_at(location: Location) -> Load:
    """What the broker there has to do. Raises `CommunicationError` if none answers."""
    from pyrolab.client.deadlines import timeout
    from pyrolab.client.nameservice import NameService

    with timeout(_PATIENCE_S), NameService(location) as names:
        load: Load = names.load()
    return load


def loads_at(addresses: Iterable[str]) -> dict[str, Load]:
    """The same of several brokers, without those that do not answer."""
    found = {}
    for address in dict.fromkeys(addresses):
        try:
            found[address] = load_at(Location.parse(address))
        except (PyroError, AttributeError) as error:  # an older broker knows no such question
            log.info("no numbers from %s: %s", address, error)
    return found


def load_of(loads: Iterable[Load], name: str, uri: str) -> Load | None:
    """What is said of the service with this name and URI, or None."""
    object_id = uri.partition(":")[2].partition("@")[0]
    for load in loads:
        services: Mapping[str, Load] = load.get("services", {})
        if object_id in services:
            return services[object_id]
        for service in services.values():
            if name in service.get("names", ()):
                return service
    return None


def columns_of(service: Load | None) -> tuple[object, ...]:
    """What belongs under `COLUMNS`."""
    if service is None:
        return NOTHING
    counts = [service.get(key) for key in ("queued", "in_flight", "refused", "expired")]
    return (*counts, _times(service), _reserved(service.get("reserved")))


def state_of(service: Load | None) -> tuple[str, str]:
    """What is wrong with a service's worker, and how one sees it; empty if all is well.

    Three facts: whether its computer is reachable, its process there, its Python responsive. Of a pool, all
    must be in trouble.
    """
    states = [_state_of_worker(worker) for worker in (service or {}).get("workers", ())]
    return ("", "") if not states or any(not state for state, _ in states) else states[0]


def stops_in(loads: Mapping[str, Load]) -> Iterator[str]:
    """A line for each broker with an emergency stop."""
    for address, load in loads.items():
        stop = load.get("stopped")
        if stop:
            who = "@".join(filter(None, [str(stop.get("user", "")), str(stop.get("host", ""))]))
            yield (
                f"EMERGENCY STOP at {address} for {ago(stop.get('since'))}, by {who}: "
                f"{stop.get('reason') or 'no reason given'}; `pyrolab estop --reset` ends it"
            )


def rows_of(load: Load) -> Iterator[tuple[object, ...]]:
    """The services of a broker, under NAME, STATE, `COLUMNS`, HOST, PID, WHY; a row more for each worker."""
    for object_id, service in load.get("services", {}).items():
        name: object = ", ".join(service.get("names", ())) or object_id
        columns = columns_of(service)
        for worker in service.get("workers", ()) or [{}]:
            state, why = _state_of_worker(worker)
            yield name, state or "running", *columns, worker.get("host"), worker.get("pid"), why
            name, columns = "", NOTHING


def _state_of_worker(worker: Load) -> tuple[str, str]:
    silent = f"nothing heard for {worker.get('silent_s', 0):.1f} s"
    if worker.get("process") == "gone":
        return "gone", "its process has ended"
    if worker.get("computer") == "unreachable":
        return "unreachable", silent
    return ("hung", silent) if worker.get("driver") == "hung" else ("", "")


def _times(service: Load) -> str:
    p50_ms, p99_ms = service.get("p50_ms"), service.get("p99_ms")
    return "" if p50_ms is None or p99_ms is None else f"{p50_ms:.1f} / {p99_ms:.1f}"


def _reserved(reserved: Load | None) -> str:
    if not reserved:
        return ""
    what = " (transaction)" if reserved.get("mode") == "transaction" else ""
    return f"{reserved.get('user') or 'somebody'} for {ago(reserved.get('since'))}{what}"
