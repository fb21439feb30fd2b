"""Source-measure units: the order in which an output is switched on, and what a sweep leaves behind."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from drivers.counted import noting
from pyrolab_drivers.quantities import Amperes, OutOfRange, Volts
from pyrolab_drivers.simulators.smu import SimulatedSMU
from pyrolab_drivers.smu import SMUChannel, SourceMode

VOLTAGE_ON = [
    ("_write_output_enabled", False),
    ("_write_source_mode", SourceMode.VOLTAGE),
    ("_write_compliance_current", 0.02),
    ("_write_source_voltage", 1.5),
    ("_write_output_enabled", True),
]
CURRENT_ON = [
    ("_write_output_enabled", False),
    ("_write_source_mode", SourceMode.CURRENT),
    ("_write_compliance_voltage", 3.0),
    ("_write_source_current", 0.001),
    ("_write_output_enabled", True),
]


@pytest.fixture
def sent() -> list[str]:
    return []


@pytest.fixture
def channel(sent: list[str]) -> Iterator[SMUChannel]:
    with SimulatedSMU() as smu:
        yield noting(smu.channels[1], sent)


def with_values(channel: SMUChannel, sent: list[tuple[str, object]]) -> None:
    """Note also what is sent."""
    for name in {each for each, _ in VOLTAGE_ON + CURRENT_ON}:
        write = getattr(channel, name)

        def send(value: object, name: str = name, write: object = write) -> None:
            sent.append((name, value))
            write(value)  # type: ignore[operator]

        setattr(channel, name, send)


@pytest.mark.parametrize("mode", list(SourceMode))
def test_an_output_is_switched_on_in_one_order_only(channel: SMUChannel, mode: SourceMode) -> None:
    sent: list[tuple[str, object]] = []
    with_values(channel, sent)
    if mode is SourceMode.VOLTAGE:
        channel.apply_voltage(1.5, compliance_current=0.02)
    else:
        channel.apply_current(0.001, compliance_voltage=3.0)
    assert sent == (VOLTAGE_ON if mode is SourceMode.VOLTAGE else CURRENT_ON)
    channel.output_enabled = False
    sent.clear()
    channel.output_enabled = True
    assert sent == (VOLTAGE_ON if mode is SourceMode.VOLTAGE else CURRENT_ON)
    sent.clear()
    channel.output_enabled = True
    assert sent == []


def test_a_new_function_switches_the_output_off_first(channel: SMUChannel, sent: list[str]) -> None:
    channel.apply_voltage(1.0, 0.01)
    sent.clear()
    channel.source_mode = SourceMode.VOLTAGE
    assert sent == []
    channel.source_mode = SourceMode.CURRENT
    assert sent == ["_write_output_enabled", "_write_source_mode"]
    assert not channel.output_enabled


@pytest.mark.parametrize(
    ("level", "compliance"), [(22.0, 0.01), (1.0, 0.0), (1.0, 2.0), (float("nan"), 0.01)]
)
def test_nothing_is_sent_if_level_or_compliance_cannot_be(
    channel: SMUChannel, sent: list[str], level: Volts, compliance: Amperes
) -> None:
    with pytest.raises(OutOfRange):
        channel.apply_voltage(level, compliance)
    assert sent == []


def test_a_sweep_measures_at_each_level_and_ends_with_the_output_off(channel: SMUChannel) -> None:
    channel.compliance_current = 0.1
    curve = channel.sweep(-2.0, 2.0, 21)
    assert np.array_equal(curve.source, np.linspace(-2.0, 2.0, 21))
    assert curve.voltage == pytest.approx(curve.source, abs=1e-3)
    assert curve.current == pytest.approx(curve.voltage / 500.0, abs=1e-5)
    assert not channel.output_enabled


@pytest.mark.parametrize("arguments", [(-2.0, 30.0, 5), (0.0, 1.0, 0), (0.0, 1.0, 2.5), (0.0, 1.0, 5, -1.0)])
def test_a_sweep_that_cannot_be_sends_nothing(
    channel: SMUChannel, sent: list[str], arguments: tuple[float, float, int]
) -> None:
    with pytest.raises(OutOfRange):
        channel.sweep(*arguments)
    assert sent == []


def test_a_sweep_that_fails_leaves_the_output_off(
    channel: SMUChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails() -> tuple[Volts, Amperes]:
        raise TimeoutError("no answer")

    monkeypatch.setattr(channel, "_measure", fails)
    with pytest.raises(TimeoutError):
        channel.sweep(0.0, 1.0, 5)
    assert not channel.output_enabled


def test_stop_switches_all_outputs_off() -> None:
    with SimulatedSMU() as smu:
        smu.channels[1].apply_voltage(1.0, 0.01)
        smu.channels[2].apply_current(1e-3, 2.0)
        smu.stop()
        assert [each.output_enabled for each in smu.channels.values()] == [False, False]
