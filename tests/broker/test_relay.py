"""Frames by way of the broker, as a table: what a source or a viewer says, and exactly who hears it."""

from __future__ import annotations

from typing import Any

import pytest

from core_table import Sent, Table
from pyrolab.protocol import codec
from pyrolab.protocol.envelope import Flag, Kind, pack
from pyrolab_broker.core.events import Received, Send

KEY = b"k" * 16
FRAME: list[Any] = [[0.0, {}, ["value", 1]]]


def table(*viewers: str) -> Table:
    made = Table()
    made.join("worker", role="worker", key=KEY)
    made.join("source", role="source", key=KEY, worker=made.sessions["worker"])
    for viewer in viewers:
        made.join(viewer, role="viewer")
        made.message(viewer, Kind.ATTACH, {"ticket": b""}, target=of(made, "source"))
    return made


def of(made: Table, *peers: str) -> bytes:
    return b"".join(b"%016x" % made.sessions[each] for each in peers)


def test_what_a_viewer_says_goes_to_its_source() -> None:
    made = table()
    made.join("ana", role="viewer")
    fields = {"call": 5, "number": 3, "target": of(made, "source")}
    ((to, envelope, frames),) = made.envelopes("ana", Kind.CREDIT, **fields)
    assert (to, frames) == ("source", [])
    assert envelope._replace(stamp=0) == (
        *(Kind.CREDIT, 0, 0, made.sessions["ana"], 5, 0),
        *(0xFFFF_FFFF, 3, 0, b""),
    )


def test_what_a_source_says_goes_to_the_viewers_that_it_names_uncopied_and_unread() -> None:
    made = table("ana", "ben", "cem")
    pixels = memoryview(bytes(8192))
    header = pack(Kind.FRAME, 0, 1, 0, 42, 0, 0xFFFF_FFFF, 7, 99, of(made, "ana", "cem", "ana"))
    body = b"no msgpack at all \xc1"
    actions = made.raw(Received(b"source", header, [body, pixels]))
    sent = [each for each in actions if isinstance(each, Send)]
    assert [each.peer for each in sent] == [b"ana", b"cem"]
    for each in sent:
        assert each.frames[1] is body
        assert each.frames[2] is pixels


@pytest.mark.parametrize("target", [b"", b"0" * 15, b"0" * 17, b"Z" * 16, b"0" * 16 + b"x" * 16])
def test_a_source_has_to_name_viewers(target: bytes) -> None:
    made = table("ana")
    (refused,) = made.message("source", Kind.FRAME, FRAME, call=3, target=target)
    assert (refused.to, refused.kind, refused.call, refused.body) == (
        "source",
        Kind.REFUSED,
        3,
        "protocol",
    )


def test_nobody_gets_frames_who_has_not_come_to_this_source() -> None:
    made = table("ana")
    made.join("eve", role="viewer")
    made.join("bob")
    for stranger in ("eve", "bob"):
        ((to, envelope, _),) = made.envelopes("source", Kind.FRAME, FRAME, call=3, target=of(made, stranger))
        assert (to, envelope.kind, envelope.session) == ("source", Kind.REFUSED, made.sessions[stranger])
    assert made.message("source", Kind.REFUSED, {"code": "gone", "text": ""}, target=of(made, "eve")) == []


def test_a_source_that_is_not_there_is_gone() -> None:
    made = table()
    made.join("ana", role="viewer")
    for target in (b"%016x" % 5, b"", b"nonsense", of(made, "worker")):
        (refused,) = made.message("ana", Kind.ATTACH, {"ticket": b""}, call=4, target=target)
        assert (refused.to, refused.call, refused.body) == ("ana", 4, "gone")


def test_a_source_belongs_to_a_worker_that_is_here() -> None:
    made = Table()
    made.join("worker", role="worker", key=KEY)
    for said in ({}, {"worker": made.sessions["worker"], "key": b"x" * 16}, {"worker": 5, "key": KEY}):
        (refused,) = made.message("thief", Kind.HELLO, {"role": "source", **said})
        assert (refused.kind, refused.body) == (Kind.REFUSED, "denied")


def test_a_newer_source_takes_the_place_of_the_one_before() -> None:
    made = table("ana")
    ended = made.message(
        "newer", Kind.HELLO, {"role": "source", "key": KEY, "worker": made.sessions["worker"]}
    )
    assert [(each.to, each.kind) for each in ended] == [("ana", Kind.ENDED), ("newer", Kind.WELCOME)]


@pytest.mark.parametrize("leaver", ["source", "worker"])
def test_viewers_hear_when_their_source_has_gone(leaver: str) -> None:
    made = table("ana", "ben")
    source = of(made, "source")
    heard = made.envelopes(leaver, Kind.BYE)
    told = {to: envelope for to, envelope, _ in heard if envelope.kind == Kind.ENDED}
    assert set(told) == {"ana", "ben"}
    assert all(envelope.target == source for envelope in told.values())
    assert told["ana"].session == made.sessions["ana"]
    assert not made.core.state.peers[b"ana"].attached


def test_a_source_hears_when_a_viewer_has_gone() -> None:
    made = table("ana", "ben")
    heard = made.envelopes("ana", Kind.BYE)
    assert ("source", Kind.ENDED, made.sessions["ana"]) in [(to, e.kind, e.session) for to, e, _ in heard]
    assert list(made.core.state.peers[b"source"].attached) == [made.sessions["ben"]]


def test_viewers_are_limited() -> None:
    made = Table(max_viewers=1)
    made.join("ana", role="viewer")
    (refused,) = made.message("ben", Kind.HELLO, {"role": "viewer"})
    assert refused.body == "pool-full"
    made.join("cem")  # clients are counted apart


def test_a_viewer_and_a_source_say_nothing_else() -> None:
    made = table("ana")
    for peer in ("ana", "source"):
        for kind in (Kind.CALL, Kind.OFFER, Kind.RESULT, Kind.STOPPED):
            body = FRAME if kind != Kind.OFFER else b"\xc0"
            sent = made.message(peer, kind, body, call=9, flags=Flag.NONE, target=b"stage")
            assert all(isinstance(each, Sent) and each.kind == Kind.REFUSED for each in sent)
    (refused,) = made.message("ana", Kind.FRAME, FRAME, target=of(made, "source"))
    assert refused.kind == Kind.REFUSED


def test_an_emergency_stop_does_not_concern_them() -> None:
    made = table("ana")
    made.join("boss")
    body, _ = codec.encode_call(["emergency_stop"], ("smoke",), {})
    sent = made.message("boss", Kind.CALL, body, call=1, target=b"Pyro.NameServer")
    assert {each.to for each in sent} <= {"boss", "worker"}
    assert made.envelopes("source", Kind.TALLY, call=1, target=of(made, "ana"))[0][0] == "ana"
