"""Emergency stop under load; rows 19 and 20 of the table."""

from __future__ import annotations

from chaos.callers import Aside, Caller
from chaos.history import Interval
from chaos.journal import Tail, now_ns
from chaos.lab import Lab
from chaos.looking import has_started, load_of, wait_for
from pyrolab.api import locate_ns


def test_an_emergency_stop_passes_queues_and_images(lab: Lab) -> None:
    lab.add_worker("w1", "alpha")
    lab.add_worker("w2", "camera")
    busy, queued, later = (Caller(lab, "alpha") for _ in range(3))
    assert all(each.works() for each in (busy, queued, later))
    ending: list[bool] = []
    viewers = [Aside(_look, lab, ending) for _ in range(3)]
    running = Aside(busy.call, "move", 2.0)
    wait_for(has_started(lab, busy))
    waiting = Aside(queued.several, 16)
    while load_of(lab, "alpha")["queued"] < 16:
        pass
    with locate_ns(f"localhost:{lab.port}") as names:
        said = names.emergency_stop("smoke", user="ana")["services"]
        lab.stops.append(Interval(now_ns()))
        assert set(said.values()) <= {"begun", "ended"}, said
        assert waiting.result() == ["not executed bus:EmergencyStopped"] * 16
        assert later.call() == "not executed bus:EmergencyStopped"
        assert later.proxy.done() >= 3
        assert (names.stopped() or {})["reason"] == "smoke"
        running.result()
        (hook,) = [e for e in Tail(lab.directory / "w1.log").read() if e["at"] == "stop"]
        assert hook["ns"] < max(each.end_ns for each in lab.history().executions), "beside the running call"
        lab.stops[-1] = Interval(lab.stops[-1].from_ns, now_ns())
        assert names.reset_emergency_stop()
    assert later.works()
    ending.append(True)
    for viewer in viewers:
        viewer.result()


def _look(lab: Lab, ending: list[bool]) -> None:
    """Have images sent all the time."""
    with lab.proxy("camera") as camera:
        while not ending:
            assert len(camera.picture(8_000_000)) == 8_000_000
