"""What a lab manager can set on a broker. Plain data; the configuration file fills it in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pyrolab.protocol.limits import DEFAULT_LIMITS, Limits


@dataclass(frozen=True)
class ServiceLimits:
    """Limits of one service in place of the broker's own; None: the broker's."""

    #: Calls that wait for it.
    queue: int | None = None
    #: Calls that its worker has at a time; the worker may ask for less.
    credit: int | None = None


@dataclass(frozen=True)
class ClientLimits:
    """Limits of some clients in place of the broker's own; None: the broker's."""

    #: Calls that wait or run, over all services.
    calls: int | None = None
    #: Calls in each second, in the long run.
    rate: float | None = None
    #: Calls that may come at once before the rate counts.
    burst: int | None = None


@dataclass(frozen=True)
class BrokerSettings:
    """The broker's limits; every refusal names the one that was met."""

    #: Connected clients; the next one gets a `ConnectionError`.
    max_clients: int = 200
    #: Connected workers.
    max_workers: int = 1000
    #: Subscriptions to streams that go through the broker.
    max_viewers: int = 1000
    #: Services of all workers together.
    max_services: int = 10_000
    #: Names in the name service.
    max_names: int = 10_000
    #: Calls that wait for one service.
    queue_per_service: int = 1000
    #: Calls of one client that wait or run, over all services.
    calls_per_client: int = 4096
    #: Topics of all services that send their events to one client.
    topics_per_client: int = 10_000
    #: Bytes of all waiting calls together.
    queued_bytes: int = 1 << 30
    #: Calls of one client in each second, in the long run; 0: as many as it likes.
    rate_per_client: float = 0.0
    #: Calls that a client may make at once before the rate counts.
    burst_per_client: int = 100
    #: Seconds between the signs of life that peers are asked for.
    heartbeat_s: float = 2.0
    #: After so many seconds without any word, a connection is given up. More for slow links and big arrays.
    silence_s: float = 7.0
    #: How long a reservation outlives its owner's last sign of life.
    grace_s: float = 5.0
    #: Names whose object nobody has hosted for so many seconds are removed; 0: never.
    autoclean_s: float = 0.0
    #: Limits of single services, by patterns of their object ids (`camera*`); the first that fits counts.
    services: Mapping[str, ServiceLimits] = field(default_factory=dict)
    #: Limits of some clients, by patterns of `user@host`; the first that fits counts.
    clients: Mapping[str, ClientLimits] = field(default_factory=dict)
    #: Listen on a network although nobody's identity is checked.
    insecure: bool = False
    #: What the broker decodes and lets through.
    wire: Limits = field(default_factory=lambda: DEFAULT_LIMITS)

    def __post_init__(self) -> None:
        for name in _AT_LEAST_ONE:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if not 1 <= self.silence_s <= 3600:
            raise ValueError(f"silence_s must be from 1 to 3600 s, not {self.silence_s}")
        if self.grace_s < 2 * self.heartbeat_s:
            raise ValueError(f"grace_s must be at least two heartbeats ({2 * self.heartbeat_s:g} s)")
        if not 0.05 <= self.heartbeat_s <= 2:  # a worker refuses what is older than 5 s by its echoed clock
            raise ValueError(f"heartbeat_s must be from 0.05 to 2 s, not {self.heartbeat_s}")


_AT_LEAST_ONE = (
    *("max_clients", "max_workers", "max_viewers"),
    *("queue_per_service", "calls_per_client", "topics_per_client"),
)
