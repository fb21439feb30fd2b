"""Ctrl-C, a disk that is full, and workers that are asked to end; rows 43 to 45 of the table."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from chaos.callers import Aside, Caller
from chaos.journal import Tail
from chaos.lab import Lab
from chaos.looking import has_started, load_of, wait_for
from live import PATIENCE_S, Process
from pyrolab.api import timeout

GONE = "not executed bus:ServiceGone"


IN_VAIN = {
    "waiting for a reservation": "axis.reserve(wait=600)",
    "waiting for an event": "next(iter(axis.moved.subscribe()))",
    "in a call": "axis.move(1, 600)",
}
SCRIPT = """
import sys
from pyrolab.api import Proxy
with Proxy("PYRO:alpha@localhost:{port}") as axis:
    axis.done()
    print("ready", flush=True)
    try:
        {what}
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


@pytest.mark.parametrize("what", IN_VAIN)
def test_ctrl_c_and_exit(lab: Lab, what: str) -> None:
    """Even over a line that is cut, so that nobody says goodbye."""
    lab.add_worker("w1", "alpha")
    line = lab.new_relay()
    script = SCRIPT.format(port=line.port, what=IN_VAIN[what])
    with lab.proxy("alpha") as owner, owner.reserve(), Process("-c", script) as process:
        time.sleep(0.2)  # it may be interrupted anywhere
        line.hold()
        process.popen.send_signal(signal.SIGINT)
        assert process.popen.wait(PATIENCE_S) in (0, 1, -signal.SIGINT)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is always full")
def test_what_cannot_be_recorded_does_not_run(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "audit").mkdir()
    (tmp_path / "audit" / "audit.jsonl").symlink_to("/dev/full")
    lab.add_worker("w1", "alpha", audit=str(tmp_path / "audit"))
    alpha = Caller(lab, "alpha")
    assert {alpha.call() for _ in range(5)} == {"not executed bus:NotRecorded"}
    assert alpha.proxy.done() == 0
    assert alpha.proxy.target == 0
    assert lab.starts("alpha") == []


def test_a_worker_drains(lab: Lab) -> None:
    worker = lab.add_worker("w1", "alpha")
    lab.add_worker("w2", "beta")
    busy, queued, beta = Caller(lab, "alpha"), Caller(lab, "alpha"), Caller(lab, "beta")
    assert all(each.works() for each in (busy, queued, beta))
    running = Aside(busy.call, "move", 1.5)
    wait_for(has_started(lab, busy))
    waiting = Aside(queued.several, 20)
    while load_of(lab, "alpha")["queued"] < 20:
        pass
    ended = Aside(worker.process.terminate)
    assert set(waiting.result()) == {GONE}
    assert running.result() == "ok"
    assert ended.result() == 0, worker.process.errors()
    assert [e["at"] for e in Tail(lab.directory / "w1.log").read()][-1] == "close"
    assert beta.call() == "ok"
    with timeout(5):
        worker.start().wait_until_ready()
    wait_for(busy.works, lab)
