"""Changed messages, thousands of them: the core keeps its word, and a real broker goes on serving."""

from __future__ import annotations

import os
import random
from collections import Counter

import pytest

from core_table import Table
from live import Process
from pyrolab.protocol.envelope import HEADER_BYTES, Kind, check_frames, parse
from pyrolab_broker.core.events import Received, Send
from security.fuzz import GROWTH_BYTES, attack
from security.mutation import Frames, Mutator, aimed_at, seeds
from security.peers import undisturbed

#: New at each run, so that each run looks somewhere new; set PYROLAB_FUZZ_SEED to repeat one.
SEED = int(os.environ.get("PYROLAB_FUZZ_SEED", random.SystemRandom().randrange(2**32)))

KEY = bytes(range(16))
RELAYED = {Kind.ATTACH, Kind.CREDIT, Kind.DETACH, Kind.FRAME, Kind.TALLY}


def test_a_broker_serves_on_while_it_is_sent_changed_messages(attacked: Process) -> None:
    print(f"PYROLAB_FUZZ_SEED={SEED}")
    with undisturbed(attacked, GROWTH_BYTES):
        assert attack(attacked, 4000, SEED) > 1000


@pytest.mark.parametrize("part", range(4))
def test_the_core_takes_any_message_and_says_only_what_is_allowed(part: int) -> None:
    seed = SEED + part
    print(f"PYROLAB_FUZZ_SEED={seed}")
    mutator, chance = Mutator(seed), random.Random(seed)
    table = Table(max_names=50, queue_per_service=5, calls_per_client=8)
    valid = {
        "ana": seeds("client"),
        "ben": seeds("client"),
        "worker": seeds("worker"),
        "nobody": seeds("client"),
    }
    calls = Counter[str]()
    passed = 0
    for _ in range(1500):
        table.join("ana", "ben")
        table.join("worker", role="worker", key=KEY)
        _join_relay(table, valid)
        name = chance.choice(tuple(valid))
        calls[name] += 1
        session = table.sessions[chance.choice(tuple(table.sessions))] if chance.random() < 0.5 else 0
        header, *frames = mutator.message(valid[name], session, calls[name])
        for action in table.raw(Received(name.encode(), header, list(frames))):
            if isinstance(action, Send):
                sent = parse(bytes(action.frames[0]))
                check_frames(sent, action.frames[1:])
                assert len(action.frames[0]) >= HEADER_BYTES
                assert sent.kind in set(Kind)
                passed += sent.kind in RELAYED
        table.tick(chance.choice((0, 0.01, 1)))
        table.check()
    assert passed > 50


def _join_relay(table: Table, valid: dict[str, list[Frames]]) -> None:
    """Have a source and a viewer who know each other, as changed messages may end either."""
    table.join("viewer", role="viewer")
    table.join("source", role="source", key=KEY, worker=table.sessions["worker"])
    target = b"%016x" % table.sessions["source"]
    table.message("viewer", Kind.ATTACH, b"\x80", target=target)
    valid["viewer"] = aimed_at(table.sessions["source"], seeds("viewer"))
    valid["source"] = aimed_at(table.sessions["viewer"], seeds("source"))
