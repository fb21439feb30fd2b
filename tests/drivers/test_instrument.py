"""What all instruments share: ranges, connections, waiting."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrolab_drivers.instrument import Identity, Instrument, wait_until
from pyrolab_drivers.quantities import NotConnected, OutOfRange, Range


class Recorder(Instrument):
    """An instrument that notes what happens to it."""

    def __init__(self, fails: bool = False) -> None:
        super().__init__()
        self.events: list[str] = []
        self.fails = fails

    @property
    def identity(self) -> Identity:
        return Identity("PyroLab", "Recorder", "1")

    def _open(self) -> None:
        self.events.append("open")
        if self.fails:
            raise OSError("no such port")

    def _close(self) -> None:
        self.events.append("close")

    def read(self) -> int:
        self._require_connection()
        return 1


@given(value=st.floats())
def test_a_range_lets_through_what_lies_within_and_nothing_else(value: float) -> None:
    allowed = Range(-1.0, 2.0, "mm")
    if -1.0 <= value <= 2.0:
        assert allowed.check("position", value) == value
    else:
        with pytest.raises(OutOfRange, match="position can be -1 to 2 mm, not"):
            allowed.check("position", value)


def test_an_error_of_range_carries_its_numbers() -> None:
    with pytest.raises(OutOfRange) as caught:
        Range(1.0, 2.0, "s").check("exposure time", math.inf)
    assert vars(caught.value) == {
        "quantity": "exposure time",
        "value": math.inf,
        "low": 1.0,
        "high": 2.0,
        "unit": "s",
    }
    assert isinstance(caught.value, ValueError)


def test_connecting_and_closing_twice_does_it_once() -> None:
    instrument = Recorder()
    assert not instrument.connected
    instrument.connect()
    instrument.connect()
    assert instrument.connected
    instrument.close()
    instrument.close()
    assert instrument.events == ["open", "close"]


def test_it_can_be_connected_again() -> None:
    instrument = Recorder()
    with instrument:
        assert instrument.read() == 1
    with pytest.raises(NotConnected, match=r"PyroLab Recorder \(1\) is not connected; call connect"):
        instrument.read()
    with instrument:
        assert instrument.read() == 1


def test_a_connection_that_failed_is_none() -> None:
    instrument = Recorder(fails=True)
    with pytest.raises(OSError, match="no such port"):
        instrument.connect()
    assert not instrument.connected
    instrument.close()
    assert instrument.events == ["open"]


def test_waiting_ends_with_the_condition_or_says_what_took_too_long() -> None:
    answers = iter([False, False, True])
    wait_until(lambda: next(answers), 30.0, "the move")
    with pytest.raises(TimeoutError, match=r"the move took longer than 0 s"):
        wait_until(lambda: False, 0.0, "the move")
