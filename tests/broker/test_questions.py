"""Questions through the core: a worker asks a client that has called it, and the client answers."""

from __future__ import annotations

from typing import Any

import pytest

from core_table import Sent, Table
from pyrolab.protocol.envelope import Envelope, Flag, Kind, pack
from pyrolab_broker.core.events import Received, Send

ANSWERS = [(Kind.RESULT, ["yes"]), (Kind.RAISED, {"text": "no"}), (Kind.REFUSED, {"code": "gone"})]


@pytest.fixture
def table() -> Table:
    table = Table()
    table.join("ana", "ben")
    table.join("worker", "other", role="worker")
    table.offer("worker")
    table.offer("other", "laser")
    table.introduce("ana", "worker")
    return table


def target(table: Table, worker: str = "worker") -> bytes:
    return b"%016x" % table.sessions[worker]


def reply(
    table: Table, client: str, number: int, kind: Kind = Kind.RESULT, body: Any = "yes", **fields: Any
) -> list[Sent]:
    fields = {"target": target(table), **fields}
    return table.message(client, kind, [body] if kind == Kind.RESULT else body, call=number, **fields)


def test_a_question_goes_to_the_client_and_its_answer_back(table: Table) -> None:
    assert table.ask("worker", "ana", 5, ["how", "now"]) == [Sent("ana", Kind.ASK, 5, ["how", "now"])]
    assert reply(table, "ana", 5) == [Sent("worker", Kind.RESULT, 5, ["yes"])]
    table.check()


def test_the_header_of_a_question_says_where_its_answer_goes(table: Table) -> None:
    session = table.sessions["ana"]
    fields: dict[str, Any] = {"session": session, "call": 5, "number": 77, "token": 3, "flags": Flag.ONEWAY}
    ((to, envelope, _),) = table.envelopes("worker", Kind.ASK, b"\xc0", stamp=4242, target=b"x", **fields)
    assert to == "ana"
    assert envelope == Envelope(Kind.ASK, stamp=1_000_000, target=target(table), **fields)


@pytest.mark.parametrize(("kind", "body"), ANSWERS)
def test_the_header_of_an_answer_says_whose_it_is(table: Table, kind: Kind, body: Any) -> None:
    fields: dict[str, Any] = {"call": 5, "flags": Flag.READ}
    ((to, envelope, _),) = table.envelopes("ana", kind, body, stamp=9, target=target(table), **fields)
    assert to == "worker"
    assert envelope == Envelope(kind, session=table.sessions["ana"], stamp=1_000_000, **fields)


@pytest.mark.parametrize("kind", [Kind.ASK, Kind.RESULT])
def test_frames_are_passed_on_as_the_same_objects(table: Table, kind: Kind) -> None:
    sender, session = (b"worker", table.sessions["ana"]) if kind == Kind.ASK else (b"ana", 0)
    body, image = b"\x90", bytearray(8000)
    header = pack(kind, session=session, call=1, buffers=1, target=target(table))
    (send,) = table.raw(Received(sender, header, [body, image]))
    assert isinstance(send, Send)
    assert send.frames[1] is body
    assert send.frames[2] is image


def test_a_question_while_the_call_runs_does_not_touch_it(table: Table) -> None:
    table.call("ana", 2)
    table.ask("worker", "ana", 2, token=2)
    assert reply(table, "ana", 2) == [Sent("worker", Kind.RESULT, 2, ["yes"])]
    assert table.answer("worker", "ana", 2, "done") == [Sent("ana", Kind.RESULT, 2, ["done"])]
    table.check()


def test_a_worker_reaches_only_who_has_called_it(table: Table) -> None:
    assert table.ask("worker", "ben", 5) == [Sent("worker", Kind.REFUSED, 5, "denied")]
    assert table.ask("other", "ana", 5) == [Sent("other", Kind.REFUSED, 5, "denied")]
    table.call("ana", 2)
    table.call("ben", 1)
    assert table.ask("worker", "ben", 6) == [Sent("worker", Kind.REFUSED, 6, "denied")], "ben's call waits"
    table.answer("worker", "ana", 2)
    assert table.ask("worker", "ben", 7) == [Sent("ben", Kind.ASK, 7)]


def test_a_question_to_nobody_is_refused_under_its_own_number(table: Table) -> None:
    for session in (12345, table.sessions["worker"], 0):
        ((to, envelope, _),) = table.envelopes("worker", Kind.ASK, b"\xc0", session=session, call=5)
        assert to == "worker"
        assert envelope == Envelope(Kind.REFUSED, session=session, call=5, stamp=1_000_000)
    table.message("ana", Kind.BYE)
    assert table.ask("worker", "ana", 6) == [Sent("worker", Kind.REFUSED, 6, "gone")]


def test_a_question_that_nobody_waits_for_is_neither_refused_nor_answered(table: Table) -> None:
    assert table.ask("worker", "ana", 0, flags=Flag.ONEWAY) == [Sent("ana", Kind.ASK, 0, None)]
    for kind, body in ANSWERS:
        assert reply(table, "ana", 0, kind, body, flags=Flag.ONEWAY) == []
    assert table.ask("worker", "ben", 0, flags=Flag.ONEWAY) == []
    table.message("ana", Kind.BYE)
    assert table.ask("worker", "ana", 0, flags=Flag.ONEWAY) == []


def test_a_client_that_leaves_ends_its_questions(table: Table) -> None:
    table.ask("worker", "ana", 5)
    assert table.message("ana", Kind.BYE) == [Sent("worker", Kind.ENDED), Sent("ana", Kind.BYE)]


@pytest.mark.parametrize(("kind", "body"), ANSWERS)
def test_an_answer_for_a_worker_that_has_gone_reaches_nobody(table: Table, kind: Kind, body: Any) -> None:
    before = target(table)
    table.message("worker", Kind.BYE)
    assert reply(table, "ana", 5, kind, body, target=before) == []
    table.join("worker", role="worker")
    assert reply(table, "ana", 5, kind, body, target=before) == []
    assert reply(table, "ana", 5, kind, body) == [], "the new session has had no call"


@pytest.mark.parametrize(("kind", "body"), ANSWERS)
def test_a_client_answers_only_workers_that_it_has_called(table: Table, kind: Kind, body: Any) -> None:
    assert reply(table, "ben", 5, kind, body) == []
    assert reply(table, "ana", 5, kind, body, target=target(table, "other")) == []
    assert reply(table, "ana", 5, kind, body, target=b"%016x" % table.sessions["ben"]) == []


@pytest.mark.parametrize(("kind", "body"), ANSWERS)
@pytest.mark.parametrize(
    "bad", [b"", b"stage", b"0" * 15, b"0" * 17, b"00000000000000_1", b" " * 16, b"F" * 16, b"+" + b"1" * 15]
)
def test_an_answer_to_nothing_is_refused_without_a_number(
    table: Table, kind: Kind, body: Any, bad: bytes
) -> None:
    table.call("ana", 5)
    assert reply(table, "ana", 5, kind, body, target=bad) == [Sent("ana", Kind.REFUSED, 0, "protocol")]
    assert table.answer("worker", "ana", 5, "done") == [Sent("ana", Kind.RESULT, 5, ["done"])]


def test_a_client_answers_for_itself_alone(table: Table) -> None:
    stolen = table.sessions["ana"]
    table.ask("worker", "ana", 5)
    assert reply(table, "ben", 5, session=stolen) == [Sent("ben", Kind.REFUSED, 5, "denied")]
    table.introduce("ben", "worker")
    ((_, envelope, _),) = table.envelopes("ben", Kind.RESULT, b"\xc0", call=5, target=target(table))
    assert envelope.session == table.sessions["ben"]


@pytest.mark.parametrize("kind", [Kind.ASK, Kind.JOIN, Kind.PART, Kind.EVENT, Kind.BEGUN])
def test_some_kinds_have_no_meaning_from_a_client(table: Table, kind: Kind) -> None:
    body = b"\xc0" if kind not in (Kind.JOIN, Kind.PART) else None
    assert table.message("ana", kind, body, call=5) == [Sent("ana", Kind.REFUSED, 5, "protocol")]


def test_an_answer_that_cannot_be_passed_on_is_lost_for_the_worker_that_waits(table: Table) -> None:
    table.call("ana", 5)
    table.ask("worker", "ana", 5)
    assert reply(table, "ana", 5, buffers=3) == [
        Sent("worker", Kind.REFUSED, 5, "unknown-outcome"),
        Sent("ana", Kind.REFUSED, 0, "protocol"),
    ]
    assert reply(table, "ana", 5, buffers=3, target=b"") == [Sent("ana", Kind.REFUSED, 0, "protocol")]
    assert table.answer("worker", "ana", 5, "done") == [Sent("ana", Kind.RESULT, 5, ["done"])]


def test_a_question_that_cannot_be_passed_on_leaves_the_call_of_its_number_alone(table: Table) -> None:
    table.call("ana", 5)
    assert table.ask("worker", "ana", 5, buffers=3) == [Sent("worker", Kind.REFUSED, 5, "protocol")]
    assert table.answer("worker", "ana", 5, "done") == [Sent("ana", Kind.RESULT, 5, ["done"])]
