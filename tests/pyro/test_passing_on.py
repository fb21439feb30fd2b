"""A service in the middle passes values on whose classes it does not know, over a real bus."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from live import bus
from pyrolab.api import Proxy
from pyrolab.errors import BusyError
from pyrolab.protocol import converted
from pyrolab.protocol.blobs import SerializedBlob
from pyrolab.pyro.classes import register_class_to_dict, register_dict_to_class
from values.samples import InstrumentError, Pose


class Sample:
    def __init__(self, name: str, image: Any) -> None:
        self.name = name
        self.image = image


@pytest.fixture(scope="module")
def dispatcher() -> Iterator[Any]:
    with (
        bus("services.dispatcher:Dispatcher=dispatcher") as broker,
        Proxy(f"PYRONAME:dispatcher@localhost:{broker.ready}") as proxy,
    ):
        yield proxy


@pytest.fixture(autouse=True)
def _converters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(converted, "_to_dict", {})
    monkeypatch.setattr(converted, "_from_dict", {})
    register_class_to_dict(Sample, lambda sample: {"__class__": "lab.Sample", **vars(sample)})
    register_dict_to_class("lab.Sample", lambda name, data: Sample(data["name"], data["image"]))


def test_an_instance_of_a_class_with_converters(dispatcher: Any) -> None:
    image = np.arange(5000.0)
    assert dispatcher.give(Sample("chip", image)) == "DictRecord lab.Sample"
    arrived = dispatcher.take()
    assert (type(arrived), arrived.name) == (Sample, "chip")
    assert (arrived.image == image).all()


def test_a_blob(dispatcher: Any) -> None:
    image = np.arange(5000.0)
    data = [Sample("chip", image), Pose(1, 2)]
    assert dispatcher.give(SerializedBlob("topic", data)) == "SerializedBlob topic"
    sample, pose = dispatcher.take().deserialized()
    assert (type(sample), sample.name, pose) == (Sample, "chip", Pose(1, 2))
    assert (sample.image == image).all()


def test_an_exception_that_is_not_raised(dispatcher: Any) -> None:
    assert dispatcher.give(ValueError("x")) == "ValueError "
    assert repr(dispatcher.take()) == "ValueError('x')"
    dispatcher.give([InstrumentError("laser", 5), BusyError("full", limit=3)])
    first, second = dispatcher.take()
    assert (type(first), first.code) == (InstrumentError, 5)
    assert (type(second), second.limit) == (BusyError, 3)
