"""What a subscriber wants of a stream, and what it is told: plain data that both sides check."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pyrolab.errors import ProtocolError
from pyrolab.protocol.names import Location
from pyrolab.streams.variants import Variant

POLICIES = ("latest", "queue", "lossless")
#: Frames that a "queue" holds unless it is said how many.
DEFAULT_LIMIT = 16
#: The most frames that wait for one subscriber.
MAX_LIMIT = 100_000
MAX_EVERY = 1_000_000


@dataclass(frozen=True, slots=True)
class Options:
    """How a subscription wants its frames. Raises `ValueError` for what makes no sense.

    `limit` is how many frames may wait ("queue" and "lossless"; None: as many as the stream buffers). Of all
    frames it gets each `every`-th, and at most `max_rate` in each second, as `variant` says.
    """

    policy: str = "latest"
    limit: int | None = None
    every: int = 1
    max_rate: float | None = None
    variant: Variant = field(default_factory=Variant)

    def __post_init__(self) -> None:
        if self.policy not in POLICIES:
            raise ValueError(f"a policy is one of {', '.join(POLICIES)}, not {self.policy!r}")
        if self.limit is not None and not _is_within(self.limit, 1, MAX_LIMIT):
            raise ValueError(f"a limit is a number of frames from 1 to {MAX_LIMIT}, not {self.limit!r}")
        if not _is_within(self.every, 1, MAX_EVERY):
            raise ValueError(f"every is a whole number from 1 to {MAX_EVERY}, not {self.every!r}")
        if self.max_rate is not None and not _is_rate(self.max_rate):
            raise ValueError(f"max_rate is a number of frames per second above 0, not {self.max_rate!r}")

    def to_data(self) -> dict[str, Any]:
        """As plain values, for the wire."""
        return {
            "policy": self.policy,
            "limit": self.limit,
            "every": self.every,
            "max_rate": self.max_rate,
            "variant": self.variant.to_data(),
        }

    @classmethod
    def from_data(cls, data: Any) -> Options:
        """From plain values. Raises `ValueError` if they are no options."""
        if type(data) is not dict:
            raise ValueError("the options of a subscription are a map")
        return cls(
            data.get("policy", "latest"),
            data.get("limit"),
            data.get("every", 1),
            data.get("max_rate"),
            Variant.from_data(data.get("variant", {})),
        )


def _is_within(number: Any, lowest: int, highest: int) -> bool:
    return type(number) is int and lowest <= number <= highest


def _is_rate(number: Any) -> bool:
    return type(number) in (int, float) and math.isfinite(number) and number > 0


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a subscriber gets for its call: with `secret`, it attaches to the source, in one of several ways.

    `endpoint` is where the source listens, `probe` a reference to memory that a program of the same computer
    and user can read, `here` what names that computer, and `relay` the source's session at the broker.
    """

    secret: bytes
    endpoint: Location | None
    here: str
    probe: Any
    relay: int

    def to_data(self) -> dict[str, Any]:
        """As plain values, for the wire."""
        return {
            "ticket": self.secret,
            "endpoint": [self.endpoint.host, self.endpoint.port] if self.endpoint else None,
            "here": self.here,
            "probe": self.probe,
            "relay": self.relay,
        }

    @classmethod
    def from_data(cls, data: Any) -> Ticket:
        """From plain values. Raises `ProtocolError` if they are no ticket."""
        try:
            endpoint = data["endpoint"]
            where = Location(str(endpoint[0]), int(endpoint[1])) if endpoint is not None else None
            return cls(bytes(data["ticket"]), where, str(data["here"]), data.get("probe"), int(data["relay"]))
        except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
            raise ProtocolError(f"this is no ticket for a stream: {error!r:.200}") from None


def as_mapping(data: Any) -> Mapping[str, Any]:
    """`data` if it is a map. Raises `ProtocolError` otherwise."""
    if not isinstance(data, dict):
        raise ProtocolError("the body of an ATTACH is a map")
    return data
