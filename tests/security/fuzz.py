"""Send changed messages to a real broker: `python tests/security/fuzz.py --messages 1000000 --seed 7`.

An honest client calls all the while. The seed is printed, and makes the same messages again.
"""

from __future__ import annotations

import argparse
import datetime as dt
import random
import sys
import uuid
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import zmq

from live import Process, bus
from pyrolab.protocol import codec
from pyrolab.protocol.envelope import Kind, pack, parse
from security.mutation import Frames, Mutator, aimed_at, seeds
from security.peers import Peer, object_id, undisturbed

#: After so many messages a peer leaves: one of them may have used up all call numbers of its session.
_STAY = 50
#: The number of a peer's last message.
_LAST = 2**64 - 2
#: What the broker may keep of thousands of bad messages: names that some of them have registered.
GROWTH_BYTES = 96 << 20


#: What tells the workers of `Company` from others.
_KEYS = (b"the key of the source that is honest", b"the key of the source that attacks")


class Company:
    """Those at the other end of the relay, who are honest: a source for viewers, and a viewer for sources."""

    def __init__(self, port: str) -> None:
        self._workers = [Peer(port, "worker", key=key) for key in _KEYS]
        self._source = Peer(port, "source", worker=self._workers[0].session, key=_KEYS[0])
        self._viewer = Peer(port, "viewer")
        self.heard = 0

    def about(self, role: str) -> dict[str, Any]:
        """What the HELLO of an attacker says besides its role."""
        return {"worker": self._workers[1].session, "key": _KEYS[1]} if role == "source" else {}

    def meet(self, role: str, session: int) -> list[Frames]:
        """What the attacker of this role and session has to say to us."""
        if role == "source":
            self._viewer.send(Kind.ATTACH, b"\x80", target=b"%016x" % session)
            return aimed_at(self._viewer.session, seeds(role))
        return aimed_at(self._source.session, seeds(role)) if role == "viewer" else seeds(role)

    def read(self) -> None:
        """Take what has come: to the viewer nothing that is not addressed to it."""
        while self._source.poll(0):
            self.heard += parse(self._source.receive_frames()[0]).kind != Kind.PONG
        while self._viewer.poll(0):
            envelope = parse(self._viewer.receive_frames()[0])
            assert envelope.session == self._viewer.session
            self.heard += envelope.kind != Kind.PONG

    def close(self) -> None:
        for each in (self._source, self._viewer, *self._workers):
            each.close()


class Attacker:
    """A peer that sends changed messages and reads what it hears."""

    def __init__(
        self, port: str, role: str, mutator: Mutator, company: Company, more: Sequence[Frames]
    ) -> None:
        self._peer = Peer(port, role, **company.about(role))
        self._valid = [*company.meet(role, self._peer.session), *more]
        self._mutator = mutator
        self._call = 0
        self.heard = 0

    def send(self) -> None:
        self._call += 1
        self._peer.send_frames(*self._mutator.message(self._valid, self._peer.session, self._call))
        self._drain()

    def leave(self) -> None:
        """Hear the answer to a last PING, which comes after all others; then go."""
        self._peer.send(Kind.PING, call=_LAST)
        while parse(self._peer.receive_frames()[0]).call != _LAST:
            self.heard += 1
        self._peer.close()

    def _drain(self) -> None:
        while self._peer.poll(0):
            parse(self._peer.receive_frames()[0])
            self.heard += 1


def calls_to(target: bytes) -> list[Frames]:
    """Calls to a real service that only echoes, with values of many types."""
    image = np.arange(4096, dtype=">u2").reshape(64, 64)
    moment = dt.datetime(2026, 11, 23, 12, tzinfo=dt.timezone.utc)
    values: list[Any] = [
        [1, 2.5, "µm", b"\0", None, True, 2**70, (1, (2, 3)), {1, 2}, {"a": {"b": []}}],
        [image, image[:2, :3].copy(), np.float32(1.5), np.zeros(3, "<i4,<f8")],
        [
            moment,
            moment.date(),
            Decimal("1.5"),
            Fraction(1, 3),
            uuid.UUID(int=7),
            1j,
            Path("a/b"),
            Counter("aab"),
        ],
    ]
    messages = []
    for value in values:
        body, buffers = codec.encode_call(["echo"], (value,), {})
        header = pack(Kind.CALL, buffers=len(buffers), target=target)
        messages.append([header, body, *map(bytes, buffers)])
    return messages * 5  # about as many as all others


def attack(broker: Process, messages: int, seed: int) -> int:
    """Send so many changed messages as everybody that there can be; how many answers came."""
    mutator, chance = Mutator(seed), random.Random(seed)
    calls = calls_to(object_id(broker.ready, "bench"))
    company = Company(broker.ready)
    heard = sent = 0
    while sent < messages:
        role = chance.choice(("client", "client", "worker", "watch", "viewer", "source"))
        attacker = Attacker(broker.ready, role, mutator, company, calls if role == "client" else [])
        for _ in range(min(_STAY, messages - sent)):
            attacker.send()
            sent += 1
        attacker.leave()
        company.read()
        heard += attacker.heard
    assert company.heard > messages // 100, "hardly anything went by the relay"
    company.close()
    return heard


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    options = parser.parse_args()
    print(f"seed {options.seed}, ZeroMQ {zmq.zmq_version()}", flush=True)
    with bus("services.bench:Bench=bench") as broker:
        before = broker.memory_bytes()
        with undisturbed(broker, GROWTH_BYTES) as honest:
            heard = attack(broker, options.messages, options.seed)
        grown = (broker.memory_bytes() - before) / (1 << 20)
        print(f"{options.messages} messages, {heard} answers, the broker has grown by {grown:.1f} MiB")
        print(f"meanwhile {honest.calls} honest calls were answered rightly")


if __name__ == "__main__":
    main()
