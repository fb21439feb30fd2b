"""A stream without any bus, and the accounts of its publisher."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from pyrolab.api import Stream, expose
from pyrolab.errors import SerializeError
from pyrolab.streams.feeds import Feed
from pyrolab.streams.options import Options
from pyrolab.worker.introspection import interface_of


@expose
class Microscope:
    frames = Stream(buffer=2, doc="Pictures.")
    power = Stream(unit="mW", on_demand=True)

    @power.on_start
    def _begin(self) -> None: ...


def test_a_class_with_streams_works_without_any_bus() -> None:
    microscope, other = Microscope(), Microscope()
    assert microscope.frames.publish(np.zeros((100, 100))) == 1
    with microscope.frames.slot((100, 100), "uint16") as out:
        out[:] = 3
    assert microscope.frames.published == 2
    assert other.frames.published == 0
    assert not microscope.frames.wanted
    assert microscope.frames is microscope.frames
    with pytest.raises(SerializeError, match="object"):
        microscope.frames.publish(np.array([object()] * 1000))
    with pytest.raises(SerializeError):
        microscope.power.publish(object())
    with pytest.raises(SerializeError, match="timestamp"):
        microscope.power.publish(1.0, timestamp="noon")


def test_a_class_says_which_streams_it_has() -> None:
    streams = interface_of(Microscope).streams
    assert list(streams) == ["frames", "power"]
    assert (streams["frames"].doc, streams["frames"].on_demand) == ("Pictures.", False)
    assert (streams["power"].unit, streams["power"].on_demand) == ("mW", True)


@pytest.mark.parametrize("buffer", [0, -1, 1.5, True, 10**9])
def test_a_buffer_is_a_number_of_frames(buffer: int) -> None:
    with pytest.raises(ValueError, match="buffers from 1"):
        Stream(buffer=buffer)


def test_only_a_source_on_demand_is_started() -> None:
    with pytest.raises(TypeError, match="on_demand=True"):
        Microscope.frames.on_start(lambda self: None)


def test_a_publisher_waits_for_room_and_goes_on_when_there_is_some() -> None:
    publisher = Microscope().frames
    feed = Feed(Options("lossless"), publisher.buffer, True, False)
    publisher.add(feed, lambda: None)
    publisher.publish(1)
    publisher.publish(2)
    third = threading.Thread(target=publisher.publish, args=(3,))
    third.start()
    third.join(0.2)
    assert third.is_alive()
    publisher.granted(feed, 1, 0)
    assert publisher.taken(feed) is not None
    third.join(20)
    assert not third.is_alive()
    assert publisher.published == 3


def test_a_publisher_that_waits_goes_on_when_the_subscriber_has_left() -> None:
    publisher = Microscope().frames
    feed = Feed(Options("lossless"), publisher.buffer, True, False)
    publisher.add(feed, lambda: None)
    for value in (1, 2):
        publisher.publish(value)
    waiting = threading.Thread(target=publisher.publish, args=(3,))
    waiting.start()
    publisher.remove(feed)
    waiting.join(20)
    assert not waiting.is_alive()


def test_whoever_keeps_the_slot_can_change_nothing_afterwards() -> None:
    publisher = Microscope().frames
    publisher.add(Feed(Options("latest"), 2, False, False), lambda: None)
    with publisher.slot((256, 256), np.uint16) as out:
        out[:] = 7
    with pytest.raises(ValueError, match="read-only"):
        out[0, 0] = 8
