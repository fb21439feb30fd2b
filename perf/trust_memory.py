"""What a broker needs for everybody: its resident memory, with many clients connected and many services."""

from __future__ import annotations

from collections.abc import Callable

from perf.trust_bus import Bus, run_role, serve_questions
from pyrolab.api import Daemon, Proxy, expose, locate_ns

CLIENTS, SERVICES = 500, 200
#: The broker's setting: the harness itself is a client, too.
MAX_CLIENTS = CLIENTS + 10
_PROCESSES, _WORKERS = 5, 4
_METHODS = 20
_CALLS_EACH = 4


def filled(bus: Bus) -> tuple[float, float]:
    """The broker's memory in MiB: alone, and when all are there and each client has called some services."""
    alone = bus.broker_mib()
    workers = bus.start_many(_WORKERS, __name__, "worker", bus.nameserver)
    bus.start_many(_PROCESSES, __name__, "clients", bus.nameserver)
    with bus.names() as names:
        load = names.load()
    if load["clients"] < CLIENTS or len(load["services"]) < SERVICES or load["workers"] < len(workers):
        raise RuntimeError(f"there are {load['clients']} clients and {len(load['services'])} services")
    return alone, bus.broker_mib()


# -- workers and clients ---------------------------------------------------------------------------------


def _setting(name: str) -> Callable[..., float]:
    def apply(self: object, value: float = 1.0, channel: int = 1, unit: str = "V") -> float:
        return value

    apply.__name__ = name
    apply.__qualname__ = f"Instrument.{name}"
    apply.__doc__ = f"Apply {name} to one channel.\n\n`value` is in `unit`; returns what was applied."
    return apply


def _instrument() -> object:
    """An instrument with as many methods as most have."""
    members = {name: _setting(name) for name in (f"apply_{number}" for number in range(_METHODS))}
    found: object = expose(type("Instrument", (), members))()
    return found


def _worker(nameserver: str, place: str) -> None:
    daemon = Daemon(nameserver=nameserver)
    with locate_ns(nameserver) as names:
        for number in range(int(place), SERVICES, _WORKERS):
            names.register(f"instrument{number}", daemon.register(_instrument()))
    serve_questions({})


def _clients(nameserver: str, place: str) -> None:
    proxies = []
    for number in range(int(place), CLIENTS, _PROCESSES):
        proxy = Proxy(f"PYRONAME:instrument{number % SERVICES}@{nameserver}")
        for _ in range(_CALLS_EACH):
            proxy.apply_1(2.5)
        proxies.append(proxy)
    serve_questions({"clients": lambda: len(proxies)})


if __name__ == "__main__":
    run_role({"worker": _worker, "clients": _clients})
