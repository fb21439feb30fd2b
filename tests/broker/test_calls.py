"""Calls through the core: given these events, exactly these messages."""

from __future__ import annotations

import pytest

from core_table import Sent, Table
from pyrolab.protocol.envelope import NO_DEADLINE, Flag, Kind, pack, parse
from pyrolab_broker.core.events import Received, Send


@pytest.fixture
def table() -> Table:
    table = Table()
    table.join("ana", "ben")
    table.join("worker", role="worker")
    table.offer("worker")
    return table


def test_a_call_goes_to_the_worker_and_its_answer_back(table: Table) -> None:
    assert table.call("ana", 1) == [Sent("worker", Kind.BEGUN), Sent("worker", Kind.CALL, 1)]
    assert table.answer("worker", "ana", 1, "done") == [Sent("ana", Kind.RESULT, 1, ["done"])]
    table.check()


def test_frames_are_passed_on_as_the_same_objects(table: Table) -> None:
    body, image = b"\x90", bytearray(8000)
    header = pack(Kind.CALL, call=1, stamp=table.core.state.clock, target=b"stage", buffers=1)
    _, send = [a for a in table.raw(Received(b"ana", header, [body, image])) if isinstance(a, Send)]
    assert send.frames[1] is body
    assert send.frames[2] is image


def test_the_worker_gets_its_own_clock_back_and_the_session_of_the_caller(table: Table) -> None:
    table.message("worker", Kind.PING, stamp=4242)
    actions = table.raw(
        Received(b"ana", pack(Kind.CALL, call=1, stamp=table.core.state.clock, target=b"stage"), [b"\x90"])
    )
    _, send = [action for action in actions if isinstance(action, Send)]
    envelope = parse(send.frames[0])
    assert envelope.stamp == 4242
    assert envelope.session == table.sessions["ana"]
    assert envelope.budget_ms == NO_DEADLINE


def test_one_credit_holds_back_the_second_call(table: Table) -> None:
    table.call("ana", 1)
    assert table.call("ben", 1) == []
    assert table.answer("worker", "ana", 1) == [
        Sent("ana", Kind.RESULT, 1, [None]),
        Sent("worker", Kind.BEGUN),
        Sent("worker", Kind.CALL, 1),
    ]
    table.check()


def test_clients_take_turns(table: Table) -> None:
    for number in range(1, 5):
        table.call("ana", number)
    table.call("ben", 1)
    order = []
    for owner, number in [("ana", 1), ("ana", 2), ("ben", 1), ("ana", 3), ("ana", 4)]:
        order += [sent.to for sent in table.answer("worker", owner, number) if sent.kind == Kind.RESULT]
        table.check()
    assert order == ["ana", "ana", "ben", "ana", "ana"]


def test_a_full_queue_refuses_with_numbers() -> None:
    table = Table(queue_per_service=2)
    table.join("ana")
    table.join("worker", role="worker")
    table.offer("worker")
    for number in (1, 2, 3):
        table.call("ana", number)
    assert table.call("ana", 4) == [Sent("ana", Kind.REFUSED, 4, "busy")]
    table.check()


def test_who_floods_a_queue_makes_room_for_others() -> None:
    table = Table(queue_per_service=4)
    table.join("ana", "ben", "cleo")
    table.join("worker", role="worker")
    table.offer("worker")
    for number in range(1, 6):
        table.call("ana", number)  # one runs, four wait
    assert table.call("ben", 1) == [Sent("ana", Kind.REFUSED, 5, "busy")]
    assert table.call("ben", 2) == [Sent("ana", Kind.REFUSED, 4, "busy")]
    assert table.call("ben", 3) == [Sent("ben", Kind.REFUSED, 3, "busy")], (
        "nobody gets more than an equal part"
    )
    assert table.call("ana", 6) == [Sent("ana", Kind.REFUSED, 6, "busy")]
    assert table.call("cleo", 1) in (
        [Sent("ana", Kind.REFUSED, 3, "busy")],
        [Sent("ben", Kind.REFUSED, 2, "busy")],
    )
    table.check()
    assert table.answer("worker", "ana", 1)[1:] == [Sent("worker", Kind.CALL, 2)]
    assert table.answer("worker", "ana", 2)[1:] == [Sent("worker", Kind.BEGUN), Sent("worker", Kind.CALL, 1)]
    table.check()


def test_a_oneway_call_that_finds_no_room_is_not_answered() -> None:
    table = Table(queue_per_service=1)
    table.join("ana")
    table.join("worker", role="worker")
    table.offer("worker")
    table.call("ana", 1)
    assert table.call("ana", 2, flags=Flag.ONEWAY) == []
    assert table.call("ana", 3, flags=Flag.ONEWAY) == []
    assert len(table.core.state.services[b"stage"].queue) == 1


def test_a_client_has_a_bound_on_its_unanswered_calls() -> None:
    table = Table(calls_per_client=2)
    table.join("ana")
    table.join("worker", role="worker")
    table.offer("worker", credit=5)
    table.call("ana", 1)
    table.call("ana", 2)
    assert table.call("ana", 3) == [Sent("ana", Kind.REFUSED, 3, "busy")]


def test_queued_bytes_are_bounded_and_given_back() -> None:
    table = Table(queued_bytes=40)
    table.join("ana")
    table.join("worker", role="worker")
    table.offer("worker")
    answers = [table.call("ana", number) for number in range(1, 12)]
    assert answers[-1] == [Sent("ana", Kind.REFUSED, 11, "busy")]
    number = 1
    while table.core.state.services[b"stage"].running:
        table.answer("worker", "ana", number)
        number += 1
    assert table.core.state.queued_bytes == 0


def test_a_waiting_call_past_its_deadline_never_runs(table: Table) -> None:
    table.call("ana", 1)
    table.call("ben", 1, budget_ms=200)
    assert table.tick(0.3) == [Sent("ben", Kind.REFUSED, 1, "expired")]
    assert table.answer("worker", "ana", 1) == [Sent("ana", Kind.RESULT, 1, [None])]
    table.check()


def test_a_running_call_past_its_deadline_is_unknown_and_its_late_answer_goes_nowhere(table: Table) -> None:
    table.call("ana", 1, budget_ms=200)
    assert table.tick(0.3) == [
        Sent("worker", Kind.CANCEL, 1),
        Sent("ana", Kind.REFUSED, 1, "timed-out"),
    ]
    assert table.call("ben", 1) == [], "the worker is still busy"
    assert table.answer("worker", "ana", 1) == [Sent("worker", Kind.BEGUN), Sent("worker", Kind.CALL, 1)]


def test_the_worker_hears_the_time_that_remains(table: Table) -> None:
    table.call("ana", 1)
    table.call("ben", 1, budget_ms=1000)
    table.now += 0.4
    header = pack(Kind.RESULT, session=table.sessions["ana"], call=1)
    actions = [a for a in table.raw(Received(b"worker", header, [b"\xc0"])) if isinstance(a, Send)]
    assert parse(actions[-1].frames[0]).budget_ms in (599, 600)


def test_cancelling_a_waiting_call_ends_it_and_a_running_one_tells_the_worker(table: Table) -> None:
    table.call("ana", 1)
    table.call("ana", 2)
    assert table.message("ana", Kind.CANCEL, call=2) == [Sent("ana", Kind.REFUSED, 2, "cancelled")]
    assert table.message("ana", Kind.CANCEL, call=1) == [Sent("worker", Kind.CANCEL, 1)]
    assert table.message("ana", Kind.CANCEL, call=7) == []
    table.check()


def test_a_oneway_call_is_run_but_never_answered(table: Table) -> None:
    assert table.call("ana", 1, flags=Flag.ONEWAY)[1:] == [Sent("worker", Kind.CALL, 1)]
    assert table.answer("worker", "ana", 1) == []
    assert table.call("ana", 2) == [Sent("worker", Kind.CALL, 2)]


def test_a_call_number_is_used_once(table: Table) -> None:
    table.call("ana", 5)
    assert table.call("ana", 5) == [Sent("ana", Kind.REFUSED, 5, "protocol")]
    assert table.call("ana", 4) == [Sent("ana", Kind.REFUSED, 4, "protocol")]


def test_a_worker_that_dies_leaves_unknown_outcomes_and_calls_that_did_not_run(table: Table) -> None:
    table.call("ana", 1)
    table.call("ben", 1)
    assert table.unreachable("worker") == [
        Sent("ben", Kind.REFUSED, 1, "gone"),
        Sent("ana", Kind.REFUSED, 1, "unknown-outcome"),
    ]
    assert table.call("ana", 2) == [Sent("ana", Kind.REFUSED, 2, "gone")]
    table.check()


def test_a_call_that_never_left_the_broker_did_not_run(table: Table) -> None:
    actions = table.raw(
        Received(b"ana", pack(Kind.CALL, call=1, stamp=table.core.state.clock, target=b"stage"), [b"\x90"])
    )
    _, send = [action for action in actions if isinstance(action, Send)]
    assert table.unreachable("worker", send.frames[0]) == [Sent("ana", Kind.REFUSED, 1, "gone")]
    assert b"worker" not in table.core.state.peers


def test_a_worker_that_does_not_read_keeps_its_session(table: Table) -> None:
    actions = table.raw(
        Received(b"ana", pack(Kind.CALL, call=1, stamp=table.core.state.clock, target=b"stage"), [b"\x90"])
    )
    begun, send = [action for action in actions if isinstance(action, Send)]
    assert table.unreachable("worker", begun.frames[0], slow=True) == []
    assert table.unreachable("worker", send.frames[0], slow=True) == [Sent("ana", Kind.REFUSED, 1, "gone")]
    assert b"worker" in table.core.state.peers
    table.check()
    assert table.call("ana", 2) == [Sent("worker", Kind.BEGUN), Sent("worker", Kind.CALL, 2)]


def test_a_client_that_leaves_takes_its_waiting_calls_along(table: Table) -> None:
    table.call("ben", 1)
    table.call("ana", 1)
    assert table.message("ana", Kind.BYE) == [Sent("ana", Kind.BYE)], "the worker has never heard of it"
    assert table.answer("worker", "ben", 1) == [Sent("ben", Kind.RESULT, 1, [None])]
    table.check()


def test_only_the_worker_that_runs_a_call_may_answer_it(table: Table) -> None:
    table.join("liar", role="worker")
    table.call("ana", 1)
    assert table.answer("liar", "ana", 1, "wrong") == [Sent("liar", Kind.REFUSED, 1, "protocol")]
    assert table.answer("worker", "ana", 1, "right") == [Sent("ana", Kind.RESULT, 1, ["right"])]
    assert table.answer("worker", "ana", 1, "twice") == [Sent("worker", Kind.REFUSED, 1, "protocol")]


def test_a_withdrawn_service_ends_what_waits_for_it(table: Table) -> None:
    table.call("ana", 1)
    table.call("ben", 1)
    assert table.message("worker", Kind.WITHDRAW, target=b"stage") == [Sent("ben", Kind.REFUSED, 1, "gone")]
    assert table.answer("worker", "ana", 1, "done") == [Sent("ana", Kind.RESULT, 1, ["done"])]
    table.check()


def test_an_answer_that_cannot_be_passed_on_ends_its_call_all_the_same(table: Table) -> None:
    table.call("ana", 1)
    table.call("ana", 2)
    sent = table.message("worker", Kind.RESULT, session=table.sessions["ana"], call=1, buffers=3)
    assert sent == [
        Sent("ana", Kind.REFUSED, 1, "unknown-outcome"),
        Sent("worker", Kind.CALL, 2),
        Sent("worker", Kind.REFUSED, 0, "protocol"),
    ]
    table.check()


def test_calls_that_nobody_waits_for_vanish_with_their_client_too(table: Table) -> None:
    table.call("ben", 1)
    for number in (1, 2):
        assert table.call("ana", number, flags=Flag.ONEWAY) == []
    assert table.message("ana", Kind.BYE) == [Sent("ana", Kind.BYE)]
    table.check()
    assert table.answer("worker", "ben", 1) == [Sent("ben", Kind.RESULT, 1, [None])]


def test_a_worker_hears_of_a_client_once_before_its_first_call_and_when_it_leaves(table: Table) -> None:
    table.join("other", role="worker")
    table.offer("other", "laser")
    call, begun = Sent("worker", Kind.CALL, 1), Sent("worker", Kind.BEGUN)
    assert table.call("ana", 1) == [begun, call]
    assert table.call("ben", 1) == []
    assert table.call("ana", 2, "laser") == [Sent("other", Kind.BEGUN), Sent("other", Kind.CALL, 2)]
    assert table.answer("worker", "ana", 1)[1:] == [begun, call], "ben's, which has waited"
    assert table.answer("worker", "ben", 1)[1:] == []
    assert table.call("ben", 2) == [Sent("worker", Kind.CALL, 2)]
    assert table.message("ben", Kind.BYE) == [Sent("worker", Kind.ENDED), Sent("ben", Kind.BYE)]
    table.check()


def test_a_call_that_never_reached_its_worker_leaves_no_trace_of_its_client_there(table: Table) -> None:
    table.call("ben", 1)
    table.call("ana", 1, budget_ms=200)
    assert table.tick(0.3) == [Sent("ana", Kind.REFUSED, 1, "expired")]
    assert table.message("ana", Kind.BYE) == [Sent("ana", Kind.BYE)]
    table.check()


def test_a_new_session_through_the_same_connection_begins_anew(table: Table) -> None:
    table.call("ana", 1)
    table.message("worker", Kind.BYE)
    table.join("worker", role="worker")
    table.offer("worker")
    assert table.call("ana", 2) == [Sent("worker", Kind.BEGUN), Sent("worker", Kind.CALL, 2)]
    table.answer("worker", "ana", 2)
    table.message("ana", Kind.BYE)
    table.join("ana")
    assert table.call("ana", 1) == [Sent("worker", Kind.BEGUN), Sent("worker", Kind.CALL, 1)]
    table.check()
