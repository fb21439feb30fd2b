"""Events through the core: who has joined gets them, and nobody else."""

from __future__ import annotations

import pytest

from core_table import Sent, Table
from pyrolab.protocol.envelope import Envelope, Kind, pack
from pyrolab_broker.core.events import Received, Send
from pyrolab_broker.settings import BrokerSettings


@pytest.fixture
def table() -> Table:
    table = Table()
    table.join("ana", "ben", "cleo")
    table.join("worker", "other", role="worker")
    table.offer("worker")
    table.offer("worker", "camera")
    table.offer("other", "laser")
    for client in ("ana", "ben"):
        table.introduce(client, "worker")
    return table


def event(to: str, value: str = "news") -> Sent:
    return Sent(to, Kind.EVENT, 0, [value])


def test_an_event_goes_to_all_who_have_joined_in_the_order_of_their_joining(table: Table) -> None:
    assert table.publish("worker", 7) == []
    assert table.joins("ben", "worker", 7) == []
    assert table.joins("ana", "worker", 7) == []
    assert table.publish("worker", 7) == [event("ben"), event("ana")]
    assert table.publish("worker", 8) == []
    assert table.publish("worker", 7, target="camera") == []
    table.check()


def test_the_header_of_an_event_is_each_receivers_own(table: Table) -> None:
    table.joins("ana", "worker", 7)
    table.joins("ben", "worker", 7)
    sent = table.envelopes("worker", Kind.EVENT, b"\x90", flags=8, call=3, stamp=9, number=7, target=b"stage")
    for (to, envelope, _), client in zip(sent, ("ana", "ben"), strict=True):
        assert to == client
        session = table.sessions[client]
        assert envelope == Envelope(
            Kind.EVENT, flags=8, session=session, stamp=1_000_000, number=7, target=b"stage"
        )


def test_frames_are_passed_on_as_the_same_objects(table: Table) -> None:
    table.joins("ana", "worker", 7)
    table.joins("ben", "worker", 7)
    body, image = b"\x90", bytearray(8000)
    header = pack(Kind.EVENT, buffers=1, number=7, target=b"stage")
    actions = table.raw(Received(b"worker", header, [body, image]))
    assert len(actions) == 2
    for action in actions:
        assert isinstance(action, Send)
        assert action.frames[1] is body
        assert action.frames[2] is image


def test_who_parts_gets_no_more(table: Table) -> None:
    for topic in (7, 8):
        for client in ("ana", "ben"):
            table.joins(client, "worker", topic)
    assert table.parts("ana", "worker", 7) == []
    assert table.parts("ana", "worker", 7) == [], "parting twice is parting"
    table.check()
    assert table.publish("worker", 7) == [event("ben")]
    assert table.publish("worker", 8) == [event("ana"), event("ben")]


def test_joining_twice_is_joining(table: Table) -> None:
    for _ in range(2):
        table.joins("ana", "worker", 7)
    assert table.publish("worker", 7) == [event("ana")]
    table.parts("ana", "worker", 7)
    assert table.publish("worker", 7) == []


def test_a_worker_lets_nobody_join_who_has_not_called_it(table: Table) -> None:
    assert table.joins("cleo", "worker", 7) == [Sent("worker", Kind.REFUSED, 0, "denied")]
    assert table.joins("ana", "other", 7, "laser") == [Sent("other", Kind.REFUSED, 0, "denied")]
    table.message("ben", Kind.BYE)
    ((to, envelope, _),) = table.envelopes(
        "worker", Kind.JOIN, session=table.sessions["ben"], call=5, number=7, target=b"stage"
    )
    assert to == "worker"
    assert envelope == Envelope(Kind.REFUSED, session=table.sessions["ben"], call=5, stamp=1_000_000)
    table.check()


def test_a_worker_speaks_for_its_own_objects_alone(table: Table) -> None:
    table.introduce("ana", "other", "laser")
    table.joins("ana", "other", 7, "laser")
    for target in ("laser", "nothing", "Pyro.NameServer"):
        assert table.joins("ben", "worker", 7, target) == [Sent("worker", Kind.REFUSED, 0, "denied")]
        assert table.publish("worker", 7, target=target) == [Sent("worker", Kind.REFUSED, 0, "denied")]
        assert table.parts("ana", "worker", 7, target) == []
    assert table.publish("other", 7, target="laser") == [event("ana")]
    table.check()


def test_a_client_has_a_bound_on_its_topics() -> None:
    table = Table(topics_per_client=2)
    table.join("ana", "ben")
    table.join("worker", role="worker")
    table.offer("worker")
    for client in ("ana", "ben"):
        table.introduce(client, "worker")
    for topic in (1, 2, 1, 2):
        assert table.joins("ana", "worker", topic) == []
    assert table.joins("ana", "worker", 3) == [Sent("worker", Kind.REFUSED, 0, "busy")]
    assert table.joins("ben", "worker", 3) == []
    table.parts("ana", "worker", 1)
    assert table.joins("ana", "worker", 3) == []
    table.check()


def test_the_bound_is_at_least_one() -> None:
    with pytest.raises(ValueError, match="topics_per_client"):
        BrokerSettings(topics_per_client=0)


def test_a_client_that_leaves_gets_no_more(table: Table) -> None:
    for client in ("ana", "ben"):
        table.joins(client, "worker", 7)
        table.joins(client, "worker", 7, "camera")
    assert table.message("ana", Kind.BYE) == [Sent("worker", Kind.ENDED), Sent("ana", Kind.BYE)]
    table.check()
    assert table.publish("worker", 7) == [event("ben")]
    table.join("ana")
    assert table.publish("worker", 7) == [event("ben")], "the next session has joined nothing"


def test_a_client_that_cannot_be_reached_misses_what_follows(table: Table) -> None:
    table.joins("ana", "worker", 7)
    table.joins("ben", "worker", 7)
    table.publish("worker", 7)
    header = pack(Kind.EVENT, session=table.sessions["ana"], number=7, target=b"stage")
    assert table.unreachable("ana", header, slow=True) == [Sent("worker", Kind.ENDED)]
    assert table.publish("worker", 7) == [event("ben")]
    table.check()


def test_a_service_that_is_withdrawn_ends_its_topics(table: Table) -> None:
    for topic in (7, 8):
        table.joins("ana", "worker", topic)
        table.joins("ana", "worker", topic, "camera")
    table.joins("ben", "worker", 7, "camera")
    ((to, envelope, _),) = table.envelopes("worker", Kind.WITHDRAW, target=b"stage")
    assert to == "ana"
    assert envelope == Envelope(
        Kind.ENDED, session=table.sessions["ana"], stamp=1_000_000, target=b"stage"
    ), "once, however many topics"
    table.check()
    assert table.publish("worker", 7) == [Sent("worker", Kind.REFUSED, 0, "denied")]
    assert table.publish("worker", 7, target="camera") == [event("ana"), event("ben")]
    table.offer("worker")
    assert table.publish("worker", 7) == [], "offered after it was withdrawn, it begins anew"


def test_a_service_that_is_offered_again_keeps_its_topics(table: Table) -> None:
    table.joins("ana", "worker", 7)
    table.offer("worker")
    assert table.publish("worker", 7) == [event("ana")]
    table.check()


def test_a_worker_that_leaves_ends_the_topics_of_all_its_services(table: Table) -> None:
    table.joins("ana", "worker", 7)
    table.joins("ben", "worker", 7, "camera")
    table.joins("ana", "worker", 8, "camera")
    table.call("ben", 2)
    assert table.unreachable("worker") == [
        Sent("ben", Kind.REFUSED, 2, "unknown-outcome"),
        Sent("ana", Kind.ENDED),
        Sent("ben", Kind.ENDED),
        Sent("ana", Kind.ENDED),
    ]
    table.check()
    assert all(not client.topics for client in table.core.state.clients.values())
