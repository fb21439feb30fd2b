"""The fair queue, against a plain model."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrolab_broker.core.queues import FairQueue


def test_owners_take_turns() -> None:
    queue: FairQueue[str] = FairQueue()
    for item in ("a1", "a2", "a3", "b1", "c1", "b2"):
        queue.push(item[0], item)
    assert [queue.pop() for _ in range(len(queue))] == ["a1", "b1", "c1", "a2", "b2", "a3"]
    with pytest.raises(IndexError):
        queue.pop()


@given(st.lists(st.tuples(st.sampled_from(["push", "pop", "drop", "remove", "newest"]), st.integers(0, 4))))
def test_nothing_is_lost_and_nobody_is_overtaken_by_a_round(steps: list[tuple[str, int]]) -> None:
    queue: FairQueue[tuple[int, int]] = FairQueue()
    lines: dict[int, deque[tuple[int, int]]] = {}
    serial = 0
    for step, owner in steps:
        if step == "push":
            serial += 1
            queue.push(owner, (owner, serial))
            lines.setdefault(owner, deque()).append((owner, serial))
        elif step == "pop" and len(queue):
            item = queue.pop()
            assert lines[item[0]].popleft() == item, "an owner's own order holds"
        elif step == "drop":
            assert queue.drop_owner(owner) == list(lines.pop(owner, deque()))
        elif step == "remove" and lines.get(owner):
            queue.remove(owner, lines[owner].pop())
        elif step == "newest" and lines.get(owner):
            assert queue.pop_newest(owner) == lines[owner].pop()
        if len(queue):
            longest = queue.longest()
            assert queue.length_of(longest) == max(map(len, lines.values()))
        assert len(queue) == sum(map(len, lines.values()))
        assert sorted(queue) == sorted(item for line in lines.values() for item in line)
    waiting = sum(1 for line in lines.values() if line)
    first_round = [queue.pop()[0] for _ in range(waiting)]
    assert len(set(first_round)) == waiting, "everybody who waits is served before anybody is served twice"
