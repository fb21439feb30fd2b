"""Liars at both ends of a stream: at the port where a worker publishes, and as a publisher."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from live import Process, bus
from pyrolab.api import Proxy
from pyrolab.errors import ProtocolError
from pyrolab.protocol import codec
from pyrolab.protocol.envelope import WITH_BODY, Envelope, Flag, Kind, pack
from pyrolab.streams import memory
from pyrolab.streams.options import Options, Ticket
from pyrolab.streams.received import Receiver
from pyrolab.streams.variants import Variant
from security.mutation import Mutator
from security.peers import Peer
from services.streams import image_of

BIG = (512, 512)


@pytest.fixture(scope="module")
def stream_bus() -> Iterator[Process]:
    with bus("services.streams:Camera=camera") as broker:
        yield broker


@pytest.fixture
def camera(stream_bus: Process) -> Iterator[Any]:
    """It must be none the worse for what happens in the test."""
    with (
        Proxy(f"PYRONAME:camera@localhost:{stream_bus.ready}") as proxy,
        proxy.frames.subscribe("queue", limit=1000) as honest,
    ):
        yield proxy
        last = 0
        newest = proxy.snap(20, BIG)
        while last < newest:
            frame = honest.get(timeout=20)
            assert np.array_equal(frame.array, image_of(frame.sequence, frame.array.shape))
            last = frame.sequence
        assert honest.dropped == 0


def ticket(camera: Any, **wanted: Any) -> Ticket:
    said = Options(**wanted).to_data()
    answer = camera._attachment.invoke(["frames"], "subscribe", (said,), flags=Flag.READ | Flag.URGENT)
    return Ticket.from_data(answer)


def at_the_port_of(found: Ticket, role: str | None = "viewer") -> Peer:
    assert found.endpoint is not None
    return Peer(found.endpoint.port, role)


def test_nobody_gets_a_frame_without_a_ticket(camera: Any) -> None:
    with at_the_port_of(ticket(camera)) as peer:
        for secret in (b"", bytes(16), b"x" * 16, "text", None, [1], 5, 1 << 63):
            assert peer.ask(Kind.ATTACH, {"ticket": secret}).code == "denied"
        bodies: list[Any] = [b"", b"\xc1", b"\x91" * 4000, [], {}, {"tickets": b"x"}]
        for body in bodies:
            assert peer.ask(Kind.ATTACH, body).code == "denied"
        peer.send(Kind.CREDIT, number=1000)
        peer.send(Kind.DETACH)
        camera.snap(3, BIG)
        assert peer.hears_nothing()


def test_a_ticket_is_good_once(camera: Any) -> None:
    found = ticket(camera)
    with at_the_port_of(found) as first, at_the_port_of(found) as second:
        assert first.ask(Kind.ATTACH, {"ticket": found.secret}).kind == Kind.TALLY
        assert second.ask(Kind.ATTACH, {"ticket": found.secret}).code == "denied"


def test_a_stranger_is_told_to_introduce_itself(camera: Any) -> None:
    with at_the_port_of(ticket(camera), None) as peer:
        for kind in set(Kind) - {Kind.HELLO, Kind.BYE, Kind.REFUSED}:
            assert peer.ask(kind, b"\x80" if kind in WITH_BODY else None).code == "protocol"
        for bad in (b"", b"\0", b"PYRL", pack(Kind.PING)[:-1], bytes(4096)):
            peer.send_frames(bad)
            assert peer.hear().code == "protocol"


def test_credit_has_its_limits_and_memory_cannot_be_given_back_that_was_never_lent(camera: Any) -> None:
    found = ticket(camera, policy="queue")
    with at_the_port_of(found) as peer:
        peer.send(Kind.ATTACH, {"ticket": found.secret, "local": True})
        for number in (0xFFFF_FFFF, 0, 1, 0xFFFF_FFFF):
            peer.send(Kind.CREDIT, number=number, call=(1 << 64) - 1)
            peer.send(Kind.CREDIT, number=number, call=12345)
        camera.snap(200, BIG)  # of which only so many may be in its hands
        frames = 0
        while not peer.hears_nothing():
            frames += 1
        assert 0 < frames <= 70


def test_what_has_no_meaning_here_is_ignored(camera: Any) -> None:
    with at_the_port_of(ticket(camera)) as peer:
        for kind in (Kind.CALL, Kind.OFFER, Kind.STOP, Kind.FRAME, Kind.TALLY, 255):
            peer.send(kind, b"\x80" if kind in WITH_BODY else None)
        assert peer.ask(Kind.HELLO, {"role": "viewer"}).kind == Kind.WELCOME
        assert peer.hears_nothing()


@settings(max_examples=200)
@given(st.binary(max_size=200), st.integers(0, 2**32))
def test_any_bytes_for_options_are_options_or_a_value_error(junk: bytes, seed: int) -> None:
    try:
        data = msgpack.unpackb(junk, strict_map_key=False)
    except Exception:
        data = junk
    for said in (
        data,
        {"policy": data},
        {"limit": data},
        {"every": data},
        {"max_rate": data},
        {"variant": data},
    ):
        try:
            Options.from_data(said)
        except ValueError:
            pass


# -- a publisher that lies ------------------------------------------------------------------------------


def received(body: Any, *buffers: Any) -> Any:
    receiver = Receiver(Variant(), deque(), 3)
    frame, _ = receiver.frame(Envelope(Kind.FRAME, call=1, token=1, buffers=len(buffers)), [body, *buffers])
    return frame


SEGMENT = memory.create(8192)


def bodies() -> list[tuple[bytes, list[bytes]]]:
    found = []
    for content in (
        ["value", {"x": [1, 2.0, "three"], "trace": np.arange(2000.0)}],
        ["packed", "<u2", [64, 64], ["zstd"], np.zeros(5000, np.uint8)],
        ["packed", "<u2", [64, 64], ["jpeg", 0, 255], np.zeros(100, np.uint8)],
        ["block", "<u2", [64, 64], SEGMENT.reference, 4],
        ["block", [16, False, [["x", "<f8", 0], ["y", "<f8", 8]]], [512], SEGMENT.reference, 4],
    ):
        body, buffers = codec.encode([1000.0, {"exposure_ms": 90}, content])
        found.append((body, [bytes(each) for each in buffers]))
    return found


BODIES = bodies()


@settings(max_examples=1000)
@given(st.sampled_from(BODIES), st.integers(0, 2**32))
def test_a_changed_frame_is_a_frame_or_an_error_and_nothing_else(
    message: tuple[bytes, list[bytes]], seed: int
) -> None:
    # A header goes along, which is left as it is: what is changed is that which a publisher has said.
    _, *changed = Mutator(seed).message([[pack(Kind.FRAME), message[0], *message[1]]], 1, 1)
    try:
        frame = received(*(changed or [b""]))
        np.asarray(frame.array).tobytes()
    except (ProtocolError, memory.MemoryUnreachable):
        pass


@pytest.mark.parametrize(
    "content",
    [
        ["value"],
        ["value", 1, 2],
        ["pickled", b"cos\nsystem\n"],
        ["block", "|O", [64], SEGMENT.reference, 4],
        ["block", "<u2", [64, 65], [*SEGMENT.reference[:-1], 64], 4],
        ["block", "<u2", [1 << 20, 1 << 20], SEGMENT.reference, 4],
        ["block", "<u2", [-1], SEGMENT.reference, 4],
        ["block", "<u2", [1] * 40, SEGMENT.reference, 4],
        ["block", "<u2", [64, 64], SEGMENT.reference, "many"],
        ["block", "<u2", [64, 64], ["named", "../../etc/passwd", 8192], 4],
        ["block", "<u2", [64, 64], ["memfd", 1, 0, 0, 0, 8192], 4],
        ["packed", "|O", [64], ["zstd"], np.zeros(64, np.uint8)],
        ["packed", "<u2", [64], ["rar"], np.zeros(64, np.uint8)],
        [],
        None,
        "value",
    ],
    ids=lambda content: str(content)[:40],
)
def test_a_frame_that_lies_is_an_error(content: Any) -> None:
    body, buffers = codec.encode([1000.0, {}, content])
    with pytest.raises((ProtocolError, memory.MemoryUnreachable)):
        received(body, *buffers)
