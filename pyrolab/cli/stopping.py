"""`pyrolab estop`: stop every instrument of a lab now, and let them move again.

Software over a network is no safety function: what protects people has a switch of its own.
"""

from __future__ import annotations

from typing import Any

from pyrolab.cli.tables import console, show_table
from pyrolab.client.deadlines import timeout
from pyrolab.client.nameservice import NameService
from pyrolab.errors import PyroError
from pyrolab.link.finding import broker_location

#: A broker answers after a second at the latest; one that does not has other troubles.
_PATIENCE_S = 10.0
#: What a service may answer that does not mean that it is stopping.
_TROUBLE = ("failed", "no answer")


def estop(reason: str, host: str | None, port: int | None) -> int:
    """Run the stop hooks of all services; returns 1 if one has failed or not answered."""
    location = broker_location(host, port)
    with timeout(_PATIENCE_S), NameService(location) as names:  # not connected: the stop has its own way
        services = _services(names.emergency_stop(reason))
        console().print(
            f"EMERGENCY STOP at {location}: no call runs until `pyrolab estop --reset`", style="bold red"
        )
        _show(services, _names_of(names, services))
    troubled = [service for service, state in services.items() if state in _TROUBLE]
    if troubled:
        console(error=True).print(f"{len(troubled)} of {len(services)} did not stop: look at the instruments")
    return 1 if troubled else 0


def reset(host: str | None, port: int | None) -> int:
    """Let calls run again."""
    location = broker_location(host, port)
    with timeout(_PATIENCE_S), NameService(location) as names:
        was_on = names.reset_emergency_stop()
    if was_on:
        console().print(f"the emergency stop at {location} is over: calls run again", style="green")
    else:
        console().print(f"there was no emergency stop at {location}")
    return 0


def _services(outcome: Any) -> dict[str, str]:
    services = outcome.get("services") if isinstance(outcome, dict) else None
    return services if isinstance(services, dict) else {}


def _names_of(names: NameService, services: dict[str, str]) -> dict[str, str]:
    """What people call the services; the stop has been carried out, so nothing may fail for want of it."""
    try:
        known = names.load()["services"]
        return {service: ", ".join(known[service]["names"]) for service in services if service in known}
    except (PyroError, AttributeError, LookupError, TypeError):
        return {}


def _show(services: dict[str, str], names: dict[str, str]) -> None:
    if services:
        rows = [(names.get(service) or service, state) for service, state in services.items()]
        show_table(("SERVICE", "STOP HOOK"), sorted(rows))
