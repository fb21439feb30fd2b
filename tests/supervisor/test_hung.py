"""Processes whose Python does not run: seen from outside, reported, and ended where the policy says so."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from pyrolab.api import Proxy, locate_ns, timeout
from pyrolab.config import PyroLabConfiguration
from pyrolab.errors import CommunicationError, OutcomeUnknown
from pyrolab.supervisor.plan import plan
from pyrolab.supervisor.vigil import WhenStuck

from .conftest import DAEMON, Bench, Status, stand_in, wait_for

pytestmark = pytest.mark.skipif(os.name != "posix", reason="what hangs here hangs in POSIX calls")


def state_of(lab: Bench, name: str) -> str:
    state: str = lab.process(name)["state"]
    return state


def test_a_stopped_process_is_hung_until_it_goes_on(bench: Callable[..., Bench]) -> None:
    lab = bench(stand_in(DAEMON, "pulse", when_stuck=WhenStuck(hung_after_s=2)))
    pid = lab.wait(lambda status: status["settled"])["processes"][0]["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_for(lambda: state_of(lab, "d") == "hung")
        first = lab.process("d")["reason"]
        assert "its Python has not run for" in first
        wait_for(lambda: lab.process("d")["reason"] != first)
        assert lab.process("d")["pid"] == pid
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_for(lambda: state_of(lab, "d") == "running")
    assert (lab.process("d")["pid"], lab.process("d")["reason"]) == (pid, "")
    assert lab.process("d")["restarts"] == 0


def test_a_stopped_process_is_replaced_where_the_policy_says_so(bench: Callable[..., Bench]) -> None:
    lab = bench(stand_in(DAEMON, "pulse", when_stuck=WhenStuck(hung_after_s=2, restart=True)))
    pid = lab.wait(lambda status: status["settled"])["processes"][0]["pid"]
    os.kill(pid, signal.SIGSTOP)
    restarting = lab.wait(lambda status: status["processes"][0]["state"] == "restarting")
    assert restarting["processes"][0]["reason"].startswith("hung: its Python did not run for")
    wait_for(lambda: state_of(lab, "d") == "running" and lab.process("d")["restarts"] == 1)
    assert not psutil.pid_exists(pid)


LAB = """
nameservers: {n: {ns_port: 0}}
daemons:
  stuck: {path: [HERE], MORE}
  sibling: {path: [HERE], stuck_at_stop: kill, stop_patience_s: 4}
services:
  driver: {class: 'stuck_driver:StuckDriver', daemon: stuck}
  other: {class: 'stuck_driver:StuckDriver', daemon: sibling}
"""


def lab_with(more: str) -> PyroLabConfiguration:
    text = LAB.replace("HERE", str(Path(__file__).parent)).replace("MORE", more)
    return PyroLabConfiguration.from_yaml(text)


def uri_of(status: Status, service: str) -> str:
    (uri,) = [s["uri"] for p in status["processes"] for s in p["services"] if s["name"] == service]
    return str(uri)


@contextmanager
def holding(uri: str, seconds: int) -> Iterator[list[Exception | None]]:
    """Somebody calls a driver that holds its Python; yields what became of the call."""
    outcome: list[Exception | None] = []

    def call() -> None:
        with Proxy(uri) as driver, timeout(60):
            try:
                driver.hold(seconds)
            except CommunicationError as error:
                outcome.append(error)
            else:
                outcome.append(None)

    caller = threading.Thread(target=call)
    caller.start()
    yield outcome
    caller.join()


def test_a_driver_that_holds_python_is_shown_and_its_sibling_serves(bench: Callable[..., Bench]) -> None:
    lab = bench(*plan(lab_with("hung_after_s: 2, when_hung: report")))
    status = lab.wait(lambda status: status["settled"])
    with Proxy(uri_of(status, "driver")) as driver, Proxy(uri_of(status, "other")) as other:
        pid = driver.pid()
        with holding(uri_of(status, "driver"), 4) as outcome:
            wait_for(lambda: state_of(lab, "stuck") == "hung")
            assert other.pid() != pid
            assert not outcome
            assert state_of(lab, "sibling") == "running"
        assert outcome == [None]
        wait_for(lambda: state_of(lab, "stuck") == "running")
        assert driver.pid() == pid


def test_a_driver_that_holds_python_is_replaced_and_serves_again(bench: Callable[..., Bench]) -> None:
    lab = bench(*plan(lab_with("hung_after_s: 2, when_hung: restart")))
    status = lab.wait(lambda status: status["settled"])
    with Proxy(uri_of(status, "driver")) as driver, Proxy(uri_of(status, "other")) as other:
        pid = driver.pid()
        with holding(uri_of(status, "driver"), 600) as outcome:
            while not outcome:
                assert other.pid() != pid
        assert lab.wait(lambda status: status["processes"][1]["state"] == "hung")
        assert isinstance(outcome[0], OutcomeUnknown)

        def served_again() -> Any:
            try:
                return driver.pid()
            except CommunicationError:
                return None

        assert wait_for(served_again) != pid
        wait_for(lambda: state_of(lab, "stuck") == "running" and lab.statuses[-1]["settled"])
        assert uri_of(lab.statuses[-1], "driver") == uri_of(status, "driver")
        assert not psutil.pid_exists(pid)
        assert lab.process("stuck")["restarts"] == 1
        assert lab.process("sibling")["restarts"] == 0


def test_an_emergency_stop_ends_what_is_stuck_and_nothing_else(bench: Callable[..., Bench]) -> None:
    lab = bench(*plan(lab_with("stuck_at_stop: kill, stop_patience_s: 4, hung_after_s: 2")))
    status = lab.wait(lambda status: status["settled"])
    where = status["processes"][0]["address"]
    with Proxy(uri_of(status, "driver")) as driver, Proxy(uri_of(status, "other")) as other:
        pids = driver.pid(), other.pid()
        with holding(uri_of(status, "driver"), 600) as outcome, locate_ns(where) as names:
            lab.wait(lambda status: status["processes"][1]["state"] == "hung")
            names.emergency_stop("fire")
            wait_for(lambda: outcome)
            names.reset_emergency_stop()
        assert isinstance(outcome[0], OutcomeUnknown)
        wait_for(lambda: state_of(lab, "stuck") == "running" and lab.statuses[-1]["settled"])
        reasons = {status["processes"][1]["reason"] for status in lab.statuses}
        assert any(reason.startswith("hung at the emergency stop (fire)") for reason in reasons)
        assert driver.pid() != pids[0]
        assert other.pid() == pids[1]
