"""The publisher's side of a subscription as a table: what is offered, what may leave, what is lost."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pyrolab.streams.feeds import WINDOW_BYTES, Feed
from pyrolab.streams.frames import Frame, head_of
from pyrolab.streams.options import Options
from pyrolab.streams.pool import Pool

POOL = Pool()


def frame(number: int, nbytes: int = 4096) -> Frame:
    dtype = np.dtype("u1")
    made = Frame(head_of(0.0, {}), (dtype, (nbytes,)), POOL.take(nbytes), len(POOL))
    made.sequence = number
    return made


def feed(
    policy: str = "queue", buffer: int = 4, waits: bool = True, local: bool = True, **wanted: Any
) -> Feed:
    return Feed(Options(policy, **wanted), buffer, waits, local)


def offered(to: Feed, *numbers: int) -> Feed:
    for number in numbers:
        to.offer(frame(number), 0.0)
    return to


def taken(of: Feed) -> list[int]:
    found = []
    while (each := of.take()) is not None:
        found.append(each[0].sequence)
    return found


def test_nothing_leaves_without_credit() -> None:
    one = offered(feed(), 1, 2, 3)
    assert not one.is_ready
    assert taken(one) == []
    one.grant(2, 0.0)
    assert taken(one) == [1, 2]
    one.grant(5, 0.0)
    assert taken(one) == [3]


def test_latest_keeps_one_queue_keeps_the_newest_lossless_keeps_the_oldest() -> None:
    for policy, left in (("latest", [6]), ("queue", [4, 5, 6]), ("lossless", [1, 2, 3, 4])):
        one = offered(feed(policy, limit=3 if policy == "queue" else None), 1, 2, 3, 4, 5, 6)
        one.grant(10, 0.0)
        assert taken(one) == left


def test_a_lossless_feed_says_when_it_is_full_and_breaks_only_if_it_is_offered_more() -> None:
    one = offered(feed("lossless", buffer=2), 1)
    assert not one.is_full
    offered(one, 2)
    assert one.is_full
    offered(one, 3, 4)
    assert one.broken_at == 3
    assert not one.is_at_its_end
    one.grant(2, 0.0)
    assert taken(one) == [1, 2]
    assert not one.is_at_its_end  # they are still on their way, in memory that it must not lose
    one.grant(2, 0.0)
    assert one.is_at_its_end


def test_bytes_on_their_way_are_bounded() -> None:
    one = feed("queue", local=False)
    for number in range(1, 5):
        one.offer(frame(number, WINDOW_BYTES // 2), 0.0)
    one.grant(100, 0.0)
    assert taken(one) == [1, 2]
    one.grant(1, 0.0)
    assert taken(one) == [3]
    huge = feed("queue")
    huge.offer(frame(1, 2 * WINDOW_BYTES), 0.0)
    huge.grant(1, 0.0)
    assert taken(huge) == [1]  # alone, it may


def test_what_is_held_is_never_written_again_when_the_subscription_ends() -> None:
    pool = Pool()
    block = pool.take(4096)
    made = Frame(head_of(0.0, {}), (np.dtype("u1"), (4096,)), block, 1)
    made.sequence = 1
    one = feed()
    one.offer(made, 0.0)
    one.grant(1, 0.0)
    one.take()
    one.end()
    del made
    assert pool.take(4096) is not block


def test_what_is_given_back_can_be_used_again() -> None:
    pool = Pool()
    block = pool.take(4096)
    made = Frame(head_of(0.0, {}), (np.dtype("u1"), (4096,)), block, 1)
    made.sequence = 1
    one = feed()
    one.offer(made, 0.0)
    one.grant(1, 0.0)
    del made
    one.take()
    assert pool.take(4096) is not block
    one.give_back(1)
    assert pool.take(4096) is block


def test_a_rate_is_kept_and_a_pause_lets_no_burst_follow() -> None:
    one = feed("queue", limit=1000, max_rate=10.0)
    for tick in range(100):
        one.offer(frame(tick + 1), tick / 100)
    one.grant(1000, 0.0)
    first = taken(one)
    assert len(first) == 10
    for tick in range(5):
        one.offer(frame(tick + 101), 60 + tick / 1000)
    assert taken(one) == [101]
    assert one.skipped == 105 - 11


@given(
    st.sampled_from(["latest", "queue", "lossless"]),
    st.lists(st.one_of(st.just("publish"), st.integers(0, 3)), max_size=80),
    st.integers(1, 4),
)
def test_whatever_happens_frames_leave_in_order_and_never_more_than_were_asked_for(
    policy: str, happenings: list[Any], every: int
) -> None:
    one = feed(policy, every=every)
    number = granted = 0
    left: list[int] = []
    for each in happenings:
        if each == "publish":
            number += 1
            if not one.is_full:
                one.offer(frame(number), 0.0)
            else:
                number -= 1  # the publisher waits
        else:
            one.grant(each, 0.0)
            granted += each
        left += taken(one)
    assert left == sorted(set(left))
    assert len(left) <= granted
    assert one.skipped <= number
    assert not one.broken_at
    if policy == "lossless":
        wanted = range(1, number + 1, every)
        assert left == list(wanted)[: len(left)]
