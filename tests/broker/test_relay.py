"""Frames by way of the broker, as a table: what a source or a viewer says, and exactly who hears it."""

from __future__ import annotations

from typing import Any

import pytest

from core_table import Sent, Table
from pyrolab.protocol import codec
from pyrolab.protocol.envelope import NO_DEADLINE, WITH_BODY, Envelope, Flag, Kind, pack, parse
from pyrolab_broker.core.events import Received, Send, Stopping
from pyrolab_broker.core.relay import MAX_RECEIVERS, MAX_REQUEST_BYTES

KEY = b"k" * 16
FRAME: list[Any] = [[0.0, {}, ["value", 1]]]
GONE = {"code": "gone", "text": "the stream has ended"}
NOBODY = b"%016x" % 5


def table(*viewers: str, **settings: Any) -> Table:
    """A worker with its source, and viewers that have come to it."""
    made = Table(**settings)
    made.join("worker", role="worker", key=KEY)
    made.join("source", role="source", key=KEY, worker=made.sessions["worker"])
    made.join(*viewers, role="viewer")
    for viewer in viewers:
        come(made, viewer)
    made.check()
    return made


def come(made: Table, viewer: str, source: str = "source") -> list[Sent]:
    return made.message(viewer, Kind.ATTACH, {"ticket": b""}, target=of(made, source))


def of(made: Table, *peers: str) -> bytes:
    return b"".join(b"%016x" % made.sessions[each] for each in peers)


def hello(made: Table, peer: str, role: str, **said: Any) -> list[Sent]:
    return made.message(peer, Kind.HELLO, {"role": role, **said})


def is_passed(made: Table, kind: Kind, to: str, **fields: Any) -> Envelope:
    """A message as the broker passes it on."""
    clock = made.core.state.clock
    return Envelope(kind, session=made.sessions[to], stamp=clock, budget_ms=NO_DEADLINE, **fields)


# -- who hears what ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Kind.ATTACH, Kind.CREDIT, Kind.DETACH])
def test_what_a_viewer_says_goes_to_its_source(kind: Kind) -> None:
    made = table()
    made.join("ana", role="viewer")
    body = b"no msgpack at all \xc1" if kind in WITH_BODY else None
    kept: dict[str, Any] = {"call": 5, "number": 3, "token": 8, "flags": 64}
    sent = made.envelopes("ana", kind, body, **kept, target=of(made, "source"))
    assert sent == [("source", is_passed(made, kind, "ana", **kept), [body] if body else [])]
    made.check()


@pytest.mark.parametrize("kind", [Kind.FRAME, Kind.TALLY, Kind.DETACH, Kind.REFUSED])
def test_what_a_source_says_goes_to_the_viewers_that_it_names(kind: Kind) -> None:
    made = table("ana", "ben", "cem")
    body = b"no msgpack at all \xc1" if kind in WITH_BODY else None
    kept: dict[str, Any] = {"call": 42, "number": 7, "token": 99, "flags": 64}
    sent = made.envelopes("source", kind, body, **kept, target=of(made, "cem", "ana", "cem"))
    frames = [body] if body else []
    assert sent == [(to, is_passed(made, kind, to, **kept), frames) for to in ("cem", "ana")]


def test_nothing_of_a_frame_is_copied() -> None:
    made = table("ana", "ben")
    body, pixels = b"body", memoryview(bytes(8192))
    header = pack(Kind.FRAME, buffers=1, call=42, target=of(made, "ana", "ben"))
    sent = [each for each in made.raw(Received(b"source", header, [body, pixels])) if isinstance(each, Send)]
    assert [each.peer for each in sent] == [b"ana", b"ben"]
    for each in sent:
        assert parse(each.frames[0]).buffers == 1
        assert each.frames[1] is body
        assert each.frames[2] is pixels


def test_one_message_goes_to_as_many_as_a_target_can_name() -> None:
    names = tuple(f"viewer{number}" for number in range(MAX_RECEIVERS))
    made = table(*names)
    sent = made.message("source", Kind.FRAME, FRAME, target=of(made, *names))
    assert [each.to for each in sent] == list(names)


@pytest.mark.parametrize(
    "target", [b"", b"0" * 15, b"0" * 17, b"Z" * 16, b"A" * 16, b"0" * 16 + b"x" * 16, b"+" + b"1" * 15]
)
def test_a_source_has_to_name_viewers(target: bytes) -> None:
    made = table("ana")
    assert made.message("source", Kind.FRAME, FRAME, call=3, target=target) == [
        Sent("source", Kind.REFUSED, 3, "protocol")
    ]


def test_nobody_gets_frames_who_has_not_come_to_this_source() -> None:
    made = table("ana")
    made.join("eve", role="viewer")
    made.join("bob")
    made.sessions["nobody"] = 5
    for stranger, code in (("eve", "denied"), ("bob", "gone"), ("nobody", "gone")):
        target = of(made, stranger, "ana")
        refusal, passed = made.envelopes("source", Kind.FRAME, FRAME, call=3, target=target)
        assert (refusal[0], passed[0]) == ("source", "ana")
        assert codec.decode(refusal[2][0])["code"] == code
        envelope = refusal[1]
        assert (envelope.kind, envelope.session, envelope.call) == (Kind.REFUSED, made.sessions[stranger], 3)


def test_a_refusal_to_nobody_is_not_answered() -> None:
    made = table("ana")
    made.message("ana", Kind.BYE)
    assert made.message("source", Kind.REFUSED, GONE, target=of(made, "ana") + NOBODY) == []


def test_two_sources_have_viewers_of_their_own() -> None:
    made = table("ana")
    made.join("other", role="worker", key=b"o" * 16)
    made.join("theirs", role="source", key=b"o" * 16, worker=made.sessions["other"])
    assert made.message("theirs", Kind.FRAME, FRAME, target=of(made, "ana")) == [
        Sent("theirs", Kind.REFUSED, 0, "denied")
    ]
    come(made, "ana", "theirs")
    for source in ("source", "theirs"):
        assert [each.to for each in made.message(source, Kind.FRAME, FRAME, target=of(made, "ana"))] == [
            "ana"
        ]
    made.check()


@pytest.mark.parametrize("kind", [Kind.ATTACH, Kind.CREDIT, Kind.DETACH])
def test_a_source_that_is_not_there_is_gone(kind: Kind) -> None:
    made = table()
    made.join("ana", role="viewer")
    body = b"\x80" if kind in WITH_BODY else None
    for target in (NOBODY, b"", b"nonsense", of(made, "worker"), of(made, "ana"), of(made, "source") * 2):
        sent = made.message("ana", kind, body, call=4, target=target)
        assert sent == [Sent("ana", Kind.REFUSED, 4, "gone")]
    made.check()


def test_what_a_viewer_says_is_small() -> None:
    made = table()
    made.join("ana", role="viewer")
    target = of(made, "source")
    sent = made.message("ana", Kind.ATTACH, bytes(MAX_REQUEST_BYTES + 1), call=1, target=target)
    assert sent == [Sent("ana", Kind.REFUSED, 1, "protocol")]
    made.check()
    assert [
        each.to for each in made.message("ana", Kind.ATTACH, bytes(MAX_REQUEST_BYTES), target=target)
    ] == ["source"]


def test_a_viewer_speaks_for_itself_only() -> None:
    made = table("ana", "ben")
    fields = {"session": made.sessions["ben"], "call": 2, "target": of(made, "source")}
    assert made.message("ana", Kind.CREDIT, **fields) == [Sent("ana", Kind.REFUSED, 2, "denied")]


def test_a_viewer_and_a_source_say_nothing_else() -> None:
    made = table("ana")
    said = {
        "ana": {Kind.HELLO, Kind.PING, Kind.BYE, Kind.ATTACH, Kind.CREDIT, Kind.DETACH},
        "source": {Kind.HELLO, Kind.PING, Kind.BYE, Kind.FRAME, Kind.TALLY, Kind.DETACH, Kind.REFUSED},
    }
    for peer, theirs in said.items():
        for kind in sorted(set(Kind) - theirs):
            body = FRAME if kind in WITH_BODY else None
            sent = made.message(peer, kind, body, call=9, flags=Flag.NONE, target=of(made, "source"))
            assert sent == [Sent(peer, Kind.REFUSED, 9, "protocol")], kind
    made.check()


@pytest.mark.parametrize("kind", [Kind.FRAME, Kind.TALLY, Kind.REFUSED])
def test_a_message_of_the_wrong_form_reaches_nobody(kind: Kind) -> None:
    made = table("ana")
    header = pack(kind, buffers=3, call=8, target=of(made, "ana"))
    sent = made.handle(Received(b"source", header, [b"\x80"]))
    assert [(each.to, each.kind, each.body) for each in sent] == [("source", Kind.REFUSED, "protocol")]


# -- who comes, and who goes ------------------------------------------------------------------------------


def test_a_source_belongs_to_a_worker_that_is_here() -> None:
    made = Table()
    made.join("worker", role="worker", key=KEY)
    made.join("keyless", role="worker")
    here = made.sessions["worker"]
    for said in (
        {},
        {"worker": here},
        {"worker": here, "key": b"x" * 16},
        {"worker": here, "key": KEY[:15]},
        {"worker": 5, "key": KEY},
        {"worker": [here], "key": KEY},
        {"worker": made.sessions["keyless"], "key": b""},
    ):
        assert hello(made, "thief", "source", **said) == [Sent("thief", Kind.REFUSED, 0, "denied")]
    made.check()


def test_a_newer_source_takes_the_place_of_the_one_before() -> None:
    made = table("ana")
    sent = hello(made, "newer", "source", key=KEY, worker=made.sessions["worker"])
    assert sent == [Sent("ana", Kind.ENDED), Sent("source", Kind.BYE), Sent("newer", Kind.WELCOME)]
    assert come(made, "ana") == [Sent("ana", Kind.REFUSED, 0, "gone")]
    made.check()


def test_a_worker_that_comes_again_brings_a_new_source() -> None:
    made = table("ana")
    sent = hello(made, "again", "worker", key=KEY)
    assert sent == [Sent("ana", Kind.ENDED), Sent("source", Kind.BYE), Sent("again", Kind.WELCOME)]
    assert made.message("source", Kind.TALLY, target=of(made, "ana")) == [
        Sent("source", Kind.REFUSED, 0, "protocol")
    ]
    made.check()


@pytest.mark.parametrize("role", ["line", "source"])
def test_no_worker_loses_its_other_connections_because_the_broker_is_full(role: str) -> None:
    made = Table(max_workers=1)
    made.join("worker", role="worker", key=KEY)
    about: dict[str, Any] = {"key": KEY, "worker": made.sessions["worker"]}
    made.join("first", role=role, **about)
    assert Sent("second", Kind.WELCOME) in hello(made, "second", role, **about)
    assert hello(made, "other", "worker") == [Sent("other", Kind.REFUSED, 0, "pool-full")]
    made.check()


@pytest.mark.parametrize("leaver", ["source", "worker"])
@pytest.mark.parametrize("politely", [True, False])
def test_viewers_hear_when_their_source_has_gone(leaver: str, politely: bool) -> None:
    made = table("ana", "ben")
    source = of(made, "source")
    if politely:
        sent = made.envelopes(leaver, Kind.BYE)
        assert sent[-1][0] == leaver
        ended = [envelope for _, envelope, _ in sent if envelope.kind == Kind.ENDED]
        expected = [is_passed(made, Kind.ENDED, each, target=source) for each in ("ana", "ben")]
        assert ended == expected
    else:
        sent_when_lost = made.unreachable(leaver)
        assert [each.to for each in sent_when_lost if each.kind == Kind.ENDED] == ["ana", "ben"]
    made.check()


def test_a_source_hears_when_a_viewer_has_gone() -> None:
    made = table("ana", "ben")
    sent = made.envelopes("ana", Kind.BYE)
    assert sent[0] == ("source", is_passed(made, Kind.ENDED, "ana"), [])
    assert [(to, envelope.kind) for to, envelope, _ in sent[1:]] == [("ana", Kind.BYE)]
    assert list(made.core.state.peers[b"source"].attached) == [made.sessions["ben"]]
    made.check()


def test_who_leaves_a_source_and_comes_back_has_to_come_to_it_again() -> None:
    made = table("ana")
    made.message("ana", Kind.BYE)
    made.join("ana", role="viewer")
    assert made.message("source", Kind.TALLY, target=of(made, "ana")) == [
        Sent("source", Kind.REFUSED, 0, "denied")
    ]


def test_one_who_has_detached_is_a_viewer_until_it_leaves() -> None:
    """The source's answer has to come through, and the source keeps something for it until it hears ENDED."""
    made = table("ana")
    made.message("ana", Kind.DETACH, target=of(made, "source"))
    assert made.message("source", Kind.DETACH, call=43, target=of(made, "ana")) == [
        Sent("ana", Kind.DETACH, 43)
    ]
    assert made.unreachable("ana") == [Sent("source", Kind.ENDED)]


@pytest.mark.parametrize("slow", [True, False])
def test_a_viewer_that_cannot_be_reached_costs_its_own_place_only(slow: bool) -> None:
    made = table("ana", "ben")
    made.offer("worker")
    made.join("cleo")
    made.call("cleo", 1)
    frame = pack(Kind.FRAME, session=made.sessions["ana"], call=1)
    assert made.unreachable("ana", frame, slow) == [Sent("source", Kind.ENDED)]
    assert [each.to for each in made.message("source", Kind.FRAME, FRAME, target=of(made, "ben"))] == ["ben"]
    assert made.answer("worker", "cleo", 1) == [Sent("cleo", Kind.RESULT, 1, [None])]
    made.check()


@pytest.mark.parametrize("slow", [True, False])
@pytest.mark.parametrize("kind", [Kind.CREDIT, Kind.ENDED])
def test_a_source_that_cannot_be_reached_ends_and_its_worker_goes_on(slow: bool, kind: Kind) -> None:
    """What it has not heard it would miss for ever: a credit, or the end of a viewer."""
    made = table("ana")
    made.offer("worker")
    made.join("cleo")
    made.call("cleo", 1)
    header = pack(kind, session=made.sessions["ana"], call=1)
    assert made.unreachable("source", header, slow) == [Sent("ana", Kind.ENDED)]
    assert made.answer("worker", "cleo", 1) == [Sent("cleo", Kind.RESULT, 1, [None])]
    about = {"key": KEY, "worker": made.sessions["worker"]}
    assert hello(made, "source", "source", **about) == [Sent("source", Kind.WELCOME)]
    made.check()


def test_silent_ones_are_probed_as_everybody_is() -> None:
    made = table("ana")
    made.tick(7.0)
    assert {"ana", "source"} <= {each.to for each in made.tick(7.0) if each.kind == Kind.PONG}


def test_viewers_are_limited_and_counted_apart() -> None:
    made = Table(max_viewers=1, max_clients=1)
    made.join("ana", role="viewer")
    (_, _, (body,)) = made.envelopes("ben", Kind.HELLO, {"role": "viewer"})[0]
    refused = codec.decode(body)
    assert (refused["code"], refused["limit"], refused["current"]) == ("pool-full", 1, 1)
    assert "max_viewers=1" in refused["text"]
    assert "close subscriptions" in refused["text"]
    made.join("cem")
    _, load = made.ask_names("cem", 1, "load")
    assert (load["clients"], load["viewers"], load["max_viewers"]) == (1, 1, 1)
    made.message("ana", Kind.BYE)
    assert hello(made, "ben", "viewer") == [Sent("ben", Kind.WELCOME)]


# -- what must not change ---------------------------------------------------------------------------------


def test_the_clock_of_a_source_is_not_its_workers() -> None:
    made = table("ana")
    made.offer("worker")
    made.message("worker", Kind.PING, stamp=4242)
    made.message("source", Kind.PING, stamp=999_999)
    made.message("source", Kind.TALLY, stamp=888_888, target=of(made, "ana"))
    made.join("cleo")
    sent = made.envelopes("cleo", Kind.CALL, b"\x90", call=1, target=b"stage")
    assert [envelope.stamp for _, envelope, _ in sent if envelope.kind == Kind.CALL] == [4242]


def test_frames_are_no_sign_of_life_of_what_carries_out_calls() -> None:
    made = table("ana")
    made.offer("worker")
    made.join("cleo")
    made.tick(5.0)
    made.message("source", Kind.FRAME, FRAME, target=of(made, "ana"))
    made.tick(0.1)
    _, load = made.ask_names("cleo", 1, "load")
    assert [each["driver"] for each in load["services"]["stage"]["workers"]] == ["hung"]


def test_an_emergency_stop_does_not_concern_them() -> None:
    made = table("ana")
    made.join("boss")
    for number, method in enumerate(("emergency_stop", "reset_emergency_stop"), 1):
        body, _ = codec.encode_call([method], (), {})
        sent = made.message("boss", Kind.CALL, body, call=number, target=b"Pyro.NameServer")
        assert {each.to for each in sent} == {"boss", "worker"}
        assert made.message("source", Kind.TALLY, call=1, target=of(made, "ana")) == [
            Sent("ana", Kind.TALLY, 1)
        ]
        assert made.message("ana", Kind.CREDIT, call=1, target=of(made, "source")) == [
            Sent("source", Kind.CREDIT, 1)
        ]


def test_everybody_is_told_when_the_broker_ends() -> None:
    made = table("ana")
    assert {each.to for each in made.handle(Stopping())} == {"worker", "source", "ana"}
