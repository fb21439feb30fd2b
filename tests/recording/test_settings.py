"""The settings of a service in a recording, also of an awkward one; and streams of parts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from live import Process, bus
from pyrolab.api import Proxy
from pyrolab.recording import Recorder
from pyrolab.recording.plain import as_json, plain

from .reading import read

pytestmark = pytest.mark.timeout(120)

EXPECTED = {
    "mode": "FAST",
    "file": "calibration.csv",
    "offsets": [1.5, 2.5],
    "limits": {"low": -1, "high": [1, None]},
    "nothing": None,
    "last": "there",
    "part.level": 1.5,
}


@pytest.fixture(scope="module")
def awkward_bus() -> Iterator[Process]:
    with bus("recording.instruments:Awkward=awkward") as broker:
        yield broker


@pytest.fixture
def awkward(awkward_bus: Process) -> Iterator[Any]:
    with Proxy(f"PYRONAME:awkward@localhost:{awkward_bus.ready}") as proxy:
        yield proxy


@pytest.mark.parametrize("suffix", [".h5", ".zarr", ".tiff"])
def test_what_can_be_read_is_there_and_what_cannot_is_said(awkward: Any, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"run{suffix}"
    with Recorder(awkward.frames, to=path):
        pass
    found = read(path)
    settings = {**found.settings}
    if suffix == ".h5":  # what is nested is JSON there
        assert settings["limits"] == as_json(EXPECTED["limits"]).replace(",", ", ").replace(":", ": ")
        settings["limits"] = EXPECTED["limits"]
    assert settings == EXPECTED
    assert found.unread.keys() == {"table", "broken", "slow", "part.stuck"}
    assert found.unread["broken"] == "ValueError: no sensor"
    assert found.unread["part.stuck"] == "RuntimeError: the relay is stuck"
    assert "100000 items" in found.unread["table"]
    assert "CallTimedOut" in found.unread["slow"]


def test_a_stream_of_a_part_with_traces_of_all_lengths(awkward: Any, tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    with Recorder(awkward.part.traces, to=path) as recording:
        awkward.part.send(9)
        recording.run(frames=9)
    found = read(path)
    assert all(
        np.array_equal(each.value, np.full(5 + number % 3, number / 2))
        for number, each in enumerate(found.all)
    )
    assert sorted(found.frames) == ["frames", "frames_2", "frames_3"]
    assert found.source["service"] == "awkward.part"
    assert found.settings == {"level": 1.5}


def test_a_type_that_is_not_plain_is_named() -> None:
    with pytest.raises(TypeError, match="object"):
        plain({"a": [object()]})
    nested: Any = 1
    for _ in range(20):
        nested = [nested]
    with pytest.raises(TypeError, match="list"):
        plain(nested)


def test_json_of_everything() -> None:
    value = {"a": np.arange(3), "b": b"\x01\xff", "c": np.float32(0.5), "d": 1j, "e": {1, 2}}
    assert as_json(value) == '{"a":[0,1,2],"b":"01ff","c":0.5,"d":"1j","e":[1,2]}'
