"""How much there is to do, and for whom: what `ns.load()` and `pyrolab ps` show."""

from __future__ import annotations

from typing import Any

from pyrolab_broker.core.bodies import as_text
from pyrolab_broker.core.grants import Grants
from pyrolab_broker.core.liveness import Liveness
from pyrolab_broker.core.peers import Service
from pyrolab_broker.core.state import State
from pyrolab_broker.core.stops import Stops


class Load:
    """Counts what the other parts do."""

    def __init__(self, state: State, liveness: Liveness, grants: Grants, stops: Stops) -> None:
        self._state = state
        self._liveness = liveness
        self._grants = grants
        self._stops = stops

    def load(self) -> dict[str, Any]:
        """Everything, in plain values."""
        state = self._state
        return {
            "clients": len(state.clients),
            "max_clients": state.settings.max_clients,
            "workers": len(state.workers),
            "viewers": len(state.viewers),
            "max_viewers": state.settings.max_viewers,
            "queued_bytes": state.queued_bytes,
            "stopped": self._stops.shown(),
            "services": {
                as_text(object_id): self._of_service(service) for object_id, service in state.services.items()
            },
        }

    def reservations(self) -> list[dict[str, Any]]:
        """Who has which services for themselves."""
        return self._grants.listed()

    def _of_service(self, service: Service) -> dict[str, Any]:
        statistics = service.statistics
        p50_ms, p99_ms = statistics.percentiles_ms()
        grant = service.transaction or service.grant
        return {
            "names": list(self._state.names.of_object(as_text(service.object_id))),
            "queued": len(service.queue),
            "in_flight": service.running + service.urgent,
            "credit": service.credit,
            "calls": statistics.calls,
            "refused": statistics.refused,
            "expired": statistics.expired,
            "p50_ms": p50_ms,
            "p99_ms": p99_ms,
            "workers": [self._liveness.shown(host.worker) for host in service.hosts],
            "reserved": None if grant is None else self._grants.shown(grant),
        }
