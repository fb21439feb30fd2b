"""Drivers that know nothing of PyroLab, hosted by a configuration as they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from live import start_broker
from pyrolab.api import Proxy
from pyrolab.config import PyroLabConfiguration, ServiceConfiguration
from pyrolab.errors import ConfigurationError, NotExecuted, ServiceOffline
from pyrolab.supervisor.classes import service_class
from pyrolab.supervisor.plan import plan
from pyrolab.worker.exposure import behavior_of
from services.foreign import Digitizer

from .conftest import Bench, wait_for

LAB = """
nameservers: {n: {ns_port: PORT}}
daemons: {d: {}}
services:
  lamp: {class: 'services.foreign:Lamp', args: [FOLDER], daemon: d}
  scope: {class: 'services.foreign:Digitizer', args: [x], kwargs: {inputs: 3}, daemon: d, thread: usb}
  probe: {class: 'services.foreign:Digitizer', args: [y], daemon: d, thread: usb}
  meter:
    class: pymeasure.instruments:Instrument
    args: ["GPIB::8::INSTR", a generator of pyvisa-sim]
    kwargs: {visa_library: "@sim", read_termination: "\\n", write_termination: "\\n"}
    daemon: d
autolaunch: {nameservers: []}
"""


def state_of(lab: Bench, name: str) -> tuple[str, str]:
    found: dict[str, str] = next((each for each in lab.process("d")["services"] if each["name"] == name), {})
    return found.get("state", ""), found.get("reason", "")


def test_a_device_that_is_switched_off_is_offline_and_comes_back_by_itself(
    bench: Callable[..., Bench], tmp_path: Path
) -> None:
    (tmp_path / "off").touch()
    with start_broker() as broker:
        text = LAB.replace("PORT", broker.ready).replace("FOLDER", str(tmp_path))
        lab = bench(*plan(PyroLabConfiguration.from_yaml(text)))
        wait_for(lambda: lab.statuses and state_of(lab, "lamp")[0] == "offline")
        assert "OSError: no lamp answers at this address" in state_of(lab, "lamp")[1]
        lamp, scope, probe, meter = (
            Proxy(f"PYRO:{name}@localhost:{broker.ready}") for name in ("lamp", "scope", "probe", "meter")
        )
        with pytest.raises(ServiceOffline, match=r"no lamp answers.*switched on") as refused:
            lamp.pid  # noqa: B018
        assert isinstance(refused.value, NotExecuted)
        assert vars(refused.value)["retry_after_s"] >= 0
        assert scope.ch_3.number == 3
        assert scope.threads()[1] == probe.threads()[1]
        assert meter.ask("?IDN").startswith("LSG Serial")  # by a simulator of somebody else
        (tmp_path / "off").unlink()
        wait_for(lambda: state_of(lab, "lamp")[0] == "running")
        assert lamp.pid == lab.process("d")["pid"]
        lab.end()
    assert (tmp_path / "ended").read_text() == "(None, None, None)"


def configured(**more: Any) -> type:
    return service_class("x", ServiceConfiguration(module="services.foreign", classname="Digitizer", **more))


def test_a_class_without_marks_is_hosted_as_an_instrument() -> None:
    how = behavior_of(configured())
    assert (how.instance_mode, how.exposure, how.at_start) == ("single", "public", True)
    assert not hasattr(Digitizer, "_pyro_behavior")


def test_what_the_configuration_says_goes_before_that() -> None:
    how = behavior_of(configured(instancemode="session", exposure="marked"))
    assert (how.instance_mode, how.exposure, how.at_start) == ("session", "marked", False)
    assert not behavior_of(configured(at_start=False)).at_start
    assert behavior_of(configured(thread="gpib0")).thread == "gpib0"
    with pytest.raises(ConfigurationError, match="only what is 'single'"):
        configured(instancemode="percall", at_start=True)
