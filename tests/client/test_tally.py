"""The tally as a table, and as a machine: whatever comes, all frames are accounted for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pyrolab.client.tally import Tally


def attached(newest: int = 10, epoch: int = 7) -> Tally:
    tally = Tally()
    tally.attached(epoch, newest)
    return tally


def counts(tally: Tally) -> tuple[int, int, int, int]:
    return tally.delivered, tally.dropped, tally.skipped, tally.published


def test_it_begins_after_what_there_was() -> None:
    tally = attached(newest=10)
    assert tally.came(7, 11, 0, 0.0)
    assert counts(tally) == (1, 0, 0, 1)
    assert not tally.gaps
    assert tally.take_loss() is None


def test_a_missing_number_is_a_lost_frame() -> None:
    tally = attached()
    assert tally.came(7, 14, 0, 0.0)
    assert counts(tally) == (1, 3, 0, 4)
    assert list(tally.gaps) == [(7, 11, 13)]
    assert tally.take_loss() == (11, 13)
    assert tally.take_loss() is None


def test_what_was_left_out_is_not_lost() -> None:
    tally = attached()
    tally.came(7, 11, 0, 0.0)
    tally.came(7, 14, 2, 0.0)
    tally.came(7, 20, 3, 0.0)
    assert counts(tally) == (3, 4, 3, 10)


def test_a_frame_that_comes_again_is_not_counted_twice() -> None:
    tally = attached()
    tally.came(7, 12, 0, 0.0)
    assert not tally.came(7, 12, 0, 0.0)
    assert not tally.came(7, 11, 0, 0.0)
    assert not tally.came(8, 13, 0, 0.0)
    assert counts(tally) == (1, 1, 0, 2)


def test_what_was_published_during_an_interruption_is_lost() -> None:
    tally = attached()
    tally.came(7, 11, 0, 0.0)
    tally.attached(7, 15)
    assert counts(tally) == (1, 4, 0, 5)
    tally.came(7, 16, 0, 0.0)
    assert counts(tally) == (2, 4, 0, 6)


def test_a_new_epoch_begins_at_one_and_never_counts_backwards() -> None:
    tally = attached(newest=1000)
    tally.came(7, 1001, 0, 0.0)
    tally.attached(8, 2)
    assert counts(tally) == (1, 2, 0, 3)
    assert list(tally.gaps) == [(8, 1, 2)]
    assert tally.came(8, 3, 0, 0.0)
    assert tally.epoch == 8


def test_the_last_word_accounts_for_the_rest() -> None:
    tally = attached()
    tally.came(7, 11, 0, 0.0)
    tally.told(7, 19)
    assert tally.waiting == 8
    tally.ended(7, 20, 4)
    assert counts(tally) == (1, 5, 4, 10)
    assert tally.waiting == 0
    tally.ended(6, 99, 0)  # of another publisher
    assert tally.published == 10


def test_the_rate_is_that_of_the_last_seconds() -> None:
    tally = attached(0)
    for number in range(1, 51):
        tally.came(7, number, 0, number / 10)
    assert 9 < tally.rate(5.0) < 11
    assert tally.rate(100.0) == 0


@given(st.lists(st.tuples(st.sampled_from(["came", "told", "left out", "again", "anew"]), st.integers(1, 5))))
def test_all_are_accounted_for(happenings: list[tuple[str, int]]) -> None:
    tally, newest, left_out, base, before = Tally(), 0, 0, 0, 0
    epoch = 1
    tally.attached(epoch, 0)
    for what, count in happenings:
        if what == "came":
            newest += count
            assert tally.came(epoch, newest, left_out, 0.0)
        elif what == "told":
            newest += count
            tally.told(epoch, newest)
        elif what == "left out":
            newest += count
            left_out += count
        elif what == "again":
            newest += count
            tally.attached(epoch, newest)
            left_out = 0
        else:
            before = tally.published
            epoch, newest, left_out = epoch + 1, count, 0
            tally.attached(epoch, newest)
        assert tally.published <= before + newest - base
        assert tally.published == tally.delivered + tally.dropped + tally.skipped
    tally.ended(epoch, newest, left_out)
    assert tally.published == before + newest - base
    assert min(tally.delivered, tally.dropped, tally.skipped) >= 0
