"""Frames by way of a real broker."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from live import Process, start_broker
from pyrolab.errors import BusyError, SecurityError
from pyrolab.link.link import Link
from pyrolab.protocol.envelope import Kind, pack
from pyrolab.protocol.names import Location

KEY = b"k" * 16


@pytest.fixture
def broker() -> Any:
    with start_broker(max_viewers=3) as process:
        yield process


def link(broker: Process, role: str, **about: Any) -> Link:
    return Link(Location("localhost", int(broker.ready)), role, about=about)


def heard(of: Link, kind: Kind) -> tuple[Any, list[Any]]:
    while True:
        message = of.receive()
        if message is None:
            of.wait(5)
        elif message[0].kind == kind:
            return message


def test_a_frame_of_8_mib_comes_to_two_viewers_as_it_was(broker: Process) -> None:
    worker = link(broker, "worker", key=KEY)
    source = link(broker, "source", key=KEY, worker=worker.session)
    viewers = [link(broker, "viewer") for _ in range(2)]
    for viewer in viewers:
        viewer.send([pack(Kind.ATTACH, target=b"%016x" % source.session), b"\x80"])
        assert heard(source, Kind.ATTACH)[0].session == viewer.session
    image = np.random.default_rng(1).integers(0, 65535, (2048, 2048), np.uint16)
    target = b"".join(b"%016x" % each.session for each in viewers)
    source.send([pack(Kind.FRAME, 0, 1, call=1, target=target), b"body", image.reshape(-1).view("u1").data])
    for viewer in viewers:
        _, frames = heard(viewer, Kind.FRAME)
        assert np.array_equal(np.frombuffer(frames[1], np.uint16).reshape(image.shape), image)
    viewers[0].close(polite=False)
    assert heard(source, Kind.ENDED)[0].session == viewers[0].session
    source.close(polite=False)
    assert heard(viewers[1], Kind.ENDED)[0].target == b"%016x" % source.session
    for each in (worker, *viewers):
        each.close()


def test_strangers_and_too_many_are_turned_away(broker: Process) -> None:
    with pytest.raises(SecurityError, match="names the session and the key of its worker"):
        link(broker, "source", key=KEY, worker=12345)
    viewers = [link(broker, "viewer") for _ in range(3)]
    with pytest.raises(BusyError, match="max_viewers=3"):
        link(broker, "viewer")
    for viewer in viewers:
        viewer.close()
