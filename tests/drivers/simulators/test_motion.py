"""Simulated motion: trapezoids, limits, stops, homing."""

from __future__ import annotations

import itertools
import threading
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrolab_drivers.quantities import InstrumentBusy, NotConnected, OutOfRange
from pyrolab_drivers.simulators.motion import SimulatedAxis, SimulatedStage
from pyrolab_drivers.simulators.trajectory import brake, point_to_point

places = st.floats(-2, 2)


class Bench(NamedTuple):
    axis: SimulatedAxis
    time: list[float]

    def advance(self, seconds: float) -> None:
        self.time[0] += seconds


@pytest.fixture
def bench() -> Bench:
    time = [100.0]
    axis = SimulatedAxis("1", clock=lambda: time[0])
    axis.connect()
    return Bench(axis, time)


@given(start=places, end=places, speed=st.floats(0.01, 10), acceleration=st.floats(1, 100))
def test_a_move_ends_where_it_should_and_never_exceeds_speed_or_acceleration(
    start: float, end: float, speed: float, acceleration: float
) -> None:
    move = point_to_point(start, end, 0.0, speed, acceleration)
    assert move.end == pytest.approx(end, abs=1e-9)
    assert move.position(0.0) == start
    moments = [move.duration_s * k / 50 for k in range(51)]
    assert all(abs(move.velocity(t)) <= speed * (1 + 1e-9) for t in moments)
    low, high = min(start, end) - 1e-9, max(start, end) + 1e-9
    assert all(low <= move.position(t) <= high for t in moments)
    for before, after in itertools.pairwise(moments):
        change = abs(move.velocity(after) - move.velocity(before))
        assert change <= acceleration * (after - before) * (1 + 1e-6) + 1e-9


@given(end=places, part=st.floats(0, 1))
def test_braking_is_continuous_and_does_not_turn_back(end: float, part: float) -> None:
    move = point_to_point(0.0, end, 0.0, 2.0, 50.0)
    now = part * move.duration_s
    braking = brake(move, now, 50.0)
    assert braking.position(now) == pytest.approx(move.position(now))
    assert abs(braking.velocity(now)) == pytest.approx(abs(move.velocity(now)))
    assert abs(braking.end) <= abs(end) + 1e-9


def test_a_move_takes_time_and_then_is_done(bench: Bench) -> None:
    axis = bench.axis
    axis.move_to(1.0)
    assert axis.moving
    assert axis.target == 1.0
    bench.advance(0.25)
    assert 0.0 < axis.position < 1.0
    bench.advance(10.0)
    assert not axis.moving
    assert axis.position == 1.0
    axis.move_by(-0.25)
    bench.advance(10.0)
    assert axis.position == 0.75


def test_a_slower_axis_is_behind(bench: Bench) -> None:
    bench.axis.velocity = 0.5
    bench.axis.move_to(1.0)
    bench.advance(1.0)
    assert bench.axis.position < 0.51


@pytest.mark.parametrize("place", [2.1, -2.1, float("nan"), float("inf")])
def test_what_is_out_of_reach_is_refused_before_anything_moves(bench: Bench, place: float) -> None:
    with pytest.raises(OutOfRange, match=r"position can be -2 to 2 mm, not .* mm") as caught:
        bench.axis.move_to(place)
    assert vars(caught.value)["high"] == 2.0
    assert not bench.axis.moving


def test_a_second_move_is_refused_until_the_first_has_ended(bench: Bench) -> None:
    bench.axis.move_to(1.0)
    with pytest.raises(InstrumentBusy, match="is moving"):
        bench.axis.move_to(0.5)
    assert bench.axis.target == 1.0


@pytest.mark.parametrize("immediate", [False, True])
def test_stop_ends_a_move_on_its_way(bench: Bench, immediate: bool) -> None:
    bench.axis.move_to(1.0)
    bench.advance(0.25)
    here = bench.axis.position
    bench.axis.stop(immediate)
    assert bench.axis.moving is not immediate
    bench.advance(10.0)
    assert here <= bench.axis.position < 0.6
    assert not bench.axis.moving


def test_homing_is_done_when_it_has_arrived_and_not_when_it_was_stopped() -> None:
    time = [0.0]
    axis = SimulatedAxis("1", start=1.0, clock=lambda: time[0])
    axis.connect()
    assert not axis.homed
    axis.home()
    time[0] += 0.1
    assert not axis.homed
    axis.stop()
    time[0] += 10
    assert not axis.homed
    axis.home()
    time[0] += 10
    assert axis.homed
    assert axis.position == 0.0
    axis.move_to(1.0)
    assert axis.homed


def test_an_axis_must_be_connected() -> None:
    axis = SimulatedAxis("1")
    with pytest.raises(NotConnected, match=r"call connect\(\) first"):
        axis.move_to(1.0)
    with axis:
        assert axis.connected
    with pytest.raises(NotConnected):
        _ = axis.position


def test_a_stage_moves_its_axes_together_or_not_at_all() -> None:
    time = [0.0]
    with SimulatedStage(3, clock=lambda: time[0]) as stage:
        stage.home()
        time[0] += 10
        assert stage.homed
        with pytest.raises(OutOfRange, match="position of axis y"):
            stage.move_to({"x": 1.0, "y": 5.0})
        with pytest.raises(LookupError, match="no axis 'z'; the axes are x, y"):
            stage.move_to({"x": 1.0, "z": 0.0})
        assert stage.position == {"x": 0.0, "y": 0.0}
        stage.move_to({"x": 1.0, "y": -0.5})
        time[0] += 10
        assert stage.position == {"x": 1.0, "y": -0.5}
        stage.move_by({"y": 0.1})
        time[0] += 10
        assert stage.position == pytest.approx({"x": 1.0, "y": -0.4})
        assert stage.units == {"x": "mm", "y": "mm"}
        assert stage.axes["x"].position == 1.0


def test_stop_from_another_thread_ends_a_wait() -> None:
    with SimulatedStage(3) as stage:
        for axis in stage.axes.values():
            axis.velocity = 0.01
        stage.move_to({"x": 2.0})
        threading.Timer(0.05, stage.stop).start()
        stage.wait(timeout_s=30.0)
        assert stage.position["x"] < 2.0


def test_waiting_too_long_is_a_timeout() -> None:
    with SimulatedStage(3) as stage:
        stage.axes["x"].velocity = 0.01
        stage.move_to({"x": 2.0})
        with pytest.raises(TimeoutError, match=r"took longer than 0\.01 s"):
            stage.wait(timeout_s=0.01)
